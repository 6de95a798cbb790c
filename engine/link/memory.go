package link

import (
	"github.com/fullspate/spate/buffers"
	"github.com/fullspate/spate/wire"
	"github.com/fullspate/spate/wire/slab"
)

// chunk is a slab in which frames of one channel lie that were received, one behind the other.
type chunk struct {
	slab *slab.Slab
	mem  []byte
	used int // where the next frame begins
	refs int // frames that are not released, the one that is being received included
}

const (
	// chunkBytesMax is the largest chunk: what a log uses by default.
	chunkBytesMax = 256 << 10
	// frameAlign is the alignment of frames in a chunk: a cache line.
	frameAlign = 64
)

// chunkBytesFor is the largest chunk of a channel with such a window.
func chunkBytesFor(window int64) int {
	n := slab.SizeMin
	for n < chunkBytesMax && int64(n)*8 <= window {
		n *= 2
	}
	return n
}

func alignFrame(n int) int { return (n + frameAlign - 1) &^ (frameAlign - 1) }

// memory gives chunks to a link's feeds.
type memory struct {
	pool  *slab.Pool
	owner slab.OwnerID
	spare []*chunk // without a slab, for use again
}

func (m *memory) get(size int) (*chunk, error) {
	s, err := m.pool.Get(size, m.owner)
	if err != nil {
		return nil, err
	}
	if len(m.spare) == 0 {
		m.spare = append(m.spare, new(chunk))
	}
	last := len(m.spare) - 1
	c := m.spare[last]
	m.spare = m.spare[:last]
	c.slab, c.mem, c.used, c.refs = s, s.Bytes(), 0, 0
	return c, nil
}

func (m *memory) put(c *chunk) {
	m.pool.Put(c.slab)
	c.slab, c.mem = nil, nil
	m.spare = append(m.spare, c)
}

// store is where one feed's frames lie. A channel that receives little stays within one chunk of the smallest size; the
// more is held, the larger are the chunks, up to a quarter of the window, so that memory is given back in time.
type store struct {
	*memory
	most int    // bytes of the largest chunk
	tail *chunk // that frames are being received into
}

// reserve finds room for a frame of n bytes while held bytes are in use. It is committed with keep, or given up with
// release.
func (s *store) reserve(n int, held int64) ([]byte, error) {
	c := s.tail
	if c == nil || len(c.mem)-c.used < n {
		size := slab.SizeMin
		for size < s.most && int64(size) < held {
			size *= 2
		}
		fresh, err := s.get(max(size, n))
		if err != nil {
			return nil, err
		}
		s.tail = fresh
		if c != nil && c.refs == 0 {
			s.put(c)
		}
		c = fresh
	}
	c.refs++
	return c.mem[c.used : c.used+n : c.used+n], nil
}

// keep makes the n bytes that were reserved a frame in use, until its chunk is released.
func (s *store) keep(n int) *chunk {
	s.tail.used = min(s.tail.used+alignFrame(n), len(s.tail.mem))
	return s.tail
}

// release ends the use of one frame in a chunk.
func (s *store) release(c *chunk) {
	if c.refs--; c.refs > 0 {
		return
	}
	switch {
	case c != s.tail:
		s.put(c)
	case len(c.mem) > slab.SizeMin:
		s.tail = nil
		s.put(c)
	default:
		if slab.Invariants {
			for i := range c.mem[:c.used] {
				c.mem[i] = 0xCC // as the pool does
			}
		}
		c.used = 0
	}
}

// close gives back the chunk that no frame holds any more.
func (s *store) close() {
	if s.tail != nil && s.tail.refs == 0 {
		s.put(s.tail)
		s.tail = nil
	}
}

// received is a frame that lies in a chunk.
type received struct {
	frame buffers.Frame
	last  wire.Time
	chunk *chunk
}

// queue holds a channel's received frames in order:
//
//	list[:head] released   list[head:next] lent to the task   list[next:] not taken yet
type queue struct {
	list       []received
	head, next int
}

func (q *queue) push(r received) {
	if len(q.list) == cap(q.list) && q.head > len(q.list)/2 {
		n := copy(q.list, q.list[q.head:])
		q.list, q.next, q.head = q.list[:n], q.next-q.head, 0
	}
	q.list = append(q.list, r)
}

// take lends the next frame.
func (q *queue) take() (buffers.Frame, bool) {
	if q.next == len(q.list) {
		return buffers.Frame{}, false
	}
	q.next++
	return q.list[q.next-1].frame, true
}

// held are the frames that are not released, oldest first.
func (q *queue) held() []received { return q.list[q.head:] }

// drop forgets the first n of those held.
func (q *queue) drop(n int) {
	q.head += n
	q.next = max(q.next, q.head)
	if q.head == len(q.list) {
		q.list, q.head, q.next = q.list[:0], 0, 0
	}
}
