package worker

import (
	"errors"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/pprof/profile"

	"github.com/fullspate/spate/engine/control"
	"github.com/fullspate/spate/wire/slab"
)

// TestProfilesOfTheMoment can be read, and what there is not is told.
func TestProfilesOfTheMoment(t *testing.T) {
	for _, kind := range []string{"heap", "allocs", "goroutine"} {
		data, err := takeProfile(kind, 0, nil)
		if err != nil {
			t.Fatal(err)
		}
		if p, err := profile.ParseData(data); err != nil || len(p.SampleType) == 0 {
			t.Errorf("%s: %v", kind, err)
		}
	}
	for kind, d := range map[string]time.Duration{"cpu": 0, "heap": -1, "dance": 0, "goroutine": time.Hour} {
		if _, err := takeProfile(kind, d, nil); err == nil {
			t.Errorf("%s of %v: no error", kind, d)
		}
	}
}

// TestProfileOfAllocations counts what was allocated meanwhile, and nothing before.
func TestProfileOfAllocations(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		begun := time.Now()
		data, err := takeProfile("allocs", time.Minute, nil)
		if err != nil {
			t.Fatal(err)
		}
		p, err := profile.ParseData(data)
		if err != nil {
			t.Fatal(err)
		}
		if p.DurationNanos != int64(time.Minute) || time.Since(begun) != time.Minute {
			t.Errorf("a profile of %v in %v", time.Duration(p.DurationNanos), time.Since(begun))
		}
		for _, s := range p.Sample {
			for _, v := range s.Value[:2] { // objects and bytes; what is in use may have become less
				if v < 0 {
					t.Errorf("%d allocated within a minute", v)
				}
			}
		}
	})
}

// TestProfilesEndWithTheWorker: nobody waits for minutes for a worker that is told to end.
func TestProfilesEndWithTheWorker(t *testing.T) {
	quit := make(chan struct{})
	close(quit)
	for _, kind := range []string{"cpu", "allocs"} {
		if _, err := takeProfile(kind, profileMax, quit); !errors.Is(err, errShutdown) {
			t.Errorf("%s: %v", kind, err)
		}
	}
}

// TestProfileOfSlabs names owners, and says whose job and operator they are of.
func TestProfileOfSlabs(t *testing.T) {
	pool := slab.New(slab.Config{})
	defer pool.Close()
	w := &Worker{jobs: map[string]*job{
		"j1": {order: &control.Deploy{Job: "j1"}, pool: pool}, "j2": {order: &control.Deploy{Job: "j2"}, closed: true},
	}}
	state, received := pool.Owner("sum/counts"), pool.Owner("received from w2")
	a, err := pool.Get(100, state)
	if err != nil {
		t.Fatal(err)
	}
	b, err := pool.Get(100, received)
	if err != nil {
		t.Fatal(err)
	}
	data, err := encode(w.slabProfile(time.Now()))
	if err != nil {
		t.Fatal(err)
	}
	p, err := profile.ParseData(data)
	if err != nil {
		t.Fatal(err)
	}
	bytes := map[string]int64{}
	for _, s := range p.Sample {
		bytes[s.Location[0].Line[0].Function.Name] += s.Value[0]
		if s.Label["job"][0] != "j1" || len(s.Label["operator"]) > 0 && s.Label["operator"][0] != "sum" {
			t.Errorf("labels %v", s.Label)
		}
	}
	if bytes["sum/counts"] == 0 || bytes["received from w2"] == 0 {
		t.Errorf("bytes %v", bytes)
	}
	pool.Put(a)
	pool.Put(b)
}
