package buffers

import (
	"encoding/binary"
	"sync/atomic"

	"github.com/fullspate/spate/wire"
	"github.com/fullspate/spate/wire/slab"
)

// memory is a slab and its bytes; both nil when there is none.
type memory struct {
	slab *slab.Slab
	mem  []byte
}

func newMemory(pool *slab.Pool, size int, owner slab.OwnerID) (memory, error) {
	s, err := pool.Get(size, owner)
	if err != nil {
		return memory{}, err
	}
	return memory{slab: s, mem: s.Bytes()}, nil
}

// release gives the slab back, if there is one.
func (m *memory) release(pool *slab.Pool) {
	if m.slab != nil {
		pool.Put(m.slab)
		*m = memory{}
	}
}

// chunk is one link of a log's chain: a slab with whole frames in it, growing
// from its front, and their offsets, growing from its end. A log's first chunk
// has no memory: it is where a cursor stands before anything was written.
//
// The writer owns every field but sealed and next, through which frames and
// chunks reach the reader: what was written before either is stored, the reader
// may read, and the writer writes no more.
type chunk struct {
	memory
	seq     uint64    // place in the chain, counted up and never used again in this log
	last    wire.Time // of the last sealed frame
	used    int       // where the next frame may begin
	frames  uint32    // sealed
	trimmed uint32    // of those, wholly below the trim point
	live    int       // bytes of the frames that are not
	place   place     // where it is on disk, if memory is gone

	sealed atomic.Uint32
	next   atomic.Pointer[chunk]
}

// indexEntry is the bytes of a frame's entry in its chunk's index.
const indexEntry = 4

// room is how many bytes a further frame may take.
func (c *chunk) room() int {
	return len(c.mem) - indexEntry*int(c.frames+1) - c.used
}

// add makes the n bytes at c.used, a sealed frame, the chunk's last one and
// hands it to the reader. It returns what the frame takes, padding included.
func (c *chunk) add(n int, last wire.Time) int {
	putFrameOffset(c.mem, c.frames, c.used)
	size := alignFrame(n)
	c.used += size
	c.live += size
	c.last = last
	c.frames++
	c.sealed.Store(c.frames)
	return size
}

func putFrameOffset(mem []byte, i uint32, off int) {
	binary.LittleEndian.PutUint32(mem[len(mem)-indexEntry*int(i+1):], uint32(off))
}

// frameAt is the i-th frame of a chunk's memory.
func frameAt(mem []byte, i uint32) []byte {
	off := int(binary.LittleEndian.Uint32(mem[len(mem)-indexEntry*int(i+1):]))
	end := off + wire.HeaderOf(mem[off:]).FrameSize()
	return mem[off:end:end]
}

// seekFrame returns the first frame of low to high-1 whose last tuple is at or
// after from, high if there is none.
func seekFrame(mem []byte, low, high uint32, from wire.Time) uint32 {
	for low < high {
		mid := low + (high-low)/2
		if wire.HeaderOf(frameAt(mem, mid)).Last < from {
			low = mid + 1
		} else {
			high = mid
		}
	}
	return low
}
