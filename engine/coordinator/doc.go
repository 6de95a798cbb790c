// Package coordinator deploys jobs on workers and watches them: it is query manager and deployment manager of a cluster.
//
//	  HTTP API (coordinator/api)        workers (package control)
//	        │ Submit, End, Job…           │ messages ▲
//	┌───────▼─────────────────────────────▼──────────┼──────────┐
//	│ Server: the desk, one goroutine, and the clock │          │
//	│        │ events with their moment     Send, Close, Notify │
//	│        ▼                                       │          │
//	│     Machine ── actions ──▶ Append ──▶ sync ────┘          │
//	└───────────────────────────────┼───────────────────────────┘
//	                                ▼
//	                        journal (coordinator/journal)
//
// The Machine decides and does nothing: it is told what has happened and when, and says what is to be done. The Server does
// it. A job goes through these states, and each change is on disk before anybody is told:
//
//	            ┌─▶ recovering ─┐                  a worker is lost: others take its tasks
//	deploying ──▶ running ◀─────┘ ─▶ completed     every part has ended once
//	    │            ├─▶ draining ──▶ completed
//	    │            └─▶ cancelling ─▶ cancelled
//	    └──── any of them ──▶ failing ──▶ failed   a part failed, or what is lost cannot be made good: the others are aborted
//
// A worker is ready while it is connected, and lost when nothing was heard of it for the heartbeat timeout, its connection
// was broken for as long or its process is gone, another incarnation of it has registered, or it has not come back to a
// restarted coordinator within the grace. A worker that is lost may come back, with nothing.
//
// # Recovery
//
// A job that takes checkpoints outlives its workers, once it has begun and unless it is being ended. What a lost worker had goes
// to one that has had nothing of the job, or else to the survivor with the fewest tasks; nothing else moves. The new placement is
// an order with a higher epoch, which all parts that go on have to confirm. Until they have heard of it workers speak by the
// older one, which is no offence: a part is only given up that is lost. What has ended well stays so, and takes no tasks. If there
// is nobody to take them the job waits for a worker; another loss meanwhile makes another order. Of two workers without a data
// connection the one is lost, for this job, that fewer others reach. Tasks that are lost again and again wait before they are
// given to the next worker, see Restarts.
//
// # Reassignment
//
// Tasks of an operator hand their key ranges to others while the job runs: docs/elasticity.md has the whole. Here it is a sequence
// of orders, each with a higher epoch and on disk before anybody hears of it, and each confirmed by every part before the next:
//
//	registering ─▶ restoring ─▶ switching ─▶ done       the record with state switching is what decides
//	     └─────┬───────┘
//	           └─▶ giving up ─▶ given up                an order without the new tasks; or the order that makes a loss good
//
// What goes wrong before it is decided gives it up: a loss, a worker that cannot do its share, a phase that takes too long, a part
// that ends, a request to end the job, which is told once the order is confirmed, and a restart of the coordinator. After that it
// stands. A job has one at a time. Draining a worker is a sequence of them.
//
// Parts without tasks do not end by themselves, since they may be given some: they are told when all others have ended.
//
// # Restarts
//
// The coordinator may be killed and started again at any time. Workers go on, register again and say what they have; what may
// have got lost on the way is said again, and what the journal does not know is aborted. Each start has a higher epoch, which
// every message carries.
//
// # Invariants
//
//   - A job whose id was given to its submitter is known until it has ended, whatever happens to the coordinator.
//   - A part is started only when every part of its job is deployed.
//   - A job is completed only if each of its parts that is not lost has ended once, without an error, and its results are on disk,
//     and every task is in one of them.
//   - A task moves only when its worker is lost, and to a worker that has lost nothing of the job in its life. It goes only when
//     tasks that have its hashes have taken over, or when it was to take over and that is given up; its index is not used again
//     as long as there are others.
//   - The key ranges of an operator's tasks, but for new ones that have not taken over, tile the hashes in every order.
//   - A reassignment that was accepted comes to its end: done if its switch is on disk, given up otherwise.
//   - A worker is told to release a part only when it has told its end and the end of the job is on disk.
//   - Epochs of coordinators and of jobs only grow; so do the numbers in ids.
//   - Memory is bounded: 100 jobs that have ended, 64 lost workers, 256 events, 64 losses and 32 reassignments of a job, 1,024 events of the cluster.
//
// # Who may call, from where
//
// The methods of a Machine are called by one goroutine at a time, which is the Server's desk. The methods of a Server may be
// called from any goroutine; what they return is shared and must not be changed.
//
// # What it does not do
//
// It moves no tuples, does not start processes, and has no checkpoints: how lost tasks are brought back is the workers' affair.
package coordinator
