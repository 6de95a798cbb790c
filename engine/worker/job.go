package worker

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/fullspate/spate/engine"
	"github.com/fullspate/spate/engine/control"
	"github.com/fullspate/spate/engine/deploy"
	"github.com/fullspate/spate/engine/graph"
	"github.com/fullspate/spate/engine/loop"
	"github.com/fullspate/spate/engine/rewire"
	"github.com/fullspate/spate/engine/task"
	"github.com/fullspate/spate/wire/slab"
)

// job is this worker's part of a job. The desk owns it, but for its lanes.
type job struct {
	w     *Worker
	name  string // the job's id
	order *control.Deploy
	epoch atomic.Uint64          // of the order, for those who dial
	self  int                    // index in order.Workers
	own   map[rewire.Place]*lane // tasks that are here
	// who keeps the checkpoints of each task, by the newest order
	backups atomic.Pointer[rewire.Backups]
	env     *engine.Env
	pool    *slab.Pool
	dep     *deploy.Deployment
	lanes   []*lane // by the worker's loops; nil where the job has no task
	phase   control.Phase
	begin   time.Time // when the job's clock is 0
	going   int       // lanes that have not ended
	closed  bool      // it is off the reactors

	ending    bool // it was told to end
	cancelled bool // without its pending timers
	recovering
	dials  sync.WaitGroup
	ctx    context.Context // done when no connection is wanted any more
	cancel context.CancelFunc
	ended  *control.Ended
	watch  chan struct{} // closed to end the watcher
	joined sync.WaitGroup
}

// newJob makes the part of a job that a Deploy asks for.
func (w *Worker) newJob(order *control.Deploy) (*job, error) {
	j := &job{w: w, name: order.Job, order: order, self: -1, env: new(engine.Env), phase: control.PhaseDeployed, own: map[rewire.Place]*lane{}}
	j.epoch.Store(order.Epoch)
	j.ctx, j.cancel = context.WithCancel(context.Background())
	for i, h := range order.Workers {
		if h.Worker == w.id && h.Incarnation == w.incarnation {
			j.self = i
		}
	}
	if j.self < 0 {
		return nil, fmt.Errorf("job %s is for %v, this is %s, incarnation %x", order.Job, order.Workers, w.id, w.incarnation)
	}
	plan, err := j.plan()
	if err != nil {
		return nil, err
	}
	cfg := configOf(order.Spec.Config)
	j.pool = slab.New(slab.Config{Budget: j.budget(), HugePages: true, Prefault: true})
	j.makeLanes()
	if !order.Recovers { // else whatever is to be here is brought back from checkpoints
		for _, t := range rewire.Places(order) {
			if s := j.slot(t.Unit, t.Index); s.Worker == j.self {
				j.own[t] = j.lanes[s.Loop]
			}
		}
	}
	j.dep, err = deploy.New(plan, deploy.Config{
		Pool: j.pool, Clock: task.Clock{Pace: cfg.Pace}, LogBytes: cfg.LogBytes, StepBytes: cfg.StepBytes, FrameBytes: cfg.FrameBytes,
		TrimOnAck: !j.durable(), Local: func(unit, index int) bool { return j.own[rewire.Place{Unit: unit, Index: index}] != nil },
		Shape: rewire.Shape(order), MuteLogBytes: max(muteLogBytes, cfg.LogBytes),
		Out: j.send, In: j.receive,
	})
	if err != nil {
		return nil, errors.Join(err, j.pool.Close())
	}
	if err := j.fillLanes(); err != nil {
		return nil, errors.Join(err, j.release())
	}
	return j, nil
}

// configOf is what a job's configuration means here: the same as in an embedded run.
func configOf(c control.JobConfig) engine.Config {
	return engine.Config{
		Pace: c.Pace, Recovery: recoveryOf(c), LogBytes: c.LogBytes, StepBytes: c.StepBytes, FrameBytes: c.FrameBytes, NoFuse: c.NoFuse, Window: c.Window,
	}.WithDefaults()
}

// plan builds the graph and plans it as every other process does.
func (j *job) plan() (*graph.Plan, error) {
	spec := &j.order.Spec
	p, ok := j.w.programs[spec.Program]
	if !ok {
		return nil, fmt.Errorf("there is no program %q in this binary (there are %v)", spec.Program, j.w.cfg.Build.Programs)
	}
	g, err := p.Build(j.env, spec.Params)
	if err != nil {
		return nil, fmt.Errorf("program %q: %w", p.Name, err)
	}
	if err := g.Validate(); err != nil {
		return nil, fmt.Errorf("program %q: %w", p.Name, err)
	}
	if got := g.Fingerprint(); got != spec.Fingerprint {
		return nil, fmt.Errorf("program %q yields the graph %016x here, %016x at the coordinator: the binaries differ, or Build depends on more than its parameters",
			p.Name, got, spec.Fingerprint)
	}
	plan, err := graph.NewPlan(g.Untyped(), graph.PlanConfig{Parallelism: spec.Parallelism, Default: spec.Default, NoFuse: spec.Config.NoFuse})
	if err != nil {
		return nil, err
	}
	return plan, j.checkPlace(plan)
}

