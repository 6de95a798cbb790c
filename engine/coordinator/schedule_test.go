package coordinator

import (
	"flag"
	"fmt"
	"testing"
	"time"
)

var (
	seedFlag = flag.Uint64("seed", 0, "run this schedule only")
	seeds    = flag.Int("seeds", 100, "how many schedules of each kind to run")
)

// schedules runs a test for many seeds, or for one.
func schedules(t *testing.T, run func(t *testing.T, seed uint64)) {
	first, n := *seedFlag, 1
	if first == 0 {
		first, n = 1, *seeds
		if testing.Short() {
			n = min(n, 10)
		}
	}
	for seed := first; seed < first+uint64(n); seed++ {
		t.Run(fmt.Sprint(seed), func(t *testing.T) {
			run(t, seed)
			if t.Failed() {
				t.Logf("again: go test ./engine/coordinator -run '%s' -seed %d", t.Name(), seed)
			}
		})
		if t.Failed() {
			return
		}
	}
}

// busy submits jobs, and ends some early, for a while.
func (w *world) busy(d time.Duration) {
	w.often(300*time.Millisecond, w.submit)
	w.often(time.Second, w.endOne)
	w.run(d)
	w.settle()
}

// Broken connections and restarts of the coordinator cost nothing: no job fails that nobody has cancelled.
func TestNothingIsLostByRestarts(t *testing.T) {
	schedules(t, func(t *testing.T, seed uint64) {
		w := newWorld(t, seed, 1+int(seed%4), faults{breaks: 200 * time.Millisecond, restarts: 500 * time.Millisecond})
		w.busy(5 * time.Second)
		if len(w.accepted) == 0 {
			t.Error("no job was submitted")
		}
	})
}

// With workers that die, stall or fail, jobs fail, but each has its end and its reason, and no worker keeps anything.
func TestEveryJobHasItsEnd(t *testing.T) {
	schedules(t, func(t *testing.T, seed uint64) {
		f := faults{errors: 0.1}
		if seed%2 == 0 {
			f.kills, f.stalls = time.Second, time.Second
		}
		if seed%3 == 0 {
			f.breaks = 200 * time.Millisecond
		}
		if seed%5 == 0 {
			f.restarts = 700 * time.Millisecond
		}
		w := newWorld(t, seed, 2+int(seed%3), f)
		w.busy(5 * time.Second)
	})
}

// The coordinator crashes at its first record, at its second, and so on, each time with that record on disk or without it.
func TestCrashAtEveryRecord(t *testing.T) {
	crashEverywhere(t, faults{breaks: time.Second})
}

func TestCrashAtEveryRecordOfFailures(t *testing.T) {
	crashEverywhere(t, faults{kills: 300 * time.Millisecond, errors: 0.1})
}

func crashEverywhere(t *testing.T, f faults) {
	step := 1
	if testing.Short() {
		step = 3
	}
	for f.crashAt = 1; ; f.crashAt += step {
		w := newWorld(t, uint64(f.crashAt), 3, f)
		w.busy(2 * time.Second)
		if t.Failed() {
			t.Fatalf("when record %d was written", f.crashAt)
		}
		if w.life > 1 {
			continue
		}
		if f.crashAt < 20 {
			t.Errorf("only %d records were written", f.crashAt)
		}
		return
	}
}
