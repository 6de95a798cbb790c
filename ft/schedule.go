package ft

import (
	"cmp"
	"errors"
	"fmt"
	"math"
	"time"
)

const (
	// IntervalDefault is what recovery is measured at in the literature: replay is then bounded by 5 s of input.
	IntervalDefault = 5 * time.Second
	// SpreadDefault leaves the last fifth of an interval free, so that what was late does not run into the next round.
	SpreadDefault = 0.8
	// minGapLeast is about what the smallest checkpoint costs from freeze to acknowledgement with a disk in between: asking
	// more often only keeps that busy.
	minGapLeast = 10 * time.Millisecond
	// backOffMax bounds the pause after errors where there is no interval to bound it.
	backOffMax = time.Second
)

// Never is a moment that does not come: nothing will be due without another event.
const Never = time.Duration(math.MaxInt64)

// ScheduleConfig says how often checkpoints are taken. All that have a part in a job are to have the same one.
type ScheduleConfig struct {
	Interval time.Duration // between the checkpoints of one task; 0: only on demand
	Spread   float64       // share of the interval over which the tasks of a job are spread, above 0 to 1; 0: SpreadDefault
	MinGap   time.Duration // between two checkpoints of one task at least, from begin to begin; 0: a 20th of Interval, 10 ms or more
	AtOnce   int           // how many tasks of one schedule may be at it at once; 0: 1
}

// Validate reports every problem of the configuration.
func (c ScheduleConfig) Validate() error {
	var errs []error
	if c.Interval < 0 {
		errs = append(errs, fmt.Errorf("checkpoint interval of %v: want more than 0, or 0 for checkpoints on demand only", c.Interval))
	}
	if !(c.Spread >= 0 && c.Spread <= 1) {
		errs = append(errs, fmt.Errorf("checkpoint spread of %v: want more than 0 up to 1, or 0 for %v", c.Spread, SpreadDefault))
	}
	if c.MinGap < 0 {
		errs = append(errs, fmt.Errorf("least gap between checkpoints of %v: want more than 0, or 0 for a 20th of the interval", c.MinGap))
	}
	if c.AtOnce < 0 {
		errs = append(errs, fmt.Errorf("%d checkpoints at once: want at least 1, or 0 for 1", c.AtOnce))
	}
	return errors.Join(errs...)
}

func (c ScheduleConfig) withDefaults() ScheduleConfig {
	if c.Spread == 0 {
		c.Spread = SpreadDefault
	}
	if c.MinGap == 0 {
		c.MinGap = max(c.Interval/20, minGapLeast)
	}
	if c.AtOnce == 0 {
		c.AtOnce = 1
	}
	return c
}

// Member is the place of a task in its job, by which everybody knows when its turn is.
type Member struct {
	Rank  int // distance from the sinks, 0 for a sink
	Ranks int // of the job: more than any rank
	Index int // among all tasks of the rank, wherever they run
	Count int // of those
}

func (m Member) validate() error {
	if m.Rank < 0 || m.Rank >= m.Ranks || m.Index < 0 || m.Index >= m.Count {
		return fmt.Errorf("rank %d of %d, index %d of %d: want 0 ≤ rank < ranks and 0 ≤ index < count", m.Rank, m.Ranks, m.Index, m.Count)
	}
	return nil
}

// Schedule says which of a set of tasks, as a rule those of one loop, is to begin a checkpoint, and when. Its clock is the
// job's: the time since the job began, the same for all loops and workers. In round k = 0, 1, … a task is due at
//
//	k·interval + interval·spread·(rank + (index + ½)/count)/ranks
//
// so that, without any talk between workers, in each round the sinks go first and the sources last: what a task still keeps
// for its consumers is then next to nothing. It may also be asked for one between. One goroutine owns a Schedule.
//
//   - A task that has fallen behind leaves out the rounds that have passed.
//   - Who has been ready for longest goes first, so that nobody waits for more than one checkpoint of each of the others.
type Schedule struct {
	cfg     ScheduleConfig
	members []turn
	running int
}

// turn is what is known of one task.
type turn struct {
	offset  time.Duration // of its due time within a round
	due     time.Duration // next
	open    time.Duration // not before this, whatever is wanted
	backOff time.Duration // after the last errors, 0 after success
	wanted  bool          // asked for, or to be repeated
	running bool
	removed bool
}

