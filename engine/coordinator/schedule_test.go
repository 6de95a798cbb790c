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
	if !w.faults.patient {
		w.often(time.Second, w.endOne)
	}
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

// Jobs that take checkpoints outlive whatever happens to workers once they have begun: processes that end, two at once and
// while others are still being made up for, that are stopped for longer than the timeout and go on, data connections that are
// cut, messages that come late or twice, and coordinators that are restarted.
func TestLossesAreMadeGood(t *testing.T) {
	var recoveries, attempts int
	schedules(t, func(t *testing.T, seed uint64) {
		f := faults{recovers: true, patient: true, kills: 400 * time.Millisecond, repeats: 0.05}
		if seed%2 == 0 {
			f.stalls = time.Second
		}
		if seed%3 == 0 {
			f.breaks = 300 * time.Millisecond
		}
		if seed%5 == 0 {
			f.restarts = 700 * time.Millisecond
		}
		if seed%7 == 0 {
			f.links = 500 * time.Millisecond
		}
		w := newWorld(t, seed, 3+int(seed%4), f)
		w.busy(5 * time.Second)
		for _, id := range w.accepted {
			j, err := w.m.Job(id)
			if err != nil {
				t.Fatal(err)
			}
			recoveries, attempts = recoveries+j.Recoveries.Count, attempts+j.Recoveries.Attempts
		}
	})
	if recoveries == 0 || attempts == recoveries {
		t.Errorf("%d recoveries of %d attempts: want some, and some that were overtaken", recoveries, attempts)
	}
	t.Logf("%d recoveries, %d attempts", recoveries, attempts)
}

// Tasks are reassigned while all that happens, and every reassignment comes to its end.
func TestReassignmentsComeToTheirEnd(t *testing.T) {
	ended := map[ReassignState]int{}
	schedules(t, func(t *testing.T, seed uint64) {
		f := faults{recovers: true, patient: seed%4 > 0, moves: 50 * time.Millisecond, repeats: 0.05}
		if seed%2 == 0 {
			f.kills = 700 * time.Millisecond
		}
		if seed%3 == 0 {
			f.breaks = 300 * time.Millisecond
		}
		if seed%5 == 0 {
			f.restarts = 500 * time.Millisecond
		}
		if seed%7 == 0 {
			f.stalls = time.Second
		}
		if seed%6 == 1 {
			f.drains = time.Second
		}
		w := newWorld(t, seed, 3+int(seed%4), f)
		w.busy(5 * time.Second)
		for _, state := range w.history.ended {
			ended[state]++
		}
	})
	if ended[Done] == 0 || ended[GivenUp] == 0 {
		t.Errorf("%v: want both", ended)
	}
	t.Logf("%v", ended)
}

// The same with jobs that are ended early and with parts that fail: each job has its end and its reason.
func TestRecoveringJobsHaveTheirEnd(t *testing.T) {
	schedules(t, func(t *testing.T, seed uint64) {
		f := faults{recovers: true, kills: 500 * time.Millisecond, stalls: time.Second, links: time.Second, repeats: 0.05, errors: 0.05}
		if seed%2 == 0 {
			f.restarts, f.breaks = 700*time.Millisecond, 300*time.Millisecond
		}
		w := newWorld(t, seed, 2+int(seed%4), f)
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

func TestCrashAtEveryRecordOfRecoveries(t *testing.T) {
	crashEverywhere(t, faults{recovers: true, patient: true, kills: 300 * time.Millisecond, stalls: time.Second, repeats: 0.05})
}

func TestCrashAtEveryRecordOfReassignments(t *testing.T) {
	crashEverywhere(t, faults{recovers: true, patient: true, moves: 30 * time.Millisecond})
	crashEverywhere(t, faults{recovers: true, moves: 50 * time.Millisecond, kills: 500 * time.Millisecond, repeats: 0.05})
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
