package checkpoint

import (
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"time"

	"github.com/fullspate/spate/engine/task"
	"github.com/fullspate/spate/ft"
	"github.com/fullspate/spate/state"
	"github.com/fullspate/spate/wire"
)

// Config says how checkpoints are taken. Keep must be set.
type Config struct {
	Schedule ft.ScheduleConfig
	// Slice is about how long a turn may be held up for copying state; 0 for 100 µs.
	Slice time.Duration
	// Pause lies between two slices at least, so that copying takes no more than its share of the loop; 0 for 400 µs.
	Pause time.Duration
	// Backlog is how many bytes of a table may have been copied and not be encoded yet: the memory that a snapshot takes. 0 for
	// 8 MiB; below 0 nothing is encoded before all is copied.
	Backlog int64
	// EndsAlone says that a task at its end needs no checkpoint any more: the job ends in this process, or goes on from before.
	EndsAlone bool
	// Keep makes a checkpoint durable and then, on any goroutine, calls done. It may block. A *ft.ChainError is answered
	// with a checkpoint that is complete by itself.
	Keep func(c Kept, done func(error))
	// Go runs what must not hold up the loop; nil for a goroutine.
	Go func(func())
	// Wake is called, on any goroutine, when Step has something to do again.
	Wake func()
	// Clock measures slices; nil for time.Now.
	Clock func() time.Time
	// Logger takes what is worth telling; nil for nothing.
	Logger *slog.Logger
}

// Kept is an encoded checkpoint of a task.
type Kept struct {
	Task                ft.TaskID
	Generation, Follows uint64
	Position            wire.Time
	Encoded             []byte
}

const (
	sliceDefault   = 100 * time.Microsecond
	pauseDefault   = 400 * time.Microsecond
	backlogDefault = 8 << 20
	// outputMuch is what of its output a task may keep without those being asked who consume it: what takes about as long to
	// write as a checkpoint of theirs.
	outputMuch = 4 << 20
	// wholes is for how many checkpoints a task of which most has changed is not looked at for whether that is still so.
	wholes = 15
)

// Stats counts what a Taker has done.
type Stats struct {
	Taken    uint64        // checkpoints that are durable
	Failed   uint64        // that are not
	Bytes    uint64        // of those taken, encoded
	Last     int64         // bytes of the last one
	SliceMax time.Duration // the longest that a turn was held up
}

// Taker takes checkpoints of the tasks of one loop.
type Taker struct {
	cfg   Config
	sched *ft.Schedule
	tasks []*subject
	run   *running // under way, nil for none
	over  bool
	rests bool
	stats Stats

	mu  sync.Mutex
	end *outcome // of what is under way; guarded by mu
}

// subject is a task of which checkpoints are taken.
type subject struct {
	*task.Task
	id      ft.TaskID
	rank    int
	gen     uint64 // last used
	kept    uint64 // generation of the last that was kept, 0 if the next has to be complete by itself
	durable wire.Time
	again   bool // it must be taken although nothing may have changed
	renewed int  // how often what was kept may have been lost
	rebase  bool // the next must be complete by itself, whatever is kept
	base    int  // bytes of the tables in the last that was complete by itself
	whole   int  // so many more are to be that, too
	moving
}

// running is a checkpoint under way.
type running struct {
	index   int
	freeze  *task.Freeze
	kept    Kept
	copied  bool
	next    time.Duration // slice
	renewed int           // the task's, when it began
}

// outcome is what became of it.
type outcome struct {
	bytes  int
	tables int // of these, what is images of tables
	err    error
}

// New makes a taker without tasks.
func New(cfg Config) (*Taker, error) {
	if cfg.Slice == 0 {
		cfg.Slice = sliceDefault
	}
	if cfg.Pause == 0 {
		cfg.Pause = pauseDefault
	}
	if cfg.Backlog == 0 {
		cfg.Backlog = backlogDefault
	}
	if cfg.Clock == nil {
		cfg.Clock = time.Now
	}
	if cfg.Go == nil {
		cfg.Go = func(fn func()) { go fn() }
	}
	if cfg.Wake == nil {
		cfg.Wake = func() {}
	}
	if cfg.Logger == nil {
		cfg.Logger = slog.New(slog.DiscardHandler)
	}
	sched, err := ft.NewSchedule(cfg.Schedule, nil)
	return &Taker{cfg: cfg, sched: sched}, err
}

