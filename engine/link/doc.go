// Package link is what two loops of different processes say to each other: all channels between them, in both directions,
// over one connection. It does no I/O and starts nothing: whoever drives it (a reactor, a test's network in memory) hands it
// a connection, tells it when bytes have arrived, and flushes it at the end of a turn.
//
//	sending loop                                                              receiving loop
//	task ── Append ─▶ log ─▶ cursor ─▶ turn ═══ Writev ═══▶ Traffic ─▶ chunk ─▶ Feed ── Next ─▶ task
//	                   ▲      slices of the log's slabs       read where it stays     │
//	                   └── Ack, credit ◀═══════════ acks ◀═══════════════════════ Ack ┘
//
// Messages are those of wire.Envelope. A turn says, in this order, as far as there is anything to say:
//
//	open        what is wanted of each channel: once on each connection, and whenever it is declared anew
//	acks        what was consumed, and how many bytes may come: where frames were outstanding, and at the end
//	asks        whose logs are half full
//	closes      which openings are over: before anything that is not to count for them
//	frontiers   of tasks whose input's end has become known, before any frame can carry a frontier beyond it
//	frames      one of each channel in turn, as far as credit and the bounds of a turn go
//	frontiers   of tasks that have moved: one group for each upstream task, with the channels that lag behind as exceptions
//
// # Invariants
//
// Of each channel:
//
//   - τ of one frame ≤ τ of the next; told frontier ≤ first unsent τ, and ≤ the log's frontier
//   - acknowledged ≤ the task's position ≤ frontier received ≤ frontier told
//   - received and not consumed ≤ window + one frame + the rest of one τ: see window
//   - a frontier goes whatever the credit; an end of the input goes before every frontier beyond it
//   - a group's frontier holds for a channel only once the sender has named it on the connection
//
// # Deadlock
//
// A task that stands at p with less than the τ of p can only go on when the rest comes. So that a full window does not keep
// it away, what is held does not count against the window once all of it is of the time that was acknowledged: the sender
// is granted a whole window again. Together with frontiers that need no credit, the task with the least position can always
// go on, as it can without links in between.
//
// # Memory
//
// Frames are written from where they lie in the log's slabs, which stay as they are until the peer has acknowledged them:
// the cursor holds them. They are received into chunks, slabs of one channel that small frames share, are verified there,
// and are read in place by the task; a chunk is used again when the last of its frames lies below what the task has
// acknowledged. A chunk is left for the next when a frame does not fit, so two in a row hold more than one could: slabs take
// no more than twice what is held, and two chunks, which are at most a quarter of the window or a larger frame each. Before
// its first frame a channel has no memory at all. In steady state nothing is allocated, for frames, tuples or frontiers.
//
// # Connections that break
//
// Attach gives a link a further connection after Detach. The receiver keeps what was complete, and asks for each channel from
// its frontier on, or from the last tuple that it has, if that is beyond: as many tuples of that time as it has are passed
// over when they come again. So the task notices nothing, whatever the byte at which the connection broke. A peer that has
// lost what it had, asks below what it has acknowledged, or does not send again what it had sent, is refused; so is one that
// asks below the log's trim point. A peer that was replaced by another incarnation wants another link.
//
// # Channels that come and go
//
// Channels are declared, with Send and Receive, and taken back, with Withdraw and Feed.Close, while a link lives: at either end
// without regard for the other, which may be ahead or behind. So an end has to tell what is said of the channel that it has from
// what is still said of one that had the same number:
//
//	receiver  ── open ──── Close, Receive ── open ─── acks of the second ─▶
//	sender    ── frames ── frontiers ──────────────── close ── frames ── frontiers ─▶
//	             of the first opening                          of the second
//
// The receiver's messages need no mark, since an open is one. The sender closes an opening when the channel is withdrawn, or
// opened again. The receiver counts: what comes of a channel before all openings but the newest are closed is passed over, and so
// is what comes for a closed feed. Nothing of it is kept.
//
// A channel that was withdrawn stays where it is at the receiver: no frontier of its task holds for it any more, and the task
// that reads it goes no further. Until it is closed there it may be declared again, but is served once it is asked for, after
// another Receive or over another connection.
//
// A group's frontier does not go back when the channel is withdrawn for which it held. When all of its channels are, it begins
// anew; and at the receiver when it holds for none: then it counts for nothing until a channel is named.
//
// # Bytes from outside
//
// Lengths are judged before there is memory for what they announce, then credit, then the checksum, then the fields. What
// is wrong becomes a *ProtocolError with peer, channel and offset; the peer is told in a fault, and the connection is of no
// use any more. It never costs more than the connection.
//
// # Who calls what
//
// Everything, of a Link and of its Feeds, is for the goroutine of its loop, to which the logs and the consuming tasks belong
// too. The pool of slabs may be shared.
//
// # What it does not do
//
// It does not dial, authenticate, time out or dial again; it does not know which task a channel leads to, nor who replaces
// whom; it wakes nobody. Package linktest has the suite that every transport has to pass.
package link
