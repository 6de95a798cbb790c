// Package control is how the coordinator and its workers speak: a few plain messages, and the connection that carries them.
//
//	worker ── Register ─────────▶ coordinator        one authenticated connection per worker, opened by the worker
//	       ◀─ Registered ────────
//	       ── Heartbeat … ──────▶                    all the time, now and then with reports
//	       ◀─ Deploy ────────────                    for each job:
//	       ── Deployed ─────────▶
//	       ◀─ Start ─────────────                    once every part is deployed
//	       ◀─ Deploy ────────────                    later, whenever tasks come, go or are somewhere else: with a higher epoch
//	       ── Deployed ─────────▶
//	       ── CaughtUp ─────────▶                    from who has tasks that are to take over from others
//	       ── Ended ────────────▶                    with results, again after every Register until Release
//	       ◀─ Release ───────────
//
// A message is one JSON object on a line of its own, with its type as the first member:
//
//	{"type":"start","coordinator":3,"job":"j1","epoch":1,"at":1760000000000000000}
//
// Invariants:
//
//   - A line is at most LineBytesMax long, newline included; a longer one is refused on both sides.
//   - Messages of one connection arrive in the order of Send, each at most once; what was under way when a connection broke
//     may be lost. So every message may be said again, and means the same as once.
//   - Send never waits: a peer that does not read costs its connection once QueueMax messages or QueueBytesMax wait for it.
//   - What a peer sends costs at most its connection: a *ProtocolError says which peer, which line, and why.
//
// Send, Close and Peer may be called from any goroutine, Receive from one at a time. A Conn has one goroutine of its own,
// which writes; Close joins it. The package neither dials nor authenticates, and does not know what messages mean.
package control