// Add has checkpoints taken of a task from now on. Of those that are asked for at once the first added is the first taken: so
// sinks are to be added before those that feed them. gen is the last generation that was used of it: 0 for a new task, that of
// its checkpoint for one that was restored.
func (k *Taker) Add(t *task.Task, m ft.Member, gen uint64) error {
	i, err := k.sched.Add(m)
	if err != nil {
		return fmt.Errorf("checkpoints of operator %q: %w", t.Operator(), err)
	}
	s := &subject{Task: t, id: ft.TaskID{Operator: t.Operator(), Range: t.Range}, rank: m.Rank, gen: gen, durable: t.DurableAt()}
	if i < len(k.tasks) {
		k.tasks[i] = s // in the place of one that was removed
		return nil
	}
	k.tasks = append(k.tasks, s)
	return nil
}

// Renew has a complete checkpoint taken soon of every task that match says, since what was kept of it may be lost.
func (k *Taker) Renew(match func(ft.TaskID) bool) {
	for i, s := range k.tasks {
		if !s.left && match(s.id) {
			s.kept, s.again = 0, true
			s.renewed++
			k.sched.Ask(i)
		}
	}
}

// Rest has nothing begun before Resume is called, so that somebody else may freeze the tasks. It says whether he may do so by
// now: as long as a task is being copied he may not.
func (k *Taker) Rest() bool {
	k.rests = true
	return k.run == nil || k.run.copied
}

// Resume ends the rest, in which tasks were frozen for something else than a checkpoint: the next one of each of those is
// complete by itself, since a delta would build upon what no checkpoint has.
func (k *Taker) Resume(frozen func(*task.Task) bool) {
	k.rests = false
	for _, s := range k.tasks {
		s.rebase = s.rebase || !s.left && frozen(s.Task)
	}
}

// Stop ends it: what is under way is given up, and nothing is begun any more. The tasks go on, as without checkpoints: what
// they have consumed is trimmed, since nobody will come back in this run to ask for it.
func (k *Taker) Stop() {
	k.over = true
	if k.run == nil || k.run.copied {
		return
	}
	k.run.freeze.Abort()
	k.run.copied = true
	if k.cfg.Backlog < 0 { // nobody is at it yet
		k.run = nil
	}
}

// Done says that all tasks are at their end, and that this is durable, or that it was stopped, and nothing is under way.
func (k *Taker) Done() bool {
	if k.run != nil {
		return false
	}
	for _, s := range k.tasks {
		if !k.over && !s.left && (s.durable != wire.TimeMax || s.again) {
			return false
		}
	}
	return true
}

// Stats returns the counters.
func (k *Taker) Stats() Stats { return k.stats }

// Step does what there is to do at now, the time since the job began, for about one slice. It says whether something became
// durable, and until when there is nothing to do unless a task moves, a log asks, or Wake is called. An error is a sink's,
// and ends the job.
func (k *Taker) Step(now time.Duration) (worked bool, until time.Duration, err error) {
	worked = k.hear(now)
	if k.run == nil && !k.over && !k.rests {
		if err := k.begin(now); err != nil {
			return worked, task.Never, err
		}
	}
	if k.over {
		return k.letGo() || worked, task.Never, nil
	}
	if k.run == nil && k.rests {
		return worked, task.Never, nil
	}
	if k.run == nil {
		_, ok, due := k.sched.Next(now)
		if ok {
			due = now
		}
		return worked, due, nil
	}
	return worked, k.slice(now), nil
}

// letGo trims what is consumed. It says whether there was anything.
func (k *Taker) letGo() (any bool) {
	for _, s := range k.tasks {
		if p := s.Position(); !s.left && p > s.DurableAt() {
			s.Durable(p)
			any = true
		}
	}
	return any
}

