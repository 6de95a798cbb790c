package enginetest

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"strconv"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/fullspate/spate/engine/sim"
	"github.com/fullspate/spate/wire/slab"
)

// Config says what a check tries.
type Config struct {
	Schedules int         // how many; 0 for 100; a tenth of them under the race detector. Seeds are Sim.Seed, Sim.Seed+1, …
	Want      sim.Results // what the sinks must be given; nil for what Reference gives
	Sim       sim.Config  // for every schedule
}

// Schedules is a Config for n schedules.
func Schedules(n int) Config { return Config{Schedules: n} }

// Seed is the environment variable that picks one schedule.
const Seed = "SPATE_SEED"

// Check runs the graph that build makes by many schedules and reports every one whose results differ, with the command
// that runs it alone. build is called by several goroutines and must give a new graph each time, over the same input. It
// returns what the sinks must be given.
func Check(t testing.TB, build sim.Build, cfg Config) sim.Results {
	t.Helper()
	out, err := Try(build, cfg)
	var f *Failure
	for _, e := range unjoin(err) {
		if errors.As(e, &f) {
			t.Errorf("%v\nto run this schedule alone:\n\t%s=%d go test -run '^%s$' %s", e, Seed, f.Seed, t.Name(), here())
		} else {
			t.Error(e)
		}
	}
	t.Logf("%d schedules: %d turns, %d checkpoints (%d incremental, %d asked for by logs), %d tasks lost, %d operator objects forgotten",
		out.Schedules, out.Sum.Turns, out.Sum.Checkpoints, out.Sum.Deltas, out.Sum.Asked, out.Sum.Restores, out.Sum.Amnesias)
	return out.Want
}

// Outcome is what a check came to.
type Outcome struct {
	Want      sim.Results
	Schedules int
	Lost      int        // schedules that ended with an error that says what is lost, as they had to
	Sum       sim.Report // counters of all schedules together
}

// Failure is a schedule that failed or gave other results.
type Failure struct {
	Seed uint64
	Err  error
}

// Error says what was wrong.
func (f *Failure) Error() string { return f.Err.Error() }

// Unwrap returns what was wrong.
func (f *Failure) Unwrap() error { return f.Err }

// failuresMax is how many failing schedules a check reports before it gives up.
const failuresMax = 3

// Try is Check without a test: it returns what went wrong, failing schedules as *Failure.
func Try(build sim.Build, cfg Config) (Outcome, error) {
	out := Outcome{Want: cfg.Want, Schedules: cfg.Schedules}
	if out.Schedules <= 0 {
		out.Schedules = 100
	}
	out.Schedules = (out.Schedules + raceShare - 1) / raceShare
	if s := os.Getenv(Seed); s != "" {
		seed, err := strconv.ParseUint(s, 10, 64)
		if err != nil {
			return out, fmt.Errorf("%s is %q, want a number: %w", Seed, s, err)
		}
		cfg.Sim.Seed, out.Schedules = seed, 1
	}
	if out.Want == nil {
		rep, err := sim.Reference(build, cfg.Sim)
		if err != nil {
			return out, fmt.Errorf("reference run: %w", err)
		}
		out.Want = rep.Results
	}
	r := runner{build: build, cfg: cfg, out: &out}
	var wg sync.WaitGroup
	for range min(runtime.GOMAXPROCS(0), out.Schedules) {
		wg.Go(r.work)
	}
	wg.Wait()
	return out, errors.Join(r.failures...)
}

// runner shares schedules among goroutines.
type runner struct {
	build sim.Build
	cfg   Config
	next  atomic.Int64

	mu       sync.Mutex
	out      *Outcome // guarded by mu, but for Want and Schedules, which do not change
	failures []error  // guarded by mu
}

func (r *runner) work() {
	pool := slab.New(slab.Config{})
	for {
		i := r.next.Add(1) - 1
		if i >= int64(r.out.Schedules) || r.failed() >= failuresMax {
			break
		}
		cfg := r.cfg.Sim
		cfg.Seed += uint64(i)
		cfg.Pool = pool
		rep, err := sim.Run(r.build, cfg)
		if err == nil && rep.Outcome == sim.Complete {
			if diff := rep.Results.Diff(r.out.Want); diff != "" {
				err = fmt.Errorf("seed %d (%s): %s", cfg.Seed, rep.Nature, diff)
			}
		}
		r.note(rep, cfg.Seed, err)
		if err != nil {
			_ = pool.Close() // a run that failed may have left slabs behind
			pool = slab.New(slab.Config{})
		}
	}
	if err := pool.Close(); err != nil {
		r.note(sim.Report{}, 0, err)
	}
}

func (r *runner) failed() int {
	r.mu.Lock()
	defer r.mu.Unlock()
	return len(r.failures)
}

func (r *runner) note(rep sim.Report, seed uint64, err error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	s := &r.out.Sum
	s.Steps, s.Turns, s.Asked = s.Steps+rep.Steps, s.Turns+rep.Turns, s.Asked+rep.Asked
	s.Checkpoints, s.Deltas = s.Checkpoints+rep.Checkpoints, s.Deltas+rep.Deltas
	s.Restores, s.Amnesias = s.Restores+rep.Restores, s.Amnesias+rep.Amnesias
	s.Cuts, s.Deaths, s.Zombies = s.Cuts+rep.Cuts, s.Deaths+rep.Deaths, s.Zombies+rep.Zombies
	s.Damages, s.Passed, s.Late = s.Damages+rep.Damages, s.Passed+rep.Passed, s.Late+rep.Late
	s.Census.Add(&rep.Census)
	if rep.Outcome == sim.Lost {
		r.out.Lost++
	}
	if err != nil {
		r.failures = append(r.failures, &Failure{seed, err})
	}
}

func unjoin(err error) []error {
	if j, ok := err.(interface{ Unwrap() []error }); ok {
		return j.Unwrap()
	}
	if err == nil {
		return nil
	}
	return []error{err}
}

// here is the package under test as an argument of the go command in the module's root.
func here() string {
	dir, err := os.Getwd()
	if err != nil {
		return "."
	}
	for root := dir; root != filepath.Dir(root); root = filepath.Dir(root) {
		if _, err := os.Stat(filepath.Join(root, "go.mod")); err == nil {
			if rel, err := filepath.Rel(root, dir); err == nil {
				return "./" + filepath.ToSlash(rel)
			}
		}
	}
	return "."
}
