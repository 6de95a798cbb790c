package worker

import (
	"bytes"
	"errors"
	"fmt"
	"runtime"
	"runtime/pprof"
	"strings"
	"time"

	"github.com/google/pprof/profile"

	"github.com/fullspate/spate/engine/control"
)

// profileMax bounds how long a profile may take.
const profileMax = 10 * time.Minute

// profile takes a profile of the process on a goroutine of its own, and answers from the desk. One of slabs is taken here and
// now, since the desk knows whose they are.
func (w *Worker) profile(m *control.Profile) {
	take := func() ([]byte, error) { return takeProfile(m.Kind, m.For, w.quit) }
	if m.Kind == "slabs" {
		p := w.slabProfile(time.Now())
		take = func() ([]byte, error) { return encode(p) }
	}
	w.tasks.Go(func() {
		answer := &control.Profiled{Request: m.Request}
		data, err := take()
		if answer.Data = data; err != nil {
			answer.Error = err.Error()
		}
		w.post(func() { w.tell(answer) })
	})
}

// takeProfile takes one of the runtime's profiles, or gives up when quit is closed: of d for cpu, of what was allocated during
// d for allocs, and of the moment for all else.
func takeProfile(kind string, d time.Duration, quit <-chan struct{}) ([]byte, error) {
	if d < 0 || d > profileMax || kind == "cpu" && d == 0 {
		return nil, fmt.Errorf("a %s profile of %v, want more than 0 and at most %v", kind, d, profileMax)
	}
	switch kind {
	case "cpu":
		var b bytes.Buffer
		if err := pprof.StartCPUProfile(&b); err != nil {
			return nil, err
		}
		err := pause(d, quit)
		pprof.StopCPUProfile()
		return b.Bytes(), err
	case "allocs":
		return allocated(d, quit)
	}
	return lookup(kind)
}

// lookup is a profile of the moment.
func lookup(kind string) ([]byte, error) {
	p := pprof.Lookup(kind)
	if p == nil {
		return nil, fmt.Errorf("there is no profile %q, want cpu, heap, allocs, goroutine or slabs", kind)
	}
	if kind == "heap" || kind == "allocs" {
		runtime.GC() // a profile shows what was there at the last collection
	}
	var b bytes.Buffer
	err := p.WriteTo(&b, 0)
	return b.Bytes(), err
}

// allocated is what was allocated during d; since the process has started if d is 0.
func allocated(d time.Duration, quit <-chan struct{}) ([]byte, error) {
	before, err := lookup("allocs")
	if err != nil || d == 0 {
		return before, err
	}
	if err := pause(d, quit); err != nil {
		return nil, err
	}
	after, err := lookup("allocs")
	if err != nil {
		return nil, err
	}
	a, errA := profile.ParseData(before)
	b, errB := profile.ParseData(after)
	if err := errors.Join(errA, errB); err != nil {
		return nil, err
	}
	a.Scale(-1)
	delta, err := profile.Merge([]*profile.Profile{a, b})
	if err != nil {
		return nil, err
	}
	delta.TimeNanos, delta.DurationNanos = b.TimeNanos, int64(d)
	return encode(delta)
}

// pause waits, unless the worker ends.
func pause(d time.Duration, quit <-chan struct{}) error {
	select {
	case <-time.After(d):
		return nil
	case <-quit:
		return errShutdown
	}
}

func encode(p *profile.Profile) ([]byte, error) {
	var b bytes.Buffer
	err := p.Write(&b)
	return b.Bytes(), err
}

// slabProfile shows the memory outside the Go heap, which the runtime knows nothing of: each owner is a function that holds
// its bytes, labelled by job, and by operator where it belongs to one.
func (w *Worker) slabProfile(now time.Time) *profile.Profile {
	p := &profile.Profile{SampleType: []*profile.ValueType{{Type: "slabs", Unit: "bytes"}}, TimeNanos: now.UnixNano()}
	places := map[string]*profile.Location{}
	for id, j := range w.jobs {
		if j.closed {
			continue
		}
		for _, o := range j.pool.Stats().Owners {
			at := places[o.Name]
			if at == nil {
				n := uint64(len(places)) + 1
				fn := &profile.Function{ID: n, Name: o.Name}
				at = &profile.Location{ID: n, Line: []profile.Line{{Function: fn}}}
				places[o.Name] = at
				p.Function, p.Location = append(p.Function, fn), append(p.Location, at)
			}
			label := map[string][]string{"job": {id}}
			if i := strings.IndexAny(o.Name, "/."); i > 0 { // operator/table or operator.output
				label["operator"] = []string{o.Name[:i]}
			}
			p.Sample = append(p.Sample, &profile.Sample{Location: []*profile.Location{at}, Value: []int64{o.InUse}, Label: label})
		}
	}
	return p
}
