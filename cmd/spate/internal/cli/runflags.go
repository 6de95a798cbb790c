package cli

import (
	"errors"
	"fmt"
	"math"
	"runtime"
	"sync/atomic"
	"time"

	"github.com/fullspate/spate/bench/measure"
	"github.com/fullspate/spate/cmd/spate/internal/profile"
	"github.com/fullspate/spate/cmd/spate/internal/progress"
	"github.com/fullspate/spate/engine"
	"github.com/fullspate/spate/wire/slab"
)

// loopsMax bounds --loops as the engine does.
const loopsMax = 256

// engineFlags say how a query runs.
type engineFlags struct {
	Loops       *int           `placeholder:"N" help:"Event loops, one goroutine each (default: one per core, ${cores}; of a worker, its share of them)."`
	Parallelism map[string]int `mapsep:"," placeholder:"OP=N,…" help:"Tasks of operators, such as calculator=4,assessment=2."`
	Pace        float64        `placeholder:"X" help:"Seconds of input per second: 1 is real time (default: as fast as possible)."`
	whereFlags
}

// check is called by the Validate of the command that has the flags.
func (f *engineFlags) check() error {
	faults := []error{f.whereFlags.check()}
	if f.Loops != nil {
		faults = append(faults, within("--loops", *f.Loops, 1, loopsMax))
	}
	for id, n := range f.Parallelism {
		faults = append(faults, atLeast("--parallelism "+id, n, 1))
	}
	if !(f.Pace >= 0) || math.IsInf(f.Pace, 0) {
		faults = append(faults, fmt.Errorf("--pace is %v, want 0 (as fast as possible) or more", f.Pace))
	}
	return errors.Join(faults...)
}

// profileFlags say how a run is looked into.
type profileFlags struct {
	Pprof      string `placeholder:"ADDR" group:"Profiles" help:"Serve profiles over HTTP while the run lasts, such as on localhost:6060; /debug/pprof/slabs is the memory outside the Go heap."`
	CPUProfile string `name:"cpuprofile" placeholder:"FILE" group:"Profiles" help:"Write a CPU profile."`
	MemProfile string `name:"memprofile" placeholder:"FILE" group:"Profiles" help:"Write a profile of the Go heap's allocations."`
	Trace      string `placeholder:"FILE" group:"Profiles" help:"Write the last seconds of the execution trace at the end, and to FILE.stall-1 and on whenever the run stands still."`
}

// stallAfter is how long a run at full speed may stand still: a hundred times what a busy machine makes it wait.
const stallAfter = 2 * time.Second

// observer shows one command's runs: progress on the terminal, and whatever profiles were asked for.
type observer struct {
	session *profile.Session
	bar     *progress.Bar
	moved   atomic.Uint64
	slabs   atomic.Pointer[slab.Stats]
}

// barSteps is the resolution of a progress bar: finer than any terminal.
const barSteps = 10_000

// observe begins to look at a command's runs. The caller calls stop when they are over.
func (f *profileFlags) observe(out *output, what string, pace float64) (*observer, error) {
	session, err := profile.Start(profile.Config{
		PprofAddr: f.Pprof, CPUFile: f.CPUProfile, MemFile: f.MemProfile, TraceFile: f.Trace, Logger: out.logger(),
	})
	if err != nil {
		return nil, err
	}
	o := &observer{session: session, bar: out.progress(what, barSteps)}
	stall := stallAfter
	if pace > 0 && pace < 1 {
		stall = time.Duration(float64(stall) / pace)
	}
	session.Watch(profile.Subject{Progress: o.moved.Load, Slabs: o.owners, Stall: stall})
	return o, nil
}

// progress takes the progress of runs.
func (o *observer) progress(p measure.Progress) {
	o.moved.Store(p.Moved)
	o.slabs.Store(&p.Slabs)
	o.bar.Set(int64(p.Fraction * barSteps))
}

// owners returns who holds memory outside the Go heap.
func (o *observer) owners() []profile.Owner {
	slabs := o.slabs.Load()
	if slabs == nil {
		return nil
	}
	var owners []profile.Owner
	for _, s := range slabs.Owners {
		owners = append(owners, profile.Owner{Name: s.Name, Bytes: s.InUse})
	}
	return owners
}

// stop ends the looking, writes the profiles, and returns err or the fault that it met.
func (o *observer) stop(err error) error {
	o.bar.Stop()
	return errors.Join(err, o.session.Stop())
}

// loops is how many loops there are, in this process or in each worker that is started; 0 in a cluster that runs already.
func (f *engineFlags) loops() int {
	switch cores := min(runtime.GOMAXPROCS(0), loopsMax); {
	case f.Join != "":
		return 0
	case f.Loops != nil:
		return *f.Loops
	case f.Workers > 0:
		return max(1, cores/f.Workers)
	default:
		return cores
	}
}

// checkProfiles refuses to look into this process where others do the work.
func (f *engineFlags) checkProfiles(p *profileFlags) error {
	if f.Workers == 0 && f.Join == "" {
		return nil
	}
	for flag, value := range map[string]string{"--pprof": p.Pprof, "--cpuprofile": p.CPUProfile, "--memprofile": p.MemProfile, "--trace": p.Trace} {
		if value != "" {
			return fmt.Errorf("%s looks into this process, but workers do the work: want spate profile, which looks into them", flag)
		}
	}
	return nil
}

// config returns what the flags say to the engine.
func (f *engineFlags) config(p *profileFlags, memory byteSize) engine.Config {
	c := engine.Config{Loops: f.loops(), Parallelism: f.Parallelism, Pace: f.Pace, Memory: int64(memory),
		ProfileLabels: p.Pprof != "" || p.CPUProfile != ""}
	if f.recovers() {
		c.Recovery, c.Replicas = engine.StateManagement, f.Replicas
	}
	return c
}
