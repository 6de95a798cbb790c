// Package state holds the state of operators: hash maps in slabs outside of the
// Go heap, which grow, are snapshotted, split and merged a segment at a time.
//
// # Picture
//
// A Map is for a range of key hashes. Its directory finds the segment of a
// record by the hash of its key (h1) and of its sub-key (h2):
//
//	directory: cells of h1    │ 0 │ 1 │ 2 │ 3 │ 4 │ 5 │ 6 │ 7 │
//	                            └─┬─┘   │   └─┬─┘   │  └───┬─┘
//	segments, in order         [ a ]──[ b ]─[ c ]─[d][e]─[ f ]
//	                                  each owns all (h1,h2) from lo to hi
//
//	segment:  slab of slots, open addressing, linear probing
//	          │ h1 h2 value │ h1 h2 value │ empty │ h1 h2 value │ … │ tail │ empty │
//	          heap of blobs, where a key, sub-key or value is of variable size
//	          sets of bits, one bit a slot: dirty, fresh, pend
//
// A slot is the hashes, a reference to a blob (8 bytes, if the schema has
// anything of variable size), and the fixed value: nothing else. Which slots are
// empty is said by their h1: a hash outside of the segment's range, which no
// record of it can have. So that there is one, no segment spans all hashes.
//
// A record's place is a product of its hashes, scaled to the number of homes;
// probing goes on from there and never wraps around. Insertion moves nothing;
// deletion closes the gap, so there are no tombstones. A segment's slab grows
// through the size classes (ratio 1.25) and splits in two beyond 128 KiB, at a
// power of two of its range or another simple bound: at most one segment's
// records move in one operation.
//
// Of h2 only as many leading bits take part in placing as the segment's keys
// need (spread.go): a key with three sub-keys has four homes, and its records
// are found there without reading the segment.
//
// # Order
//
// Iteration and images are in order of identities: h1, h2, bytes of the key,
// bytes of the sub-key. Records are not kept in order; iterating sorts one
// segment at a time. For Uint64 keys the hash is invertible and stands for the
// key.
//
// # Snapshots
//
// Writes mark their slots as dirty; deletions of records that the last snapshot
// had are listed. Freeze begins a snapshot by counting the map's epoch up. A
// segment takes note when it is written or copied next: its dirty bits become
// pend, what is to be copied (all of it in a base). A write to a slot in pend
// first puts the slot's content aside. Step copies segments on the owner's
// goroutine for a bounded time; Encode sorts, compresses and writes them on
// another, and makes a roaring bitmap of what a delta changed:
//
//	owner:    Freeze → write … Step … write … Step      (copies slots to batches)
//	                              ↓ batches ↑ backlog
//	encoder:                   Encode → header │ block │ block │ … │ footer
//
// An image is the same bytes whenever the contents, what has changed, and the
// position are, whatever the map has gone through. Fold makes of a base and its
// deltas the base that would have been taken. Images from outside are not
// trusted: lengths, checksums, order and ranges are checked before use, memory
// is bounded by blockBytesMax, and damage is an *ImageError.
//
// # Invariants
//
//	segments:   first.lo = (Range.First, 0);  s.next.lo = s.hi + 1;  last.hi = (Range.Last, max)
//	records:    s.lo ≤ (h1,h2) ≤ s.hi;  home ≤ slot;  no empty slot between home and slot
//	room:       count ≤ 13/16 of homes;  the last slot is empty
//	marks:      s.mark = Map.epoch  ⇒  the segment has been captured, or no snapshot runs
//	            slot in dirty and s.mark ≠ Map.epoch after rolling  ⇒  slot not in pend
//	deletions:  an identity is listed  ⇔  the last snapshot had it, and it was deleted since
//	snapshots:  at most one runs;  a delta's parent is the position of the snapshot before
//
// # Who may call
//
// One goroutine at a time owns a Map, its handles, and its Snapshots but for
// Encode, which any one goroutine may call. Inspect, Verify, Fold and SplitImage
// are functions of bytes. The parts of a split map may have different owners at
// once. Pointers and bytes that handles give out are borrowed: until the next
// insertion into or deletion from the map. A write through a pointer must follow
// the Mut or Upsert that gave it, without a Freeze or Step in between, or a
// snapshot may miss it.
//
// When the pool is exhausted, handles panic with its *slab.BudgetError, and for
// records beyond BlobBytesMax with a *LimitError; the map stays as it was.
//
// # What it does not do
//
// It does not hash keys, store images, or decide when to snapshot or split. It
// has no expiry and no secondary order.
package state
