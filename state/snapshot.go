package state

import (
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/fullspate/spate/partition"
	"github.com/fullspate/spate/wire"
	"github.com/fullspate/spate/wire/slab"
)

// Kind says what an image holds.
type Kind uint8

// The kinds of snapshots.
const (
	Base  Kind = iota // all records
	Delta             // what was changed or deleted since the snapshot before
)

func (k Kind) String() string {
	switch k {
	case Base:
		return "base"
	case Delta:
		return "delta"
	}
	return fmt.Sprintf("Kind(%d)", uint8(k))
}

// ErrAborted is what Encode returns when the snapshot was aborted.
var ErrAborted = errors.New("snapshot aborted")

// Snapshot is the content of a Map at the moment of Freeze. The owner of the
// map calls Step until it is done; any one goroutine calls Encode.
type Snapshot struct {
	m        *Map
	head     header
	cursor   bound // everything below has been captured
	finished bool
	copied   int64 // bytes, ever
	undo     undoLog
	open     *batch // being filled
	out      pipe
	pool     *slab.Pool
	owner    slab.OwnerID
}

// Freeze begins a snapshot of the map as it is now, at a position: everything
// below it is in the map. A Delta needs a snapshot, or a restore, that it can
// follow, and becomes a Base without one; see Kind. It takes the same short
// time for every size. There is one snapshot of a map at a time.
func (m *Map) Freeze(kind Kind, position wire.Time) (*Snapshot, error) {
	if m.snap != nil {
		return nil, fmt.Errorf("table %q: the snapshot at %v is still being copied", m.schema.Name, m.snap.head.position)
	}
	if kind > Delta {
		return nil, fmt.Errorf("table %q: no such kind of snapshot: %v", m.schema.Name, kind)
	}
	if kind == Delta && !m.tracks {
		kind = Base
	}
	s := &Snapshot{m: m, pool: m.mem.pool, owner: m.mem.pool.Owner("snapshot"), cursor: bound{m.rng.First, 0}}
	s.head = header{kind: kind, position: position, rng: m.rng, schema: m.schema, fingerprint: m.schema.Fingerprint()}
	if kind == Delta {
		s.head.parent = m.parent
	}
	s.out.wake.L = &s.out.mu
	m.snap, m.tracks, m.parent = s, true, position
	m.epoch++
	return s, nil
}

// Kind says whether it is a Base or a Delta.
func (s *Snapshot) Kind() Kind { return s.head.kind }

// Position is the position given to Freeze.
func (s *Snapshot) Position() wire.Time { return s.head.position }

// Parent is the position of the snapshot that a Delta follows.
func (s *Snapshot) Parent() wire.Time { return s.head.parent }

// Range is the range of h1 that is in it.
func (s *Snapshot) Range() partition.Range { return s.head.rng }

// SetBacklog makes Step pause while bytes or more await Encode; 0, as at first,
// means never. Without a bound Step can be run to its end before Encode begins.
func (s *Snapshot) SetBacklog(bytes int64) { s.out.limit = bytes }

// Err is why the snapshot has failed, nil if it has not.
func (s *Snapshot) Err() error {
	s.out.mu.Lock()
	defer s.out.mu.Unlock()
	return s.out.err
}

// Copied is how many bytes were copied so far.
func (s *Snapshot) Copied() int64 { return s.copied }

// Step copies segments for about budget, or all that are left if it is 0, and
// says whether everything has been copied (or the snapshot has failed). It
// copies a segment at least, and goes on as long as another one that takes as
// long as the longest so far is within the budget.
func (s *Snapshot) Step(budget time.Duration, now func() time.Time) (done bool) {
	if s.finished {
		return true
	}
	var start, before time.Time
	if budget > 0 {
		start = now()
		before = start
	}
	longest := time.Duration(0)
	for {
		backlog, err := s.out.look()
		if err != nil {
			s.Abort()
			return true
		}
		if s.out.limit > 0 && backlog >= s.out.limit {
			return false
		}
		s.captureNext()
		if s.finished {
			return true
		}
		if budget > 0 {
			t := now()
			longest = max(longest, t.Sub(before))
			if t.Sub(start)+longest > budget {
				return false
			}
			before = t
		}
	}
}

