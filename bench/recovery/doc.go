// Package recovery measures what recovery takes and what checkpoints cost, on the query and in the manner of the paper by Castro
// Fernandez et al. (SIGMOD 2013): windowed word frequency over fragments of 140 bytes, on worker processes.
//
//	worker 0                     worker 1          worker 2               worker 0          worker 3
//	fragments ── 140 bytes ──▶ splitter ── words ──▶ counter ── counts ──▶ counts (sink)      spare
//	                                                 killed, comes back on the spare one
//
// The counter tells every count that changes, and all again at the end of their windows of 30 s, so that the sink has
// something to time at any moment. Input.Load makes the state large: a dictionary of words with 256 bytes each, loaded within
// seconds, whose words then come in any order, straight from the source.
//
// RunKills kills the counter's worker (SIGKILL) at random moments between two checkpoints. From the kill on, by the clock of this
// machine:
//
//	kill ── detected ── ordered ── restored     as the coordinator has noted it: the worker is lost, its task was given to
//	                                            another, all say that they go on
//	kill ── caught up                           the first count that arrives after the order: the counter's position has passed
//	                                            where the killed one had been, since what came from that does not arrive twice
//	kill ── normal                              the beginning of the first 500 ms whose counts have a p99 of at most 1.5 times that
//	                                            of the 2 s before the kill, by when they were due
//
// RunMoves scales the counter out to two tasks, in again, and moves it to another worker, while counts go on.
//
// RunOverhead runs the query with checkpoints and without in turns.
//
// A response time is that from when the source was to emit what caused a count, by the pace, to the count's arrival. All are
// kept: by millisecond of when they were due, to the microsecond.
//
// Right are the answers if each count that arrives is one more than the one before of that word in that window, which the
// sink sees to, and if the last ones are those of a reference that is computed from the input alone.
//
// RunKills, RunMoves and RunOverhead start processes, belong to one goroutine, and call Config.Progress from it. What the paper compares with,
// upstream backup and source replay, is not measured: the engine does not have it.
package recovery
