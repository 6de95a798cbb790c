package state

import (
	"fmt"
	"math/bits"
)

// bound is a point in the space of identities' hashes.
type bound struct{ h1, h2 uint64 }

const hashMax = 1<<64 - 1

func (a bound) less(b bound) bool { return a.h1 < b.h1 || a.h1 == b.h1 && a.h2 < b.h2 }

// next is the smallest bound above a, which must not be the greatest of all.
func (a bound) next() bound {
	if a.h2 == hashMax {
		return bound{a.h1 + 1, 0}
	}
	return bound{a.h1, a.h2 + 1}
}

// prev is the greatest bound below a, which must not be the least of all.
func (a bound) prev() bound {
	if a.h2 == 0 {
		return bound{a.h1 - 1, hashMax}
	}
	return bound{a.h1, a.h2 - 1}
}

// directory finds the segment of a hash. The range of h1 is cut into equal
// cells, about two for each segment; a cell knows the segment in which it
// begins, and from there the chain of segments is followed. With hashed keys
// nearly every cell lies in one segment. Where it does not (many sub-keys under
// one key), the segments that begin in the cell are kept as a sorted run.
type directory struct {
	first, last uint64 // range of h1
	shift       uint64 // h1-first >> shift is the cell, below 64
	cells       []cell
	head        *segment
	segments    int
	spare       []*run // dropped, to be filled again
}

// cell is where to look for the hashes of a cell.
type cell struct {
	first *segment // in which it begins
	run   *run     // made when it is first needed, nil before
}

// run holds all segments of a cell, in order. Most of them are those of one key,
// h1: for that, starts are where to begin to look by the leading bits of h2.
// Since segments are cut at simple bounds, that is nearly always the segment
// itself.
type run struct {
	h1     uint64
	shift  uint64
	starts []*segment
	his    []bound
	segs   []*segment
}

// walkMax is how many segments are followed one by one before a run is built:
// a walk costs a cache miss a step, a run three or four compares in one array.
const walkMax = 4

// newDirectory indexes the chain that begins at head.
func newDirectory(first, last uint64, head *segment) *directory {
	d := &directory{first: first, last: last, head: head}
	for s := head; s != nil; s = s.next {
		d.segments++
	}
	d.index()
	return d
}

// index makes the cells anew for the present number of segments.
func (d *directory) index() {
	want := uint64(2 * d.segments)
	span := d.last - d.first
	d.shift = uint64(max(0, bits.Len64(span)-bits.Len64(want-1)))
	for c := range d.cells {
		d.dropRun(uint64(c))
	}
	d.cells = make([]cell, span>>d.shift+1)
	for s := d.head; s != nil; s = s.next {
		d.paint(s, s)
	}
}

// paint makes the cells that begin in s, and belong to old, point to s.
func (d *directory) paint(s, old *segment) {
	from, to := d.cellOf(s.lo.h1), d.cellOf(s.hi1)
	if d.cellStart(from).less(s.lo) && from < to {
		from++
	}
	for c := from; c <= to; c++ {
		if d.cellStart(c).less(s.lo) {
			continue
		}
		if p := &d.cells[c].first; *p == old || *p == nil {
			*p = s
		}
	}
}

func (d *directory) cellOf(h1 uint64) uint64 { return (h1 - d.first) >> d.shift }

func (d *directory) cellStart(c uint64) bound { return bound{d.first + c<<d.shift, 0} }

// find1 is the segment of h1 in a map without sub-keys.
func (d *directory) find1(h1 uint64) *segment {
	c := (h1 - d.first) >> (d.shift & 63)
	if c < uint64(len(d.cells)) {
		if s := d.cells[c].first; h1 <= s.hi1 {
			return s
		}
	}
	return d.follow(bound{h1, 0})
}

// find2 is the segment of (h1, h2).
func (d *directory) find2(h1, h2 uint64) *segment {
	c := (h1 - d.first) >> (d.shift & 63)
	if c < uint64(len(d.cells)) {
		if r := d.cells[c].run; r != nil && h1 == r.h1 {
			return r.start(h2)
		}
		if s := d.cells[c].first; h1 < s.hi1 || h1 == s.hi1 && h2 <= s.hi2 {
			return s
		}
	}
	return d.follow(bound{h1, h2})
}

