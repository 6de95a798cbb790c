// Package ft holds what survives failures: checkpoints, their backups, and who decides when to take them and to which to go
// back.
//
//	        when?                what?                          where?
//	Schedule ──▶ task ──▶ Checkpoint ──Append──▶ bytes ──Put──▶ Store ── Memory: Backups, at the Holders
//	                                                              │      Dir:    files
//	                                                              ▼
//	        task ◀── Split ◀── Checkpoint (folded) ◀──Get── Generations ──▶ Choose: which?
//
// A checkpoint is either complete, or has deltas to the tables of the generation that it follows. So the checkpoints of a task
// form a tree, which is a chain unless the task went back to an older one:
//
//	1 base ◀── 2 delta ◀── 3 delta ◀── 4 delta       Fold makes a base of the newest, in its place;
//	              ▲                                  what nothing that is kept builds upon is forgotten
//	              └─── 5 delta
//
// Folding costs what reading and writing the whole table costs, whatever has changed of it; Put costs what its bytes cost. So
// they are two calls: Put is on the way of an acknowledgement, Fold is not.
//
// # Invariants
//
//   - Follows < Generation; Follows = 0 exactly in a base. What Decode accepts, Append writes again, bit for bit.
//   - Every generation that a store tells of can be restored from it: all that it follows, up to a base, is there.
//   - A table's deltas fit: the parent of each is the position of the checkpoint that the one it is in follows.
//   - When Put of a Dir has returned nil, the checkpoint is there after any crash; nothing is removed before what makes it
//     needless is durable.
//   - What Choose returns violates no log (trim ≤ position of the consumer), and nothing newer does not either.
//   - Never more than AtOnce checkpoints of a Schedule are under way; each task begins at most one in a round, besides those
//     that were asked for or failed.
//
// # Use
//
// Checkpoints are values: whoever has one may read it from any goroutine, and nobody changes it. Stores may be used from any
// goroutine, but for no event loop, as they take as long as memory or disk takes. A Backup and a Schedule belong to one
// goroutine. Everything else is a pure function. The package starts no goroutines, and but for Dir, which goes through FS, has
// no I/O.
//
// # What it does not do
//
// It does not take checkpoints (engine/task), send them to holders, trim logs, or look into frames: buffers.Log.Load does,
// when they are loaded. That a table image is sound inside its blocks is found where it is unpacked, by Fold or by the restore;
// checksums over everything are compared at every reading.
package ft
