// Package auth opens connections: before anything else is said over one, data or control, both ends prove that they know
// the cluster's secret, and learn who the other is.
//
//	initiator (Dial, Client)                               acceptor (Acceptor, Server)
//
//	  hello: nonce, cluster, incarnation,  ──────────────▶   reads it all, judges: version, role,
//	         purpose, note                                   cluster, purpose
//	                                       ◀──────────────  hello: its own nonce, cluster, incarnation, note
//	  judges the same
//	  proof = F(secret, "initiator", both hellos) ───────▶  compares; without it the acceptor proves nothing
//	                                       ◀──────────────  proof = F(secret, "acceptor", both hellos)
//	  compares
//	                     session key = F(secret, "session", both hellos)
//
//	in the place of any of these: refusal (reason, detail), and the connection ends
//
// F is HMAC-SHA-256: K = HKDF-Extract(salt "spate handshake", secret), t = SHA-256(hello of the initiator ‖ hello of the
// acceptor), whole messages; F(label) = HKDF-Expand(K, label ‖ t), 32 bytes. The bytes of messages are in wire/handshake.go.
//
// # Why it holds
//
//   - Who does not know the secret cannot compute a proof, and learns nothing about the secret from those it sees: it has 256
//     random bits, so guessing offline is hopeless. Proofs are compared in constant time.
//   - Replay: every proof covers 32 fresh random bytes of the end that checks it, so a recorded one fits no other connection.
//   - Reflection: each role has a label of its own, and hellos say which role speaks. What an end said itself, on this
//     connection or on another one, is never what it waits for. A hello with one's own incarnation is refused, too.
//   - Downgrade: the version is in the hellos and so in the proofs, there is one version and no retry with an older one.
//   - Both hellos, notes included, are covered: who changes a byte on the way gets WrongSecret.
//   - A secret serves one purpose. Proofs and session key are independent outputs of F; the proofs tell nothing about the key.
//
// # What it does not protect
//
// What follows the handshake is not sealed yet: who sits on the path can read it, and can cut in after the proofs; on a network
// that others share, use a tunnel. Peer.Session is the key from which sealing takes its keys, one for each direction. There
// is no forward secrecy: who learns the secret later can compute old session keys. Hellos are not secret: keep secrets out of
// notes. A refusal proves nothing: anybody on the path can make one, so it is to be reported and not to be obeyed.
//
// # Bounds
//
// Of a stranger an end reads at most wire.HandshakeMax bytes for each message, whose length it judges first, and never a byte
// beyond the handshake; it waits for no longer than a deadline for the whole handshake. An Acceptor holds at most Config.Pending
// unauthenticated connections, each with one goroutine; when one more comes, the one that has waited longest has to go, so that
// those that say nothing cannot keep others out: with a flood of r connections a second an honest one still has Pending/r
// seconds, and needs two round trips. At the limit of file descriptors it accepts with one that it has kept in reserve, to say no.
// Logging is limited per reason.
//
//	0 ≤ Stats.Pending ≤ Config.Pending;  goroutines of an Acceptor ≤ Config.Pending + 1
//
// # Who calls what
//
// Client and Server borrow the connection, use the calling goroutine, and leave closing to the caller. An Acceptor takes its
// listener; it calls Config.Handle, which takes the connection, on the goroutine that authenticated it, on several at once.
// Everything else may be called from any goroutine. The package keeps no state of its own, does not reconnect, and does not
// know what notes mean.
package auth
