package coordinator

import (
	"encoding/json"
	"fmt"
	"slices"
	"time"

	"github.com/fullspate/spate/engine"
	"github.com/fullspate/spate/engine/control"
	"github.com/fullspate/spate/wire"
)

// testBuild is the build of coordinator and workers alike.
var testBuild = control.Build{Protocol: 1, Arch: "test", Commit: "c0ffee", Programs: []string{"count", "sums", "broken", "panics"}}

// testPrograms are programs that are built to be looked at; no test runs them.
var testPrograms = []engine.Program{
	{Name: "count", Build: func(_ *engine.Env, params json.RawMessage) (*engine.Graph, error) {
		splits := 4
		if len(params) > 0 {
			if err := json.Unmarshal(params, &splits); err != nil {
				return nil, err
			}
		}
		g := engine.NewGraph("count")
		in := engine.SliceSource(g, "in", make([][]engine.Record[uint64], splits)...)
		engine.Keyed(g, "count", in, func(v *uint64) uint64 { return *v }, func(*engine.Decl) engine.Handler[uint64] {
			return func(*engine.Ctx, *uint64) {}
		})
		return g, nil
	}},
	{Name: "sums", Build: func(*engine.Env, json.RawMessage) (*engine.Graph, error) {
		g := engine.NewGraph("sums")
		in := engine.SliceSource(g, "in", make([][]engine.Record[uint64], 4)...)
		passes := func(d *engine.Decl) engine.Handler[uint64] {
			out := engine.Output[uint64](d, "out")
			return func(c *engine.Ctx, v *uint64) { out.Emit(c, v) }
		}
		pass := engine.Stateless(g, "pass", in, passes)
		count := engine.Keyed(g, "count", engine.From[uint64](pass, "out"), func(v *uint64) uint64 { return *v }, passes)
		engine.SinkFunc(g, "out", engine.From[uint64](count, "out"), func(*engine.Ctx, *uint64) {})
		return g, nil
	}},
	{Name: "broken", Build: func(*engine.Env, json.RawMessage) (*engine.Graph, error) { return engine.NewGraph("empty"), nil }},
	{Name: "panics", Build: func(*engine.Env, json.RawMessage) (*engine.Graph, error) { panic("no graph") }},
}

// fakeWorker keeps to the protocol as a worker does, without running anything. It is passive: what it has to say goes to
// say, and when its parts end is up to who has it.
type fakeWorker struct {
	id          string
	incarnation uint64
	loops       int
	addr        string // for data; empty for one at which nobody is
	epoch       uint64 // the highest seen
	parts       map[string]*fakePart
	say         func(control.Message)
	over        string // why it was to end, or was refused

	refuse func() bool   // whether it is unable to deploy
	slow   func() bool   // whether it takes its time to do what an order wants: see ready
	hinder func() string // why it cannot do its share of a reassignment; empty if it can
	lag    func() bool   // whether its new tasks take their time to catch up
	stale  int           // messages of older coordinators
	seen   func(*fakePart, control.Message)
}

// fakePart is what it has of a job.
type fakePart struct {
	deploy control.Deploy
	phase  control.Phase
	how    control.How
	ended  *control.Ended
	busy   bool // with what the order wants
}

// self is the worker's index in the part's order.
func (p *fakePart) self(w *fakeWorker) int {
	return slices.IndexFunc(p.deploy.Workers, func(h control.Host) bool { return h.Worker == w.id && h.Incarnation == w.incarnation })
}

// heirs says whether the part has new tasks of the reassignment that is under way.
func (p *fakePart) heirs(w *fakeWorker) bool {
	return len(p.deploy.Reassign) > 0 && slices.ContainsFunc(p.deploy.Reassign[0].New, func(i int) bool {
		return p.deploy.Slots[p.deploy.Place[p.deploy.Reassign[0].Unit][i]].Worker == p.self(w)
	})
}

// tasks are those that the part has by its order and that speak, as unit/index.
func (p *fakePart) tasks(w *fakeWorker) (list []string) {
	for u, unit := range p.deploy.Place {
		for i, slot := range unit {
			if slot != control.Nowhere && p.deploy.Slots[slot].Worker == p.self(w) && !isMute(&p.deploy, u, i) {
				list = append(list, fmt.Sprintf("%d/%d", u, i))
			}
		}
	}
	return list
}

func isMute(d *control.Deploy, unit, index int) bool {
	return slices.ContainsFunc(d.Reassign, func(r control.Reassignment) bool { return r.Unit == unit && slices.Contains(r.New, index) })
}

func (w *fakeWorker) register() *control.Register {
	r := &control.Register{
		Worker: w.id, Incarnation: w.incarnation, PID: int(w.incarnation % 1000), Addr: w.addr, Loops: w.loops, Build: testBuild,
	}
	if r.Addr == "" {
		r.Addr = fmt.Sprintf("tcp://127.0.0.1:%d", w.incarnation%60000)
	}
	for _, p := range w.parts {
		r.Jobs = append(r.Jobs, control.JobState{Job: p.deploy.Job, Epoch: p.deploy.Epoch, Phase: p.phase})
	}
	return r
}

