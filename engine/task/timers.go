package task

import (
	"fmt"
	"time"

	"github.com/fullspate/spate/engine/internal/mutant"
	"github.com/fullspate/spate/state"
	"github.com/fullspate/spate/wire"
)

// timerTable is the state of one declared timer: for each key at most one due time, in ms since the epoch.
type timerTable struct {
	name  string
	fire  func(*Ctx)
	keyed bool // by bytes
	u64   state.Fixed[uint64]
	bytes state.FixedKeyed[uint64]
}

func (tt *timerTable) get(hash uint64, key []byte) (ms uint64, ok bool) {
	var v *uint64
	if tt.keyed {
		v = tt.bytes.Get(state.Key{H1: hash, Key: key})
	} else {
		v = tt.u64.Get(hash)
	}
	if v == nil {
		return 0, false
	}
	return *v, true
}

func (tt *timerTable) set(hash uint64, key []byte, ms uint64) {
	var v *uint64
	if tt.keyed {
		v, _ = tt.bytes.Upsert(state.Key{H1: hash, Key: key})
	} else {
		v, _ = tt.u64.Upsert(hash)
	}
	*v = ms
}

func (tt *timerTable) delete(hash uint64, key []byte) {
	if tt.keyed {
		tt.bytes.Delete(state.Key{H1: hash, Key: key})
	} else {
		tt.u64.Delete(hash)
	}
}

// timers are the pending timers of a task. The tables are the truth and are checkpointed; the agenda is an index over
// them by due time, made again from them on restore. An entry of the agenda counts only while its table agrees, so that
// moving or cancelling a timer never searches the agenda.
type timers struct {
	next   wire.Time // the least due time that may be in the agenda; TimeMax for none
	tables []timerTable
	agenda map[uint64]*bucket // by due ms
	dues   dueHeap
	firing *bucket // whose keys the present step's items borrow
	free   []*bucket
}

// bucket lists what may be due at one time.
type bucket struct {
	hashes []uint64
	tables []uint16
	ends   []uint32 // of the keys in bytes, where keyed by bytes
	bytes  []byte
}

func (b *bucket) add(table int, hash uint64, key []byte) {
	b.hashes, b.tables = append(b.hashes, hash), append(b.tables, uint16(table))
	b.bytes = append(b.bytes, key...)
	b.ends = append(b.ends, uint32(len(b.bytes)))
}

func (b *bucket) key(i int) []byte {
	from := uint32(0)
	if i > 0 {
		from = b.ends[i-1]
	}
	return b.bytes[from:b.ends[i]:b.ends[i]]
}

func (b *bucket) reset() {
	b.hashes, b.tables, b.ends, b.bytes = b.hashes[:0], b.tables[:0], b.ends[:0], b.bytes[:0]
}

// dueHeap is a binary heap, the least first. (container/heap would allocate for every value.)
type dueHeap []uint64

func (h *dueHeap) push(ms uint64) {
	q := append(*h, ms)
	i := len(q) - 1
	for i > 0 && q[(i-1)/2] > ms {
		q[i] = q[(i-1)/2]
		i = (i - 1) / 2
	}
	q[i] = ms
	*h = q
}

func (h *dueHeap) pop() uint64 {
	q := *h
	least, last := q[0], q[len(q)-1]
	q = q[:len(q)-1]
	*h = q
	i := 0
	for {
		child := 2*i + 1
		if child >= len(q) {
			break
		}
		if child+1 < len(q) && q[child+1] < q[child] {
			child++
		}
		if q[child] >= last {
			break
		}
		q[i] = q[child]
		i = child
	}
	if len(q) > 0 {
		q[i] = last
	}
	return least
}

func (ts *timers) init() { ts.next, ts.agenda = wire.TimeMax, map[uint64]*bucket{} }

