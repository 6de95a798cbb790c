// Package partition decides who owns a key: how keys become hashes, how the
// space of hashes is cut into ranges, which targets each hash is routed to, and
// where ranges should be cut or joined given what they weigh.
//
// # Picture
//
// The space of 64-bit hashes is a line. A key is a point on it, a task owns a
// range, and a table routes each point to the targets fed with it. Here target
// 2 is being split; 5 and 6 are catching up beside it:
//
//	0                                                        2^64-1
//	|--------- 1 ---------|--------- 2 ---------|------ 3 ------|   generation 0
//	                      |--- 5 ---|---- 6 ----|                   generation 1
//	Lookup:   {1}            {2,5}      {2,6}          {3}
//
// # Format
//
// HashUint64 and HashBytes are part of the format of frames, images and routing
// announcements. They are the same in every process and build and never change;
// golden values in the tests pin them. HashUint64 is a bijection, so that a hash
// can stand for its key.
//
// # Invariants
//
//   - r.First <= r.Last for every valid Range: both ends belong to it.
//   - Even(n) and the parts of every Cut and plan tile their range: each begins
//     at the Last of the one before plus 1.
//   - 1 <= len(table.Lookup(h)) for every h; routes of one generation never
//     overlap.
//   - table.Epoch() < next.Epoch() for every table made from another.
//   - Plans depend on their arguments alone, computed in whole numbers: every
//     machine makes the same ones.
//
// # Use
//
// Everything here is a pure function or immutable: any goroutine may call
// anything. The package moves no data, holds no connections and does not know
// when to split; it says where.
package partition
