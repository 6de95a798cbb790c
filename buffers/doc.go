// Package buffers is the output queue of a channel, which is also its replay
// log.
//
// A task has one Log for each consumer of each of its streams. It appends the
// tuples it emits, in order of time, to an open frame; seals the frame in place,
// which makes it visible to the reader and is the only time that its bytes are
// touched; and forgets frames when it is told that nobody will ask for them
// again. A reader, on this loop or on another, goes over the same bytes with a
// Cursor: to hand tuples to a task, or to send frames on. A reader that failed
// is followed by another that opens the log at the time from which it needs
// tuples again.
//
// # Picture
//
// A log is a chain of chunks. A chunk is one slab with whole frames in it, whose
// offsets grow from the slab's end. Links are only ever followed forwards, from
// the chunk a cursor stands on, and chunks are counted by a number that is not
// used twice: no index wraps.
//
//	chunk 7            chunk 8                    chunk 9
//	+------------+     +--------------------+     +---------------------------+
//	| frame|frame| --> |frame|frame|..|3|2|1| --> |frame|open frame..     |2|1|
//	+------------+     +--------------------+     +---------------------------+
//	    ^                 ^       ^                     ^          ^
//	    in memory or      trim    the cursor            sealed     where Append
//	    on disk           point   stands here                      writes
//
//	the writer publishes        the reader publishes
//	  chunk.next                  acked     everything below is consumed
//	  chunk.sealed  (frames)      standing  number of the chunk it looks at
//	  frontier
//
// # Invariants
//
//   - The trim point, the frontier, acked and standing only grow; where
//     consumption trims, trim point ≤ acked.
//   - τ of one tuple ≤ τ of the next; frontier ≤ τ of whatever is appended after
//     it was published.
//   - The writer stores sealed, then the frontier; the reader loads the frontier,
//     then sealed. So who has seen a frontier has seen every frame below it.
//   - A chunk is complete before it has a next one; the reader loads next, then
//     sealed. So who goes on has seen every frame of the chunk.
//   - A chunk's memory is used again only if its last τ is below the trim point
//     and below what the reader acked, and its number is below standing.
//   - Where consumption does not trim, what all readers say that nobody will ask for
//     again does; a bystander's cursor has no say in it, and pins memory alone.
//   - A chunk goes to disk only if the reader has acked and left it, so that
//     nothing ahead of an open cursor ever moves.
//   - An open frame has at least one tuple.
//
// # Who calls what
//
// Everything on a Log is for the writer's goroutine, OpenCursor included.
// Everything on a Cursor is for one goroutine, the reader's, to which it was
// handed by some means that orders memory. There are no locks between them and
// no waiting: who has to be woken is the engine's business. Writer and reader
// publish on cache lines of their own. The pool of slabs may be shared.
//
// # Bounds
//
// Full and HalfFull count whole frames beyond the trim point. Nothing stops an
// append: a step may overrun the capacity by its own output, and the writer
// tests between steps. If there is a directory to spill to, Collect moves the
// oldest frames that the reader has passed into files there, as long as the log
// is full; a cursor that is opened that far back reads, and verifies, them again.
// What is on disk does not count for Full, but does for HalfFull, so that a
// consumer is still asked for a checkpoint.
//
// # What it does not do
//
// It knows nothing of connections, credit, routes or successors; it does not
// wake anybody; spilled frames do not outlive the process, and are no checkpoint
// (Frames and Load are for that). Of several frames with the same tuples it does
// not say which were sent: a cursor does.
package buffers
