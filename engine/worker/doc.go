// Package worker is a worker process: it registers with the coordinator, runs its part of jobs on event loops, and tells how
// they are doing.
//
//	coordinator ◀── control connection ──▶ Worker (one goroutine: the desk)
//	                                          │ Deploy, Start, End, Release
//	                                          ▼
//	                                        job ── part of a deployment: tasks, logs, channels
//	                                       ╱   ╲
//	            reactor 0 ◀─ steps ── lane 0   lane 1 ── steps ─▶ reactor 1
//	                                   │ links  │ links
//	                                   ▼        ▼
//	                     lane a of worker x   lane b of worker y …      one connection for each pair of lanes
//
// A lane is what a job has on one event loop: the loop's tasks, and the connections to the lanes of other workers that its
// channels lead to or come from. Tasks of two lanes of one process exchange frames by reference, as in an embedded run.
//
// Of two workers the one that stands first in the Deploy message dials. A connection that breaks is dialled again, and goes
// on where the receiver is; what each end has keeps until then. The control connection is made again as well, for as long as
// the process lives: jobs go on while there is no coordinator.
//
// # Who may call, from where
//
// Run is called once. The desk goroutine owns the table of jobs and their phases; everything of a lane belongs to its
// reactor's goroutine, from the moment it is added until it is removed. Between them go closures: to the desk by post, to a
// lane by Reactor.Do.
//
// # Invariants
//
//   - A part of a job runs only between Start and its end; a Deploy of a higher epoch ends the part of a lower one.
//   - Messages of a coordinator whose epoch is below the highest seen are ignored.
//   - Ended is repeated at each registration until Release: it cannot be lost.
//
// # What it does not do
//
// It does not decide where tasks go, nor what to do about a worker that is lost.
package worker
