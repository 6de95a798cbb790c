// Package linktest is the suite that a transport of links has to pass, and two transports to begin with: Virtual, a network
// in memory whose every delay and every cut a seed decides, and Sockets, over package net.
//
//	Run ─▶ nodes: writers, readers, tasks ── link ── Conn ┐
//	                    ▲ step, Open, Traffic, Closed     │ Writev, Read
//	                    └───────── Transport ◀────────────┘
//
// A transport brings loops, which step whenever something has arrived, and connections between them. A test of the suite
// puts links on the loops, and beside them what stands in for tasks (or real ones), lets it run, and compares what was read
// with what was written: order, ties across frames, silence, credit, ends of streams, cuts, garbage, huge tuples, thousands
// of idle channels, a reader that stands still.
//
//	func TestSuite(t *testing.T) {
//		linktest.Run(t, func(tb testing.TB) linktest.Transport { return newMyTransport(tb) })
//	}
//
// Invariants that the suite leans on: a transport calls the step and the handlers of one loop one at a time, in any order;
// Open of a connection comes before its Traffic, and Closed comes once and last; bytes arrive in order or not at all; after
// Close it calls nothing any more. Whoever closes a connection may lose what it has not written yet, but not what it has.
//
// Pipe is a connection without a transport, for tests and measurements of one goroutine. It delivers when it is told to.
//
// The package is for tests alone. The suite's methods are called by the test's goroutine.
package linktest
