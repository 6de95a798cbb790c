// Package reactor runs passive work and connections on an event loop of gnet's: one goroutine that blocks in epoll, or
// kqueue, while there is nothing to do. A worker has one reactor per core, and everything on it needs no lock.
//
//	┌────────────────────▶ poll
//	│             ┌─────────┴─────────┐
//	│     a socket has bytes   the bell has rung
//	│             ▼                   ▼
//	│      Handler.Traffic    functions given to Do
//	│             └─────────┬─────────┘
//	│                       ▼
//	│    Handler.Closed of what has ended meanwhile
//	│                       ▼
//	│               Work.Step, each ◀──────────────┐
//	│                       ├── something was done ┘
//	├── ring the bell ◀─────┤  50 µs are over, or few steps in a row were fruitless: poll returns at once
//	└── arm the alarm ◀─────┘  nothing to do before the earliest deadline: poll blocks until then, or until something arrives
//
// The bell is how others reach the loop, and the loop itself: an eventfd that it polls beside the sockets, and a timerfd as
// alarm. Traffic is followed by a step at once, unless the bell has been rung and a turn is on its way.
//
// # Invariants
//
//   - A step of all work begins after every arrival, Wake and Do, and not later than the least deadline that the step before
//     it has returned; until then, if that step did nothing, the loop sleeps.
//   - At most one ring is on its way: rings ≤ turns + 1.
//   - The network is polled after at most max(50 µs, one step).
//   - Open happens before Traffic, and that before Closed; each connection whose Open was called is told Closed exactly once.
//   - Work, Handlers and functions given to Do never run inside of one another: if writing or closing ends a connection, its
//     Closed is called when who wrote has returned.
//
// # Who calls what
//
//	any goroutine     Start, Stop, Do, Wake, Now, Enroll (not the loop), Conn.RemoteAddr
//	the loop          Work.Step, Handler.*, functions given to Do, Config.OnPanic; and these may call
//	                  Add, Remove, all of Conn, Stop, Do, Wake
//
// With the tag invariants, what is for the loop alone panics elsewhere.
//
// A panic in Work, a Handler or a function given to Do ends there: Config.OnPanic is told, a connection is closed, Work is
// taken off the loop, and the reactor lives on. Anything that blocks holds up everything else on the loop.
//
// # What gnet does not do for us
//
// gnet (v2.10.0) polls, reads, writes and keeps what the kernel does not take. It does not
//
//   - bound that: who sends has to count what the peer has not acknowledged, with at most half of the socket's buffer on the
//     way if it should stay empty. Conn.Pending is a tripwire.
//   - say when what it keeps has been sent: while there is some, all work is stepped every millisecond.
//   - run something on a loop without a connection, or without allocating; and a function that calls itself again that way
//     keeps the loop from the network. Hence the bell.
//   - have timers. Those of the runtime are 1 ms late, and 10 to 50 ms where all processors are busy; the alarm 30 µs.
//   - wait for unsent data when a connection is closed: streams have to be ended by an acknowledgement.
//   - tell a peer that has closed from one that has crashed in every case: an end that matters is said in band.
//   - call OnClose at a good moment: it comes in the middle of a write that fails.
//   - survive a panic, more than 1,024 slices in a write, enrolling after it has stopped or on its own loop, or the failure
//     to watch a descriptor; all of that is caught here.
//   - stay correct edge-triggered: after a failed write it goes on with the number of a descriptor that is closed. So the
//     loop is level-triggered, and each read is followed by a poll.
//   - use TLS.
//
// Writing more than 8 slices at a time allocates, in x/sys, what lists them. Loading gnet starts two goroutines for the life
// of the process, which a test for leaks has to ignore (goleak.IgnoreCurrent).
package reactor
