// Package bare sends bytes with gnet and nothing else: the baseline beside which the data path is measured.
//
//	Sender ──buffers of one size, at most window bytes unacknowledged──▶ Receiver
//	       ◀───────────────────one byte per ackBytes received───────────
//
// The sender writes one and the same buffer again and again; the receiver throws away what it gets. Each runs an event loop
// of its own, so they may stand in one process or in two. What is between them and an engine is all that an engine adds:
// frames, checksums, slabs, credits, frontiers, tasks.
//
// Invariant: 0 <= sent − acknowledged <= window + one buffer.
//
// A Sender's and a Receiver's methods are called by one goroutine at a time. A Receiver takes what only a Sender should send,
// and believes it.
package bare
