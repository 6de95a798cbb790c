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
//	deploying ──▶ running ──▶ completed            every part has ended once
//	    │            ├─▶ draining ──▶ completed
//	    │            └─▶ cancelling ─▶ cancelled
//	    └──── any of them ──▶ failing ──▶ failed   a part failed, or its worker is lost: the others are aborted
//
// A worker is ready while it is connected, and lost when nothing was heard of it for the heartbeat timeout, its connection
// was broken for as long, another incarnation of it has registered, or it has not come back to a restarted coordinator within
// the grace. A worker that is lost may come back, with nothing.
//
// The coordinator may be killed and started again at any time. Workers go on, register again and say what they have; what may
// have got lost on the way is said again, and what the journal does not know is aborted. Each start has a higher epoch, which
// every message carries.
//
// # Invariants
//
//   - A job whose id was given to its submitter is known until it has ended, whatever happens to the coordinator.
//   - A part is started only when every part of its job is deployed.
//   - A job is completed only if each of its parts has ended once, without an error, and its results are on disk.
//   - A worker is told to release a part only when it has told its end and the end of the job is on disk.
//   - Epochs of coordinators and of jobs only grow; so do the numbers in ids.
//   - Memory is bounded: 100 jobs that have ended, 64 lost workers, 256 events of a job, 1,024 of the cluster.
//
// # Who may call, from where
//
// The methods of a Machine are called by one goroutine at a time, which is the Server's desk. The methods of a Server may be
// called from any goroutine; what they return is shared and must not be changed.
//
// # What it does not do
//
// It moves no tuples, does not start processes, and does not bring back what was lost: a job that loses a worker fails.
package coordinator