// captureNext captures the segment at the cursor and moves on, or ends copying.
func (s *Snapshot) captureNext() {
	m := s.m
	g := m.dir.locate(s.cursor)
	m.capture(g)
	switch {
	case s.finished: // out of memory
	case g.hi() == bound{m.rng.Last, hashMax}:
		s.finish()
	default:
		s.cursor = g.hi().next()
	}
}

// finish ends copying.
func (s *Snapshot) finish() {
	s.flush()
	s.undo.release(s.pool)
	s.finished = true
	s.m.snap = nil
	s.out.end(nil)
}

// Abort gives the snapshot up: Encode returns ErrAborted, and the next snapshot
// will be a Base. It may be called after the end too, when the image was lost
// or never wanted.
func (s *Snapshot) Abort() { s.fail(ErrAborted) }

// fail gives up because of err.
func (s *Snapshot) fail(err error) {
	if !s.finished {
		s.finished = true
		s.undo.release(s.pool)
		if s.open != nil {
			s.pool.Put(s.open.slab)
			s.open = nil
		}
		s.m.snap = nil
	}
	s.m.tracks = false
	s.out.end(err)
	s.out.drain(s.pool)
}

// batch is a slab with the copies of segments.
type batch struct {
	slab  *slab.Slab
	used  int
	parts []part
	left  int // parts that the encoder has not written yet
}

// part is the copy of what the snapshot takes of one segment:
//
//	rows × slot | blobs | deleted identities
//
// References in the slots count from the beginning of the blobs. Slots without
// a record may be among the rows.
type part struct {
	lo, hi  bound
	empty   uint64 // h1 of a slot without a record
	at      int    // in the batch
	rows    int
	blobs   int // bytes
	deleted int // bytes
}

// batchBytes is how much is handed to the encoder at once. To hand over less, so
// that it does not wait, would cost the owner more in waking it than in copying.
const batchBytes = 256 << 10

// room makes sure that the open batch can take n bytes more.
func (s *Snapshot) room(n int) bool {
	if s.open != nil && s.open.used+n > s.open.slab.Size() {
		s.flush()
	}
	if s.open == nil {
		b, err := s.pool.Get(max(n, batchBytes), s.owner)
		if err != nil {
			s.fail(fmt.Errorf("copying table %q for a snapshot: %w", s.head.schema.Name, err))
			return false
		}
		s.open = &batch{slab: b}
	}
	return true
}

// flush hands the open batch to the encoder.
func (s *Snapshot) flush() {
	if b := s.open; b != nil {
		s.open = nil
		b.left = len(b.parts)
		s.out.push(b, s.pool)
	}
}

// pipe hands batches from the owner to the encoder.
type pipe struct {
	mu    sync.Mutex
	wake  sync.Cond
	queue []*batch
	bytes int64
	limit int64 // the owner's
	ended bool
	err   error
}

func (p *pipe) push(b *batch, pool *slab.Pool) {
	p.mu.Lock()
	if p.err != nil {
		p.mu.Unlock()
		pool.Put(b.slab)
		return
	}
	p.queue = append(p.queue, b)
	p.bytes += int64(b.used)
	p.mu.Unlock()
	p.wake.Signal()
}

// look is how many bytes await the encoder, and the error.
func (p *pipe) look() (int64, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.bytes, p.err
}

// end says that nothing follows, or that the snapshot has failed. The first
// error stays.
func (p *pipe) end(err error) {
	p.mu.Lock()
	p.ended = true
	if p.err == nil {
		p.err = err
	}
	p.mu.Unlock()
	p.wake.Broadcast()
}

// drain frees what nobody will read.
func (p *pipe) drain(pool *slab.Pool) {
	p.mu.Lock()
	queue := p.queue
	p.queue, p.bytes = nil, 0
	p.mu.Unlock()
	for _, b := range queue {
		pool.Put(b.slab)
	}
}

// next waits for a batch; there is none at the end.
func (p *pipe) next() (*batch, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	for len(p.queue) == 0 && !p.ended && p.err == nil {
		p.wake.Wait()
	}
	if p.err != nil {
		return nil, p.err
	}
	if len(p.queue) == 0 {
		return nil, nil
	}
	b := p.queue[0]
	p.queue[0] = nil
	p.queue = p.queue[1:]
	p.bytes -= int64(b.used)
	return b, nil
}
