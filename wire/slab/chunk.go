package slab

import "math/bits"

const (
	// Chunks double in size from the first to the largest, so that a small
	// pool is small and a large one maps rarely. The largest has 2^16 units,
	// the most that 64 bins reach.
	chunkRegionsMin = 2
	chunkDoublings  = 4
)

// chunk is one reservation of address space, aligned to RegionSize. Each of its
// regions is cold (never touched, or given back), being warmed by the helper,
// or warm; warm memory is carved into slabs and free runs.
type chunk struct {
	mem mapping
	// tag holds, at the first and last unit of each free run, the run's index
	// plus one; all other units hold 0.
	tag []int32
	// cold holds a bit for each region that is cold.
	cold uint32
	// dirtyEnd is the unit beyond which no slab has ever lain: memory from
	// there on is zero.
	dirtyEnd int32
}

// run is a maximal piece of free warm memory. Runs of one bin form a list.
type run struct {
	chunk      *chunk
	off, n     int32 // units
	prev, next int32 // runs; -1 ends
}

// carver finds room for slabs in the warm memory of chunks: segregated fit with
// immediate coalescing (Masmano et al., TLSF, ECRTS 2004, with the bins made
// for our classes). It knows units only; nothing of it lies in slab memory.
type carver struct {
	runs  []run
	spare []int32   // unused entries of runs
	bins  [64]int32 // first run of each bin; -1 = none
	full  uint64    // bit b: bins[b] is not empty
	whole int64     // units in runs of at least a region, which fit any class
}

func (v *carver) init() {
	for b := range v.bins {
		v.bins[b] = -1
	}
}

// take removes n units, an exact class, from the smallest free run that has
// them and returns where they are; c is nil when there is no such run.
func (v *carver) take(n int) (c *chunk, off int) {
	fit := v.full >> binOf(n) << binOf(n)
	if fit == 0 {
		return nil, 0
	}
	r := v.runs[v.bins[bits.TrailingZeros64(fit)]]
	v.unlink(r.chunk.tag[r.off] - 1)
	if rest := int(r.n) - n; rest > 0 {
		v.link(r.chunk, int(r.off)+n, rest)
	}
	return r.chunk, int(r.off)
}

// give makes n units free, joining them with free neighbours.
func (v *carver) give(c *chunk, off, n int) {
	if off > 0 {
		if i := c.tag[off-1]; i != 0 {
			r := v.runs[i-1]
			v.unlink(i - 1)
			off, n = int(r.off), n+int(r.n)
		}
	}
	if end := off + n; end < len(c.tag) {
		if i := c.tag[end]; i != 0 {
			n += int(v.runs[i-1].n)
			v.unlink(i - 1)
		}
	}
	v.link(c, off, n)
}

// cut takes the units [off, off+n), which lie within free run i, out of it.
func (v *carver) cut(i int32, off, n int) {
	r := v.runs[i]
	v.unlink(i)
	if before := off - int(r.off); before > 0 {
		v.link(r.chunk, int(r.off), before)
	}
	if after := int(r.off+r.n) - off - n; after > 0 {
		v.link(r.chunk, off+n, after)
	}
}

func (v *carver) link(c *chunk, off, n int) {
	var i int32
	if last := len(v.spare) - 1; last >= 0 {
		i, v.spare = v.spare[last], v.spare[:last]
	} else {
		i = int32(len(v.runs))
		v.runs = append(v.runs, run{})
	}
	b := binOf(n)
	v.runs[i] = run{chunk: c, off: int32(off), n: int32(n), prev: -1, next: v.bins[b]}
	if head := v.bins[b]; head >= 0 {
		v.runs[head].prev = i
	}
	v.bins[b] = i
	v.full |= 1 << b
	c.tag[off], c.tag[off+n-1] = i+1, i+1
	if n >= regionUnits {
		v.whole += int64(n)
	}
}

func (v *carver) unlink(i int32) {
	r := &v.runs[i]
	if r.prev >= 0 {
		v.runs[r.prev].next = r.next
	} else {
		b := binOf(int(r.n))
		v.bins[b] = r.next
		if r.next < 0 {
			v.full &^= 1 << b
		}
	}
	if r.next >= 0 {
		v.runs[r.next].prev = r.prev
	}
	r.chunk.tag[r.off], r.chunk.tag[r.off+r.n-1] = 0, 0
	if r.n >= regionUnits {
		v.whole -= int64(r.n)
	}
	r.chunk = nil
	v.spare = append(v.spare, i)
}