// begin freezes the task whose turn it is, if it is one's.
func (k *Taker) begin(now time.Duration) error {
	for i, s := range k.tasks {
		switch {
		case s.rests() || s.durable == wire.TimeMax:
		case s.Position() == wire.TimeMax && k.cfg.EndsAlone:
			s.durable = wire.TimeMax
			s.Durable(wire.TimeMax)
		case s.Position() == wire.TimeMax:
			k.sched.Ask(i)
		case s.Asked():
			k.ask(i)
		}
	}
	i, ok := k.cut()
	if !ok {
		if i, ok, _ = k.sched.Next(now); !ok {
			return nil
		}
	}
	s := k.tasks[i]
	k.sched.Began(i, now)
	if s.rests() || s.Position() == s.durable && s.gen > 0 && !s.again {
		k.sched.Ended(i, now, nil) // nothing has changed, or nothing that would have to be kept
		return nil
	}
	kind, follows := state.Delta, s.kept
	if s.kept == 0 || s.rebase || s.whole > 0 || s.Position() == wire.TimeMax { // at its end a task has nothing that a delta could be of
		kind, follows = state.Base, 0
	}
	start := k.cfg.Clock()
	f, err := s.Freeze(kind)
	if err != nil {
		return fmt.Errorf("checkpoint of operator %q, task %d: %w", s.Operator(), s.Index, err)
	}
	s.gen++
	s.frozen(s.Position())
	k.run = &running{index: i, freeze: f, next: now, renewed: s.renewed, kept: Kept{Task: s.id, Generation: s.gen, Follows: follows, Position: s.Position()}}
	s.again, s.rebase = false, false
	if k.cfg.Backlog > 0 {
		f.SetBacklog(k.cfg.Backlog)
		k.finish()
	}
	k.held(start)
	return nil
}

// ask has a checkpoint taken of a task, and before it of those nearer to the sinks if it keeps much for them: that would be in
// its checkpoint.
func (k *Taker) ask(i int) {
	k.sched.Ask(i)
	if k.tasks[i].Output() < outputMuch {
		return
	}
	for j, s := range k.tasks {
		if !s.left && s.rank < k.tasks[i].rank {
			k.sched.Ask(j)
		}
	}
}

// slice copies some of what is frozen, and returns when to go on.
func (k *Taker) slice(now time.Duration) (until time.Duration) {
	r := k.run
	switch {
	case r.copied:
		return task.Never
	case now < r.next:
		return r.next
	}
	start := k.cfg.Clock()
	r.copied = r.freeze.Step(k.cfg.Slice, k.cfg.Clock)
	k.held(start)
	if !r.copied {
		r.next = now + k.cfg.Pause
		return r.next
	}
	if k.cfg.Backlog < 0 {
		k.finish()
	}
	return task.Never
}

// held accounts for how long a turn was held up.
func (k *Taker) held(since time.Time) {
	k.stats.SliceMax = max(k.stats.SliceMax, k.cfg.Clock().Sub(since))
}

// finish has what is frozen encoded and kept, beside the loop.
func (k *Taker) finish() {
	r := k.run
	k.cfg.Go(func() {
		c, err := r.freeze.Finish(state.S2)
		if err != nil {
			k.ended(outcome{err: err})
			return
		}
		kept := r.kept
		c.Generation, c.Follows = kept.Generation, kept.Follows
		kept.Encoded = c.Append(nil)
		tables := 0
		for _, image := range c.Tables {
			tables += len(image)
		}
		k.cfg.Keep(kept, func(err error) { k.ended(outcome{len(kept.Encoded), tables, err}) })
	})
}

// ended takes note of what has become of the checkpoint under way, for the loop to hear.
func (k *Taker) ended(o outcome) {
	k.mu.Lock()
	k.end = &o
	k.mu.Unlock()
	k.cfg.Wake()
}

// errRenewed is why a checkpoint does not count that was kept where it may be lost.
var errRenewed = errors.New("who was to keep it is gone")

// hear tells the task what has become of its checkpoint. It says whether something became durable.
func (k *Taker) hear(now time.Duration) bool {
	k.mu.Lock()
	o := k.end
	k.end = nil
	k.mu.Unlock()
	if o == nil {
		return false
	}
	r := k.run
	k.run = nil
	s := k.tasks[r.index]
	if o.err == nil && s.renewed != r.renewed {
		o.err = errRenewed
	}
	k.sched.Ended(r.index, now, o.err)
	if s.left {
		r.freeze.Abort()
		k.sched.Remove(r.index)
		return false
	}
	if o.err != nil {
		r.freeze.Abort()          // what it would have held is in no later one
		s.kept, s.again = 0, true // though nothing may change any more
		k.stats.Failed++
		k.cfg.Logger.Warn("checkpoint failed", "task", s.id, "generation", r.kept.Generation, "error", o.err)
		return false
	}
	s.kept = r.kept.Generation
	if r.kept.Follows == 0 {
		s.base = o.tables
		s.whole = max(s.whole-1, 0)
	} else if 2*o.tables > s.base { // so much changes that the whole costs hardly more, and need not be folded
		s.whole = wholes
	}
	s.durable = max(s.durable, r.kept.Position)
	s.Durable(s.durable)
	k.stats.Taken++
	k.stats.Bytes += uint64(o.bytes)
	k.stats.Last = int64(o.bytes)
	return true
}
