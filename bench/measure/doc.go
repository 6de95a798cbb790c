// Package measure runs a benchmark: a query over an input of known length, as often as asked, measured and checked.
//
//	         Warm                                Seconds of input
//	├────────────────────┼───────────────────────────────┤
//	  not measured         tuples, time, allocations, response times
//
//	Benchmark (source, query, reference) ── Run ──▶ Result: Measures and a Check for each run, in order
//
// Response times run from the moment at which an answer was due, in real time by the run's pace, to the one at which the
// sink had it; without a pace there are none. Answers that the end of the input brought about before they were due are
// not timed.
//
// A check compares the answers of a run, whatever their order, with a reference that is computed once, after the runs,
// so that it disturbs none of them. Invariants, for a check of a answers against a reference of r:
//
//	a − extra = r − missing      wrong ≤ a − extra
//
// Progress functions are called by the goroutine that called Run, results belong to who called it. The package does not
// know what a query computes, and it holds all answers of all runs in memory: a benchmark with more than fit is run
// without validation.
package measure
