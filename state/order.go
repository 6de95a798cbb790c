package state

import (
	"cmp"
	"math/bits"
	"slices"
)

// ref is a record to be put in order: its hashes and where it is.
type ref struct {
	h1, h2 uint64
	slot   uint32
}

func (r ref) bound() bound { return bound{r.h1, r.h2} }

// sorter sorts refs by hash and keeps its scratch memory.
type sorter struct {
	refs    []ref // for the caller's use
	scratch []ref
	ends    []uint32
	deep    []uint32 // ends of the other level
	tie     func(a, b ref) int
}

// smallSort is up to where insertion is the fastest way.
const smallSort = 24

// sort orders refs by (h1, h2) and then by tie, which may be nil if hashes are
// unique. Hashes are evenly spread, so one pass that drops each into the bucket
// where its value lets it be expected does most of the work.
func (o *sorter) sort(refs []ref, tie func(a, b ref) int) {
	o.tie = tie
	o.spread(refs, true)
	o.tie = nil
}

func (o *sorter) compare(a, b ref) int {
	if c := cmp.Compare(a.h1, b.h1); c != 0 {
		return c
	}
	if c := cmp.Compare(a.h2, b.h2); c != 0 || o.tie == nil {
		return c
	}
	return o.tie(a, b)
}

// spread sorts by buckets over h1, or h2 where all h1 are equal.
func (o *sorter) spread(refs []ref, again bool) {
	if len(refs) <= smallSort {
		o.insertion(refs)
		return
	}
	lo, hi := refs[0].h1, refs[0].h1
	for _, r := range refs {
		lo, hi = min(lo, r.h1), max(hi, r.h1)
	}
	second := lo == hi
	if second {
		lo, hi = refs[0].h2, refs[0].h2
		for _, r := range refs {
			lo, hi = min(lo, r.h2), max(hi, r.h2)
		}
	}
	if lo == hi {
		slices.SortFunc(refs, o.compare)
		return
	}
	ends := o.distribute(refs, lo, hi, second)
	for from, b := uint32(0), 0; b < len(ends); b++ {
		bucket := refs[from:ends[b]]
		from = ends[b]
		switch {
		case len(bucket) <= smallSort:
			o.insertion(bucket)
		case again:
			o.ends, o.deep = o.deep, o.ends
			o.spread(bucket, false)
			o.ends, o.deep = o.deep, o.ends
		default:
			slices.SortFunc(bucket, o.compare)
		}
	}
}

// distribute moves refs to buckets, in order of the buckets, and gives the end
// of each.
func (o *sorter) distribute(refs []ref, lo, hi uint64, second bool) []uint32 {
	n := uint64(len(refs))
	// The bucket of v is about (v-lo)/(hi-lo) × n, by a multiplication: the
	// difference is first shifted up to the full 64 bits.
	shift := uint(bits.LeadingZeros64(hi - lo))
	bucket := func(r *ref) uint64 {
		v := r.h1
		if second {
			v = r.h2
		}
		b, _ := bits.Mul64((v-lo)<<shift, n)
		return b
	}
	o.ends = append(o.ends[:0], make([]uint32, n)...)
	o.scratch = append(o.scratch[:0], refs...)
	for i := range o.scratch {
		o.ends[bucket(&o.scratch[i])]++
	}
	at := uint32(0)
	for b, c := range o.ends {
		o.ends[b] = at
		at += c
	}
	for i := range o.scratch {
		r := &o.scratch[i]
		b := bucket(r)
		refs[o.ends[b]] = *r
		o.ends[b]++
	}
	return o.ends
}

func (o *sorter) insertion(refs []ref) {
	for i := 1; i < len(refs); i++ {
		for j := i; j > 0 && o.compare(refs[j], refs[j-1]) < 0; j-- {
			refs[j], refs[j-1] = refs[j-1], refs[j]
		}
	}
}