// add enters a timer in the agenda.
func (ts *timers) add(table int, hash uint64, key []byte, ms uint64) {
	b := ts.agenda[ms]
	if b == nil {
		if n := len(ts.free); n > 0 {
			b, ts.free = ts.free[n-1], ts.free[:n-1]
		} else {
			b = &bucket{}
		}
		ts.agenda[ms] = b
		ts.dues.push(ms)
		ts.next = wire.TimerTime(ts.dues[0])
	}
	b.add(table, hash, key)
}

// collect takes the timers that are due at tau off the agenda.
func (ts *timers) collect(tau wire.Time, items *[]item) {
	if ts.next != tau {
		return
	}
	ts.release()
	ms := ts.dues.pop()
	b := ts.agenda[ms]
	delete(ts.agenda, ms)
	for i, hash := range b.hashes {
		tt := &ts.tables[b.tables[i]]
		var key []byte
		if tt.keyed {
			key = b.key(i)
		}
		ord := uint64(b.tables[i])
		if mutant.Active == mutant.TimersLast {
			ord += tupleOrd | 1<<62
		}
		if due, ok := tt.get(hash, key); ok && due == ms || mutant.Active == mutant.StaleTimer {
			*items = append(*items, item{hash: hash, ord: ord, key: key, port: b.tables[i]})
		}
	}
	ts.firing = b
	ts.next = wire.TimeMax
	if len(ts.dues) > 0 {
		ts.next = wire.TimerTime(ts.dues[0])
	}
}

// drop takes all timers off the agenda. The tables keep them, for who goes on from a checkpoint.
func (ts *timers) drop() {
	ts.next, ts.dues = wire.TimeMax, ts.dues[:0]
	clear(ts.agenda)
}

// release lets the bucket be used again whose timers have fired.
func (ts *timers) release() {
	if b := ts.firing; b != nil && cap(b.hashes) <= itemsKept {
		b.reset()
		ts.free = append(ts.free, b)
	}
	ts.firing = nil
}

// fire runs a timer's callback. The timer is no longer pending when it does. One that was cancelled or moved by what
// was done before it in the same step is not due any more.
func (ts *timers) fire(c *Ctx, table int) {
	tt := &ts.tables[table]
	due, ok := tt.get(c.hash, c.key)
	if (!ok || due != c.tau.Millis()) && mutant.Active != mutant.StaleTimer {
		return
	}
	tt.delete(c.hash, c.key)
	tt.fire(c)
}

// SetTimer sets the timer for the current key to due, a time since the job's epoch in whole ms beyond the current step;
// a timer that was pending for the key is moved.
func (c *Ctx) SetTimer(table int, due time.Duration) {
	ts := &c.task.timers
	tt := &ts.tables[table]
	ms := uint64(due / time.Millisecond)
	if due < 0 || ms > wire.MillisMax || wire.TimerTime(ms) <= c.tau {
		c.Fail(fmt.Errorf("timer %q set for %v, want a time beyond the current step (%v)", tt.name, due, c.tau))
		return
	}
	if c.final && mutant.Active != mutant.FinalTimers {
		return
	}
	if old, ok := tt.get(c.hash, c.key); ok && old == ms {
		return
	}
	tt.set(c.hash, c.key, ms)
	ts.add(table, c.hash, c.key, ms)
}

// CancelTimer forgets the timer of the current key.
func (c *Ctx) CancelTimer(table int) { c.task.timers.tables[table].delete(c.hash, c.key) }

// TimerDue is when the timer of the current key is due.
func (c *Ctx) TimerDue(table int) (time.Duration, bool) {
	ms, ok := c.task.timers.tables[table].get(c.hash, c.key)
	return time.Duration(ms) * time.Millisecond, ok
}

// rebuild makes the agenda again from the tables.
func (ts *timers) rebuild() {
	ts.init()
	ts.dues, ts.free, ts.firing = nil, nil, nil
	for i := range ts.tables {
		tt := &ts.tables[i]
		if tt.keyed {
			tt.bytes.All(func(k state.Key, ms *uint64) bool { ts.add(i, k.H1, k.Key, *ms); return true })
		} else {
			tt.u64.All(func(h uint64, ms *uint64) bool { ts.add(i, h, nil, *ms); return true })
		}
	}
}