// take handles a message of the coordinator.
func (w *fakeWorker) take(m control.Message) {
	if e := control.EpochOf(m); e < w.epoch {
		w.stale++
		return
	} else if e > w.epoch {
		w.epoch = e
	}
	switch m := m.(type) {
	case *control.Registered:
		w.registered(m)
	case *control.Deploy:
		w.deploy(m)
	case *control.Start:
		if p := w.part(m.Job, m.Epoch, m); p != nil && p.phase == control.PhaseDeployed {
			p.phase = control.PhaseRunning
		}
	case *control.End:
		w.endEarly(m)
	case *control.Release:
		if w.part(m.Job, m.Epoch, m) != nil {
			delete(w.parts, m.Job)
		}
	case *control.Shutdown:
		w.over = "shut down: " + m.Reason
	}
}

func (w *fakeWorker) registered(m *control.Registered) {
	if m.Error != "" {
		w.over = m.Error
		return
	}
	w.id = m.Worker
	for _, p := range w.parts {
		switch {
		case p.phase == control.PhaseEnded:
			w.say(p.ended)
		case !p.busy:
			w.catchUp(p)
		}
	}
}

func (w *fakeWorker) deploy(m *control.Deploy) {
	old := w.parts[m.Job]
	switch {
	case old == nil:
		if w.refuse != nil && w.refuse() {
			w.say(&control.Deployed{Job: m.Job, Epoch: m.Epoch, Error: &control.Failure{Message: "no memory"}})
			return
		}
		w.parts[m.Job] = &fakePart{deploy: *m, phase: control.PhaseDeployed, busy: w.slow != nil && w.slow()}
	case old.deploy.Epoch < m.Epoch && m.Recovers:
		w.goOn(old, m)
	}
	if p := w.part(m.Job, m.Epoch, m); p != nil && !p.busy {
		w.ready(p)
	}
}

// goOn takes up an order that carries a part on.
func (w *fakeWorker) goOn(p *fakePart, m *control.Deploy) {
	had := p.tasks(w)
	p.deploy, p.busy = *m, w.slow != nil && w.slow()
	if p.phase != control.PhaseEnded {
		return
	}
	p.busy = false
	if p.ended.Error == nil && len(p.tasks(w)) > len(had) {
		p.phase, p.ended = control.PhaseRunning, nil
		return
	}
	again := *p.ended
	again.Epoch = m.Epoch
	p.ended = &again
}

// ready says that a part is as its order wants it, or that it has ended.
func (w *fakeWorker) ready(p *fakePart) {
	p.busy = false
	if p.phase == control.PhaseEnded {
		w.say(p.ended)
		return
	}
	d := &control.Deployed{Job: p.deploy.Job, Epoch: p.deploy.Epoch}
	for _, r := range p.deploy.Reassign {
		if r.Phase == control.Registering {
			d.Reached = wire.At(1000+w.incarnation%1000, 0, 0)
		}
		if w.hinder != nil {
			if reason := w.hinder(); reason != "" {
				d.Reassignment, d.Error = r.ID, &control.Failure{Message: reason}
			}
		}
	}
	w.say(d)
	if d.Error == nil {
		w.catchUp(p)
	}
}

// catchUp says that the new tasks here have caught up, if they have.
func (w *fakeWorker) catchUp(p *fakePart) {
	if p.heirs(w) && p.deploy.Reassign[0].Phase == control.Restoring && (w.lag == nil || !w.lag()) {
		w.say(&control.CaughtUp{Job: p.deploy.Job, Epoch: p.deploy.Epoch, Reassignment: p.deploy.Reassign[0].ID})
	}
}

func (w *fakeWorker) endEarly(m *control.End) {
	p := w.part(m.Job, m.Epoch, m)
	switch {
	case p == nil || p.phase == control.PhaseEnded:
	case m.How == control.Abort || p.phase == control.PhaseDeployed:
		w.end(p, &control.Ended{Error: &control.Failure{Message: "aborted: " + m.Reason}})
	default:
		p.how = m.How
	}
}

// end ends a part with what is to be told besides its name.
func (w *fakeWorker) end(p *fakePart, e *control.Ended) {
	e.Job, e.Epoch = p.deploy.Job, p.deploy.Epoch
	p.phase, p.ended = control.PhaseEnded, e
	w.say(e)
}

// complete ends a running part as if it had run through, or as it was told to.
func (w *fakeWorker) complete(p *fakePart) {
	w.end(p, &control.Ended{
		Cancelled: p.how == control.Cancel,
		Results:   []engine.Result{{Name: "sum", Data: json.RawMessage(`1`)}},
		Stats:     engine.Stats{Elapsed: time.Second, Tasks: []engine.TaskStats{{Operator: "count", TuplesIn: 1000, Useful: time.Second / 2}}},
	})
}

func (w *fakeWorker) part(job string, epoch uint64, m control.Message) *fakePart {
	p := w.parts[job]
	if p == nil || p.deploy.Epoch != epoch {
		return nil
	}
	if w.seen != nil {
		w.seen(p, m)
	}
	return p
}