// NewSchedule makes the schedule of the given tasks, which are known by their index from then on. The error says everything
// that is wrong with the arguments.
func NewSchedule(cfg ScheduleConfig, members []Member) (*Schedule, error) {
	errs := []error{cfg.Validate()}
	cfg = cfg.withDefaults()
	s := &Schedule{cfg: cfg, members: make([]turn, 0, len(members))}
	for i, m := range members {
		if _, err := s.Add(m); err != nil {
			errs = append(errs, fmt.Errorf("member %d: %w", i, err))
		}
	}
	if err := errors.Join(errs...); err != nil {
		return nil, err
	}
	return s, nil
}

// Add takes one more task into the schedule and returns its index: that of one that was removed, if there is one. One that comes late is due at once, for the round that it
// finds.
func (s *Schedule) Add(m Member) (i int, err error) {
	if err := m.validate(); err != nil {
		return 0, err
	}
	share := (float64(m.Rank) + (float64(m.Index)+0.5)/float64(m.Count)) / float64(m.Ranks)
	t := turn{offset: time.Duration(float64(s.cfg.Interval) * s.cfg.Spread * share)}
	t.due = s.dueAfter(&t, -1)
	for i := range s.members {
		if s.members[i].removed {
			s.members[i] = t
			return i, nil
		}
	}
	s.members = append(s.members, t)
	return len(s.members) - 1, nil
}

// Remove takes a task out of the schedule. What is under way of it ends with that. Its index may be given to the next that is
// added.
func (s *Schedule) Remove(i int) {
	if s.members[i].running {
		s.running--
	}
	s.members[i] = turn{due: Never, open: Never, removed: true}
}

// dueAfter is the first moment after now at which a task is due.
func (s *Schedule) dueAfter(t *turn, now time.Duration) time.Duration {
	switch {
	case s.cfg.Interval == 0:
		return Never
	case now < t.offset:
		return t.offset
	}
	return now + s.cfg.Interval - (now-t.offset)%s.cfg.Interval
}

// Ask wants a checkpoint of task i besides those that are due: as soon as may be, but no sooner than MinGap after its last
// one began. One that is under way does not count, since what was asked for may have happened after it began; the wish is
// remembered.
func (s *Schedule) Ask(i int) { s.members[i].wanted = true }

// Next says which task is to begin a checkpoint at now; the caller does so and calls Began, or leaves it. Where ok is false
// there is none before until, unless Ask or Ended is called.
func (s *Schedule) Next(now time.Duration) (i int, ok bool, until time.Duration) {
	if s.running >= s.cfg.AtOnce {
		return 0, false, Never
	}
	best, at := -1, Never
	for i := range s.members {
		t := &s.members[i]
		if r := t.ready(); !t.running && !t.removed && r < at {
			best, at = i, r
		}
	}
	if at > now {
		return 0, false, at
	}
	return best, true, 0
}

// ready is from when on a task may begin.
func (t *turn) ready() time.Duration {
	if t.wanted {
		return t.open
	}
	return max(t.due, t.open)
}

// Began says that task i has begun at now.
func (s *Schedule) Began(i int, now time.Duration) {
	t := &s.members[i]
	if t.running {
		panic(fmt.Sprintf("BUG: a checkpoint of task %d begins at %v while one is under way", i, now))
	}
	t.running, t.wanted = true, false
	t.open = now + s.cfg.MinGap
	t.due = s.dueAfter(t, now)
	s.running++
}

// Ended says that the checkpoint of task i is durable, or why not. After an error it is repeated, after a pause that doubles
// from MinGap up to the interval (a second where there is none) with each further error.
func (s *Schedule) Ended(i int, now time.Duration, err error) {
	t := &s.members[i]
	if !t.running {
		panic(fmt.Sprintf("BUG: a checkpoint of task %d ends at %v while none is under way", i, now))
	}
	t.running = false
	s.running--
	if t.due <= now {
		t.due = s.dueAfter(t, now) // the round went by with it
	}
	if err == nil {
		t.backOff = 0
		return
	}
	t.backOff = max(t.backOff*2, s.cfg.MinGap)
	t.backOff = min(t.backOff, max(cmp.Or(s.cfg.Interval, backOffMax), s.cfg.MinGap))
	t.wanted, t.open = true, max(t.open, now+t.backOff)
}