// checkPlace sees to it that every task has a place, and that those of this worker are on loops that it has.
func (j *job) checkPlace(plan *graph.Plan) error {
	o := j.order
	if len(o.Place) != len(plan.Units) {
		return fmt.Errorf("job %s places %d units, the plan has %d", o.Job, len(o.Place), len(plan.Units))
	}
	for u, slots := range o.Place {
		if len(slots) < plan.Units[u].Tasks {
			return fmt.Errorf("job %s places %d tasks of unit %d, the plan has %d", o.Job, len(slots), u, plan.Units[u].Tasks)
		}
		if u >= len(o.Ranges) || len(o.Ranges[u]) != len(slots) {
			return fmt.Errorf("job %s has other tasks of unit %d than ranges for them: each is to have one", o.Job, u)
		}
		for _, s := range slots {
			if s == control.Nowhere {
				continue
			}
			if s < 0 || s >= len(o.Slots) || o.Slots[s].Worker < 0 || o.Slots[s].Worker >= len(o.Workers) {
				return fmt.Errorf("job %s places a task of unit %d in slot %d, which there is not", o.Job, u, s)
			}
			if at := o.Slots[s]; at.Worker == j.self && (at.Loop < 0 || at.Loop >= len(j.w.reactors)) {
				return fmt.Errorf("job %s places a task on loop %d, this worker has %d", o.Job, at.Loop, len(j.w.reactors))
			}
		}
	}
	return nil
}

// budget is the slab memory that the job may use here: the least of what the job and the worker say, 0 for no bound.
func (j *job) budget() int64 {
	a, b := j.order.Spec.Config.Memory, j.w.cfg.Memory
	if a == 0 || b == 0 {
		return max(a, b)
	}
	return min(a, b)
}

func (j *job) slot(unit, index int) control.Slot { return j.order.Slots[j.order.Place[unit][index]] }

// makeLanes makes a lane for each loop that has a task of the job, or may be given one when others are lost.
func (j *job) makeLanes() {
	j.lanes = make([]*lane, len(j.w.reactors))
	for loop, r := range j.w.reactors {
		if j.durable() || j.has(loop) {
			j.lanes[loop] = &lane{job: j, index: loop, reactor: r, links: map[far]*peer{}}
			j.going++
		}
	}
}

// has says whether a loop of this worker is to have a task.
func (j *job) has(loop int) bool {
	return slices.ContainsFunc(rewire.Places(j.order), func(t rewire.Place) bool {
		return j.slot(t.Unit, t.Index) == control.Slot{Worker: j.self, Loop: loop}
	})
}

// fillLanes gives each lane its tasks.
func (j *job) fillLanes() error {
	sets := make([][]*task.Task, len(j.lanes))
	j.dep.Tasks(func(t *deploy.Task) {
		s := j.slot(t.Unit, t.Index)
		sets[s.Loop] = append(sets[s.Loop], t.Task)
	})
	for i, l := range j.lanes {
		if l != nil {
			l.loop = loop.New(sets[i], loop.TurnBudget, j.order.Spec.Config.Labels)
			l.publish()
		}
	}
	if err := j.keepCheckpoints(); err != nil {
		return err
	}
	for _, u := range j.dep.Plan.Units {
		if r := u.Host().Reading; r != nil && r.OnWake != nil {
			r.OnWake(func() { j.wake(nil) })
		}
	}
	return nil
}

// wake steps all lanes but one, soon.
func (j *job) wake(but *lane) {
	for _, l := range j.lanes {
		if l != nil && l != but {
			l.reactor.Wake()
		}
	}
}

// each runs fn for every lane, on its reactor, and waits.
func (j *job) each(fn func(*lane)) {
	var wg sync.WaitGroup
	for _, l := range j.lanes {
		if l == nil {
			continue
		}
		wg.Add(1)
		if !l.reactor.Do(func() { defer wg.Done(); fn(l) }) {
			wg.Done()
		}
	}
	wg.Wait()
}

