// Package checkpoint takes checkpoints of the tasks of one loop while they go on.
//
//	loop's goroutine      Freeze ──▶ Step ▪ Step ▪ Step ────────────────▶ Durable: logs that feed the task are trimmed
//	                         │         │ copied segments                      ▲
//	another                  └───────▶ encode, compress ──▶ keep: a store, other workers
//
// A Taker is passive, as the loop is: the loop calls Step between turns, and a turn is never held up for longer than one
// slice. Which task is next its ft.Schedule says; a task whose feeding logs are half full is asked for besides. One task at
// a time is at it. What keeps checkpoints is handed in.
//
// Invariants: a task is told that it is durable at p only after the checkpoint at p is kept; a checkpoint that builds upon
// another is taken only if that one is kept, otherwise the next one is complete by itself; generations of a task only grow.
//
// Everything but Kept callbacks is for the loop's goroutine.
package checkpoint
