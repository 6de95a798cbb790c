// Package network measures the engine's data path between two processes with three queries over one generated source.
//
//	hop      tuples(1) ═══▶ arrivals(1)                                     one hop, as fast as it goes
//	keyed    tuples(2) ═══▶ counter(2) ──▶ counts(1)                        counting by key, as fast as it goes
//	hops     tuples(2) ═══▶ first(2) ═══▶ second(2) ═══▶ arrivals(2)        three hops, at a pace
//	         worker 0       worker 1      worker 0       worker 1
//
//	═══▶ crosses from one worker to the other, (n) is the number of tasks
//
//	Tuple   τ (8) | key hash (8) | key (8) | number within its split (8) | check (8)     40 bytes
//
// With two splits their rates are 4 : 1. The operators are pinned to the workers 0 and 1 in turns where the Runner has them;
// in one process the same queries run with nothing that crosses.
//
// A source makes its records in blocks, a few ns each; what that costs is measured beside hop and keyed, by a run of the
// source alone with nothing behind it. Beside hop runs the bare sender of package bare, as a job on the same two workers: 64
// KiB buffers and nothing of the engine. Every repeat measures all of them, so that what slows the machine slows them alike.
//
// In hops both operators have the same key. So first's task i sends to second's task i alone, and the other channel is idle
// for the whole run, as it is from second to arrivals: every tuple waits for the frontier of a channel that never carries
// one. A response time runs from the time of the tuple, at which its source may release it, to the arrival.
//
// # How it is checked
//
// Every tuple's check is verified by everyone who gets it. Arrivals come in order of τ, and those of a split in the order
// of their numbers; second's count of a key is first's when it sent the tuple, so that the order of each key is checked too.
// What breaks this ends the run with an error that says where. In keyed every key comes up a last time at the end of the
// input, and its count is told. In the end, over all tuples or all counts:
//
//	number of tuples = what the source made      sum of their keys = that of what the source made, modulo 2⁶⁴
//
// # How it is measured
//
// Rates are measured by the sink, on its job's clock, from the first tuple after the warm-up to the last: on workers,
// counters of a running job are as old as their last report. Bytes are those of the connections between workers: headers,
// frontiers and acknowledgements included.
//
// Run calls Config.Progress from the goroutine that called it. The bare sender occupies the loop that it is on while it
// sends; no other job should run on the workers meanwhile.
package network
