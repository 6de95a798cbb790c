package network

import (
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"github.com/fullspate/spate/bench/measure"
	"github.com/fullspate/spate/engine"
	"github.com/fullspate/spate/wire"
)

// Params are the parameters of a benchmark's program: all that a process must know to run a part of it.
type Params struct {
	Input Input   `json:"input"`
	Warm  int     `json:"warm"` // seconds of input at the beginning that are not measured
	Pace  float64 `json:"pace"` // of the job; 0: nothing is timed
}

// check reports every problem at once.
func (p Params) check() error {
	errs := []error{p.Input.check()}
	if p.Warm < 0 || p.Warm > 0 && p.Warm >= p.Input.Seconds {
		errs = append(errs, fmt.Errorf("a warm-up of %d seconds, want 0 or more and less than the %d seconds of input", p.Warm, p.Input.Seconds))
	}
	if !(p.Pace >= 0) {
		errs = append(errs, fmt.Errorf("a pace of %v, want 0 (as fast as possible) or more", p.Pace))
	}
	return errors.Join(errs...)
}

// Programs returns the queries, and the bare sender that runs beside hop. Parameters are a Params, and a BareParams.
func Programs() []engine.Program {
	return []engine.Program{program(Hop), program(Keyed), program(Hops), bareProgram()}
}

// program is a benchmark's query. What it tells is a result named toldResult.
func program(k Kind) engine.Program {
	name := "network-" + string(k)
	return engine.Program{Name: name, Build: func(env *engine.Env, params json.RawMessage) (*engine.Graph, error) {
		p, err := decode(k, params)
		if err != nil {
			return nil, err
		}
		splits := p.Input.splits(k, p.Warm)
		all := &sinks{
			pace: p.Pace, warm: second(p.Warm), farewell: second(p.Input.Seconds), last: wire.TimerTime(uint64(last(splits))),
		}
		g := engine.NewGraph(name)
		build(g, k, splits, all)
		env.Watch(func(s engine.Stats) { all.links = s.Links })
		env.Result(toldResult, all.tell)
		return g, nil
	}}
}

func decode(k Kind, params json.RawMessage) (Params, error) {
	p, err := measure.Decode[Params](params)
	if err != nil {
		return p, err
	}
	p.Input = p.Input.filled(k)
	return p, p.check()
}

// alone is the source of a benchmark with nothing behind it.
func alone(k Kind) engine.Program {
	name := "network-source"
	return engine.Program{Name: name, Build: func(_ *engine.Env, params json.RawMessage) (*engine.Graph, error) {
		p, err := decode(k, params)
		if err != nil {
			return nil, err
		}
		g := engine.NewGraph(name)
		engine.Stateless(g, "dropped", source(g, p.Input.splits(k, p.Warm)), drop)
		return g, nil
	}}
}

// second is the beginning of a second of input.
func second(n int) wire.Time { return wire.TimerTime(uint64(n) * 1000) }

// toldResult names what a process has to tell of its sinks and connections.
const toldResult = "arrivals"

// told is what one process, or all together, have to tell.
type told struct {
	Tuples   int64              `json:"tuples"` // that arrived, or were counted
	Keys     uint64             `json:"keys"`   // their sum, modulo 2⁶⁴
	Began    time.Duration      `json:"began"`  // when the first after the warm-up was there, on the job's clock; 0: none was
	Ended    time.Duration      `json:"ended"`  // when the last was
	Links    engine.LinkStats   `json:"links"`
	Response *measure.Responses `json:"response,omitempty"` // nil without a pace
}

// tell brings together what the sink tasks of this process have, after they have ended.
func (s *sinks) tell() (any, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	t := told{Links: s.links}
	for _, one := range s.all {
		w := &one.watch
		if err := t.merge(told{Tuples: one.tuples, Keys: one.keys, Began: w.began, Ended: w.ended, Response: w.response}); err != nil {
			return nil, err
		}
	}
	return t, nil
}

// merge adds what others told.
func (t *told) merge(o told) error {
	t.Tuples += o.Tuples
	t.Keys += o.Keys
	if t.Began == 0 || o.Began > 0 && o.Began < t.Began {
		t.Began = o.Began
	}
	t.Ended = max(t.Ended, o.Ended)
	t.Links.Add(o.Links)
	if t.Response == nil {
		t.Response = o.Response
	} else if o.Response != nil {
		t.Response.Merge(o.Response)
	}
	return nil
}
