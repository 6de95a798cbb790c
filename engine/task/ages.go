package task

import (
	"sort"
	"sync"
	"time"

	"github.com/fullspate/spate/wire"
)

// Ages knows since when the tuples of a time have been on their way: it is what tasks take their latency from. Where the
// job has a pace that is when the clock let them go, whether or not a source was in time. Otherwise it is when their source
// had emitted them, as it has noted here; so the latency is what they have waited since in queues, on the network and for
// others to be processed. A timer's steps are on their way once every source has passed its time.
//
// All tasks of a job that are in one process share one. Sources are added before anything runs; then it is safe for use by
// any number of goroutines. A source's notes are up to markEvery, and 1/markShare of what they say, too early: latencies
// are too long by that much rather than too short.
type Ages struct {
	clock   Clock
	sources []*trail
	bySplit map[uint16]*trail
}

// NewAges returns the ages of a job by the given clock, without sources.
func NewAges(clock Clock) *Ages { return &Ages{clock: clock, bySplit: make(map[uint16]*trail)} }

// paced says that nothing needs to be noted.
func (a *Ages) paced() bool { return a.clock.Pace > 0 }

// AddSource adds a source task, which reads the given splits, in whatever process it is: one that is in another and tells
// nothing leaves the ages of its tuples unknown. One that has nothing to read does not count.
func (a *Ages) AddSource(splits []Split) {
	if len(splits) == 0 {
		return
	}
	m := new(trail)
	a.sources = append(a.sources, m)
	for _, s := range splits {
		a.bySplit[s.Ordinal] = m
	}
}

// of is where the source task that reads the given splits notes how far it is; nil where there is no need for it.
func (a *Ages) of(splits []Split) *trail {
	if a == nil || a.paced() || len(splits) == 0 {
		return nil
	}
	return a.bySplit[splits[0].Ordinal]
}

// since is the moment at which what is processed at tau was on its way, as time since the run began; false if that is not
// known.
func (a *Ages) since(tau wire.Time) (at time.Duration, ok bool) {
	switch {
	case a.paced():
		return a.clock.due(tau), true
	case tau != wire.TimerTime(tau.Millis()):
		m := a.bySplit[tau.Split()]
		if m == nil {
			return 0, false
		}
		return m.passed(tau)
	}
	for _, m := range a.sources {
		t, ok := m.passed(tau)
		if !ok {
			return 0, false
		}
		at = max(at, t)
	}
	return at, len(a.sources) > 0
}

// trail is how far a source task was at which moment, the more exact the less long ago.
type trail struct {
	mu   sync.Mutex
	list []mark // both members ascend; guarded by mu
}

// mark says that a source has gone from the position of the mark before to this one no earlier than at.
type mark struct {
	pos wire.Time
	at  time.Duration
}

const (
	markEvery = 250 * time.Microsecond // of what is less far apart there is one mark
	markShare = 32                     // and later so few that each spans this part of its age: 3 %
	marksMax  = 1024                   // with which a day needs no more than half of that, and 16 KiB
)

// put notes that the source has come to pos.
func (m *trail) put(pos wire.Time, now time.Duration) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if n := len(m.list); n > 0 && now-m.list[n-1].at < markEvery {
		m.list[n-1].pos = max(m.list[n-1].pos, pos)
		return
	}
	if len(m.list) == marksMax {
		m.thin(now)
	}
	if m.list == nil {
		m.list = make([]mark, 0, marksMax)
	}
	m.list = append(m.list, mark{pos, now})
}

// thin puts marks together that are close to each other for their age.
func (m *trail) thin(now time.Duration) {
	kept := m.list[:1]
	for i, mk := range m.list[1:] {
		last := &kept[len(kept)-1]
		end := now // of what mk spans
		if i+2 < len(m.list) {
			end = m.list[i+2].at
		}
		if end-last.at <= (now-last.at)/markShare {
			last.pos = mk.pos
			continue
		}
		kept = append(kept, mk)
	}
	m.list = kept
}

// passed is when the source went beyond tau; false if it has not, as far as is known.
func (m *trail) passed(tau wire.Time) (at time.Duration, ok bool) {
	m.mu.Lock()
	defer m.mu.Unlock()
	i := sort.Search(len(m.list), func(i int) bool { return m.list[i].pos > tau })
	if i == len(m.list) {
		return 0, false
	}
	return m.list[i].at, true
}
