// Package sim runs a graph as production would, but on one goroutine, in virtual time, and by a schedule that a seed
// decides: which task takes a turn and for how many tuples, when the network delivers how much, when checkpoints are
// taken, when operator objects are forgotten and tasks are lost. A seed that fails fails again.
//
//	task ── log ── cursor ──▶ copy ── in flight ──▶ delivered ── Feed ──▶ channel of the consumer
//	                          └──────────── a link ────────────┘
//
// What a run yields is what its sinks were given; that must not depend on the seed. So whoever tests runs many seeds and
// compares each with Reference, or with an answer that was come by without the engine.
//
// The schedule knows these rules, which are the same for any driver of tasks:
//
//   - a checkpoint that is durable trims the logs that feed the task, at any later moment;
//   - a log that is half full asks its consumer for a checkpoint, again and again; who has not moved since its last one
//     answers with that;
//   - a task that is lost comes back from its last durable checkpoint. Its consumers keep what lies below a time s, which is
//     at most the frontier they have received from it, and read its new logs from s on.
//
// Besides tasks and links the seed decides on parallelism, fusing, sizes of frames and logs, pace, and whether
// checkpoints or consumption trim logs (faults need checkpoints).
//
// Checked after every turn: positions do not go back and do not pass holds, nor the frontiers published and delivered. What
// a task has acknowledged is overwritten, so that reading it later is noticed. A schedule in which nothing can move before
// the end is an error that comes with a picture of all positions, frontiers and logs.
//
// A run belongs to the goroutine that calls Run. Any number may go on at once, each with a graph of its own.
package sim
