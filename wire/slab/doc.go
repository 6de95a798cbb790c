// Package slab hands out memory outside the Go heap, where the collector does
// not look: what replay logs and state live in.
//
// # Picture
//
// A pool reserves address space in chunks of 4 to 64 MiB. A chunk consists of
// regions of 2 MiB, aligned to that, so that each is one huge page. Regions are
// cold until first needed; warm ones are carved into slabs, wherever there is
// room, whatever their sizes:
//
//	chunk   |  region 0      |  region 1      |  region 2      |  region 3 …
//	        |  warm          |  warm          |  warm          |  cold
//	slabs   [ 640K ][ 64K ][  1M   ]··[ 1.25M   ]··············
//	                                ^^ free runs ^^^^^^^^^^^^^^
//
// Sizes come in classes, 4 KiB × {1, 1.25, 1.5, 1.75} × 2^k up to 2 MiB, since
// state grows its segments by about a quarter. Free neighbours join at once, so
// that memory serves any class again. Above 2 MiB a slab is a mapping of its
// own, a whole number of regions.
//
// The first touch of a fresh region takes milliseconds. With Config.Prefault a
// goroutine of the pool's own keeps some free memory faulted in, so that the
// owner of a loop does not wait; Warm does it in advance, Trim undoes it.
//
// # Invariants
//
//   - ClassSize(n) >= n, and at most 1.25 n from 4 KiB to 2 MiB
//   - Stats: InUse <= Committed <= Mapped; InUse <= Budget where there is one
//   - slabs in use do not overlap; each is aligned to 1 KiB
//   - no two free runs of a chunk adjoin each other
//
// Committed exceeds InUse by what does not fit anyone at the moment: 6 to 10
// percent when tables of all sizes grow, plus what is kept warm. The budget
// bounds InUse, which depends on the requests alone and not on their order.
//
// # Use
//
// Any goroutine may call a Pool's methods; calls take a mutex and are meant to
// be rare, one for 64 KiB of tuples or for a segment that grows. A slab has one
// owner, who may use its memory from wherever it likes until Put takes it.
// Nothing is released by itself: there are no finalizers, and Close refuses
// while slabs are out. Two pools have nothing in common.
//
// Built with the tag invariants, Put fills slabs with 0xCC, and a Get that finds
// free memory written to panics.
//
// The package does not zero what it hands out (but GetZeroed does), does not
// move slabs, does not return memory to the system by itself, and allows no Go
// pointers in slabs. Where the system is not Linux, memory comes from the Go
// heap and nothing is faulted in ahead.
package slab
