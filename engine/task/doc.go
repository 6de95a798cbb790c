// Package task holds the unit of execution: one partition of one operator, with the stateless operators fused into it.
//
//	channels (port, upstream range)                      edges (routing table)
//	 ──frames──▶ head ┐                                   ┌─▶ log ──▶ task 0
//	 ──frames──▶ head ├─ least τ below every frontier ─▶ handler ─▶ log ──▶ task 1
//	 ──frames──▶ head ┘            │    ▲                 └─▶ fused operator ─▶ …
//	                            timers  tables
//
// A task merges its channels by logical time τ and processes a τ when every channel's frontier has passed it. All of one
// τ is one atomic step; within it the order is: key hash, key; within a key timers by name, then tuples by port, upstream
// range and arrival. So what a task does is a function of its input alone, and its position is one number.
//
// Invariants, for the position p, the frontier f of every channel, the least pending timer d and the published frontier q:
//
//	q ≤ p ≤ min(f)      p ≤ hold      every tuple and timer below p has been processed, none at or above it
//
// A task is passive. Run does what can be done now, for at most a budget, without blocking, locking or allocating; whoever
// drives it (a goroutine, a reactor, the simulator) hands in the time and calls it again when something has arrived, when
// a log has room again, or at the time that Run named. Capacities bind between steps only: a step may overrun a log. The one
// lock is that of a source's trail, where the job has no pace: once in a turn (see Ages).
//
// Memory: tuples are read in place in frames that belong to the sender's log, and are borrowed until the task has
// acknowledged its position; what it emits is written into its own logs. Handlers borrow what they are given.
//
// A task that is to catch up behind the one that still speaks ("mute") is an ordinary task whose logs nobody reads: its
// consumers open no cursor before the switch, and trim by explicit position.
//
// Package task does not know graphs, threads or sockets. Everything but New and Close is called by one goroutine at a time.
package task
