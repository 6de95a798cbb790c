package loop

import (
	"cmp"
	"context"
	"runtime/pprof"
	"slices"
	"strconv"
	"sync"
	"sync/atomic"
	"time"

	"github.com/fullspate/spate/engine/task"
)

// Loop is a set of tasks that take turns.
type Loop struct {
	tasks  []*entry
	budget int
	labels bool // the goroutine carries profiler labels
	left   int  // tasks that are not done
	keeper Keeper

	asleep atomic.Bool
	wake   chan struct{}

	mu        sync.Mutex
	measures  []task.Measure // guarded by mu
	published time.Duration
	changed   bool // since then
}

type entry struct {
	*task.Task
	done   bool
	budget int // of its own, 0 for the loop's
	labels context.Context
}

// Keeper takes checkpoints of a loop's tasks. It is called by the goroutine that steps the loop.
type Keeper interface {
	// Step does what there is to do, for a short while. It says whether something became durable, and until when it need not
	// be called though nothing moves. An error ends the job.
	Step(now time.Duration) (worked bool, until time.Duration, err error)
	// Done says that the ends of all tasks are durable.
	Done() bool
}

// Keep has checkpoints taken between turns. The loop is not done before the keeper is.
func (l *Loop) Keep(k Keeper) { l.keeper = k }

// TurnBudget is how many tuples a task may process in a turn: enough for full frames, few enough for what one task has
// written to be in the cache when the next one reads it.
const TurnBudget = 4096

// New makes a loop of tasks, which take turns in this order: producers before consumers. With labels, the goroutine that
// steps the loop carries profiler labels for operator and task, while it is in a step.
func New(tasks []*task.Task, budget int, labels bool) *Loop {
	l := &Loop{budget: budget, labels: labels, wake: make(chan struct{}, 1)}
	for _, t := range tasks {
		l.Add(t)
	}
	return l
}

// Add gives the loop another task, which takes its turn after the others. It must be called by the goroutine that steps the
// loop.
func (l *Loop) Add(t *task.Task) {
	e := &entry{Task: t}
	if l.labels {
		e.labels = pprof.WithLabels(context.Background(), pprof.Labels("operator", t.Operator(), "task", strconv.Itoa(t.Index)))
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	l.tasks = append(l.tasks, e)
	l.measures = append(l.measures, task.Measure{})
	l.left++
}

// Remove takes a task from the loop. It must be called by the goroutine that steps the loop.
func (l *Loop) Remove(t *task.Task) {
	i := slices.IndexFunc(l.tasks, func(e *entry) bool { return e.Task == t })
	if i < 0 {
		return
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	if !l.tasks[i].done {
		l.left--
	}
	l.tasks = slices.Delete(l.tasks, i, i+1)
	l.measures = slices.Delete(l.measures, i, i+1)
}

// Throttle bounds how many tuples a task may process in a turn, so that the others have theirs sooner; 0 for as many as they. It
// must be called by the goroutine that steps the loop.
func (l *Loop) Throttle(t *task.Task, budget int) {
	for _, e := range l.tasks {
		if e.Task == t {
			e.budget = budget
		}
	}
}

// Turn is what a step of a loop came to.
type Turn struct {
	Worked bool
	Done   bool          // all tasks are done
	Until  time.Duration // when the next step is worth while though nothing arrives; task.Never for none
}

// Step gives each task one turn. now is the time since the run began. An error is a *task.Error and ends the job.
func (l *Loop) Step(now time.Duration, clock func() time.Duration) (Turn, error) {
	turn := Turn{Until: task.Never}
	start := now
	for _, e := range l.tasks {
		if e.done {
			continue
		}
		if e.labels != nil {
			pprof.SetGoroutineLabels(e.labels)
		}
		p, err := e.Run(start, cmp.Or(e.budget, l.budget))
		if err != nil {
			return turn, err
		}
		if p.Worked {
			end := clock()
			e.Worked(end - start)
			start = end
			turn.Worked = true
		}
		turn.Until = min(turn.Until, p.Until)
		if p.Done {
			e.done, turn.Worked = true, true
			l.left--
		}
	}
	if l.labels {
		pprof.SetGoroutineLabels(context.Background()) // what comes now is nobody's in particular: the network, another job
	}
	turn.Done = l.left == 0
	if l.keeper != nil {
		worked, until, err := l.keeper.Step(now)
		if err != nil {
			return turn, err
		}
		turn.Worked, turn.Until = turn.Worked || worked, min(turn.Until, until)
		turn.Done = turn.Done && l.keeper.Done()
	}
	l.changed = l.changed || turn.Worked
	if turn.Done || now-l.published >= measureEvery || now < l.published {
		l.measure(now)
	} else if l.changed { // what others see must not grow old while the loop sleeps
		turn.Until = min(turn.Until, l.published+measureEvery)
	}
	return turn, nil
}

// measureEvery bounds how old the counters are that others see.
const measureEvery = 20 * time.Millisecond

func (l *Loop) measure(now time.Duration) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.published, l.changed = now, false
	for i, e := range l.tasks {
		e.Measure(&l.measures[i])
	}
}

// Measures calls fn with the latest published counters of each task.
func (l *Loop) Measures(fn func(t *task.Task, m task.Measure)) {
	l.mu.Lock()
	defer l.mu.Unlock()
	for i, e := range l.tasks {
		fn(e.Task, l.measures[i])
	}
}

// Wake makes a sleeping loop take a step. It costs one load where the loop is awake.
func (l *Loop) Wake() {
	if l.asleep.Load() {
		select {
		case l.wake <- struct{}{}:
		default:
		}
	}
}

// Each calls fn for every task. It must be called by the goroutine that steps the loop.
func (l *Loop) Each(fn func(*task.Task)) {
	for _, e := range l.tasks {
		fn(e.Task)
	}
}