// follow finds b's segment behind the one in which b's cell begins.
func (d *directory) follow(b bound) *segment {
	if b.h1 < d.first || b.h1 > d.last {
		panic(fmt.Sprintf("BUG: hash %016x is outside of the map's range %016x-%016x", b.h1, d.first, d.last))
	}
	c := &d.cells[d.cellOf(b.h1)]
	if c.run == nil {
		s := c.first
		for range walkMax {
			if !s.hi().less(b) {
				return s
			}
			s = s.next
		}
		c.run = d.runOf(c.first, d.cellOf(b.h1))
	}
	return c.run.find(b)
}

// runOf collects the segments of cell c, the first of which it begins in.
func (d *directory) runOf(first *segment, c uint64) *run {
	r := d.newRun()
	for s := first; s != nil && (s == first || d.cellOf(s.lo.h1) == c); s = s.next {
		r.his = append(r.his, s.hi())
		r.segs = append(r.segs, s)
	}
	r.h1 = r.his[len(r.his)/2].h1
	n := bits.Len(uint(len(r.his))) + 1
	r.shift = uint64(64 - n)
	for p, i := uint64(0), 0; p < 1<<n; p++ {
		for i < len(r.his)-1 && r.his[i].less(bound{r.h1, p << r.shift}) {
			i++
		}
		r.starts = append(r.starts, r.segs[i])
	}
	return r
}

func (d *directory) newRun() *run {
	n := len(d.spare)
	if n == 0 {
		return new(run)
	}
	r := d.spare[n-1]
	d.spare = d.spare[:n-1]
	clear(r.starts)
	clear(r.segs)
	r.starts, r.his, r.segs = r.starts[:0], r.his[:0], r.segs[:0]
	return r
}

// dropRun forgets the run of a cell, if there is one.
func (d *directory) dropRun(c uint64) {
	if r := d.cells[c].run; r != nil && len(d.spare) < sparesMax {
		d.spare = append(d.spare, r)
	}
	d.cells[c].run = nil
}

// start is the segment of (r.h1, h2).
func (r *run) start(h2 uint64) *segment {
	s := r.starts[h2>>(r.shift&63)]
	for s.hi2 < h2 && s.hi1 == r.h1 {
		s = s.next
	}
	return s
}

func (r *run) find(b bound) *segment {
	if b.h1 == r.h1 {
		return r.start(b.h2)
	}
	lo, hi := 0, len(r.his)-1
	for lo < hi {
		mid := int(uint(lo+hi) >> 1)
		if r.his[mid].less(b) {
			lo = mid + 1
		} else {
			hi = mid
		}
	}
	return r.segs[lo]
}

// forget drops the runs that may hold s or its bounds: those of cells that lie
// wholly in s have none.
func (d *directory) forget(s *segment) {
	d.dropRun(d.cellOf(s.lo.h1))
	d.dropRun(d.cellOf(s.hi1))
}

// insertAfter puts r, whose range s has just given up, behind s.
func (d *directory) insertAfter(s, r *segment) {
	d.forget(s)
	r.prev, r.next = s, s.next
	if r.next != nil {
		r.next.prev = r
	}
	s.next = r
	d.paint(r, s)
	d.forget(r)
	d.segments++
	if d.segments > len(d.cells) {
		d.index()
	}
}

// remove takes s out and gives its range to its neighbour into.
func (d *directory) remove(s, into *segment) {
	d.forget(s)
	d.forget(into)
	if s.prev != nil {
		s.prev.next = s.next
	} else {
		d.head = s.next
	}
	if s.next != nil {
		s.next.prev = s.prev
	}
	if into == s.prev {
		into.setHi(s.hi())
	} else {
		into.lo = s.lo
	}
	d.segments--
	d.paint(into, s)
}

// locate is the segment of b for rarely taken paths.
func (d *directory) locate(b bound) *segment { return d.find2(b.h1, b.h2) }