// start lets the job run from a moment on.
func (j *job) start(at time.Time) {
	j.begin = time.Now().Add(time.Until(at)) // with a monotonic reading
	j.phase = control.PhaseRunning
	watch := make(chan struct{})
	j.watch = watch
	j.joined.Go(func() { j.watching(watch) })
	j.each(func(l *lane) { l.begin() })
}

// watching looks at the job now and then for its program, until over is closed.
func (j *job) watching(over <-chan struct{}) {
	ticker := time.NewTicker(engine.WatchEvery)
	defer ticker.Stop()
	for {
		select {
		case <-over:
			return
		case <-ticker.C:
			j.env.Observe(j.stats())
		}
	}
}

// end ends the job early, in good order.
func (j *job) end(how control.How) {
	j.ending, j.cancelled = true, j.cancelled || how == control.Cancel
	j.each(func(l *lane) {
		l.loop.Each(func(t *task.Task) {
			t.StopReading()
			if how == control.Cancel {
				t.Cancel()
			}
		})
		if how == control.Cancel && l.taker != nil {
			l.taker.Stop()
		}
		l.reactor.Wake()
	})
}

// finish takes what the job has to tell after all lanes have come to their end. Its connections stay until it is released.
func (j *job) finish() {
	j.stopWatching()
	e := &control.Ended{Job: j.order.Job, Epoch: j.order.Epoch, Stats: j.stats(), Links: j.links(), Cancelled: j.cancelled}
	j.env.Observe(e.Stats)
	j.phase, j.ended = control.PhaseEnded, e
	j.takeResults()
}

// takeResults puts what the tasks here have come to into what is told of the end.
func (j *job) takeResults() {
	results, err := j.env.Results()
	for i := range results {
		results[i].Worker = j.w.id
	}
	if j.ended.Results = results; err != nil {
		j.ended.Results, j.ended.Error = nil, failure(j.w.id, err)
	}
}

// abort ends the job at once, with an error.
func (j *job) abort(fault error) {
	stats, links := j.stats(), j.links()
	j.close()
	if err := j.release(); err != nil {
		j.w.log.Debug("closing an aborted job", "job", j.order.Job, "error", err)
	}
	j.phase = control.PhaseEnded
	j.ended = &control.Ended{Job: j.order.Job, Epoch: j.order.Epoch, Stats: stats, Links: links, Error: failure(j.w.id, fault), Cancelled: true}
}

func (j *job) stopWatching() {
	if j.watch != nil {
		close(j.watch)
		j.watch = nil
	}
	j.joined.Wait()
}

// close takes the job off the reactors: when it returns nothing of it runs any more, and no connection is open.
func (j *job) close() {
	j.closed = true
	j.cancel()
	j.stopWatching()
	j.each(func(l *lane) { l.end() })
	j.dials.Wait()
	j.each(func(l *lane) { l.end() }) // what was dialled meanwhile
	j.work.Wait()
	j.w.vault.Close(j.order.Job)
}

// release gives back tasks, logs and memory.
func (j *job) release() error {
	err := j.dep.Close()
	for _, l := range j.lanes {
		if l != nil {
			err = errors.Join(err, l.release())
		}
	}
	return errors.Join(err, j.pool.Close())
}

// stats are the counters of this part of the job.
func (j *job) stats() engine.Stats {
	s := engine.Stats{Slabs: j.pool.Stats(), Processes: []engine.ProcessStats{engine.ThisProcess()}}
	if !j.begin.IsZero() {
		s.Elapsed = time.Since(j.begin)
	}
	s.SlabBytesMax = s.Slabs.Peak
	s.Processes[0].Worker = j.w.id
	for _, l := range j.lanes {
		if l != nil {
			s.Tasks = engine.AppendTasks(s.Tasks, j.w.id, l.index, l.loop, s.Elapsed)
			s.Links.Add(l.counted())
			s.Checkpoints.Add(l.checkpoints())
		}
	}
	return s
}

// links are the counters of the connections to each other worker.
func (j *job) links() []control.LinkReport {
	all := make([]control.LinkReport, len(j.order.Workers))
	for _, l := range j.lanes {
		if l != nil {
			l.countPeers(all)
		}
	}
	var list []control.LinkReport
	for i, r := range all {
		if i != j.self {
			r.Peer = j.order.Workers[i].Worker
			list = append(list, r)
		}
	}
	return list
}

// failure describes what a part of a job failed with.
func failure(worker string, err error) *control.Failure {
	f := &control.Failure{Worker: worker, Message: err.Error()}
	var e *task.Error
	if errors.As(err, &e) {
		f.Operator, f.Sender, f.Task, f.Time, f.Key, f.Stack = e.Operator, e.Sender, e.Task, e.Time, e.Key, string(e.Stack)
	}
	return f
}
