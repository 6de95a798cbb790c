// Package measure runs a benchmark: a query over an input of known length, as often as asked, measured and checked.
//
//	         Warm                                Seconds of input
//	├────────────────────┼───────────────────────────────┤
//	  not measured         tuples, time, allocations, response times
//
//	Benchmark (source, query, reference) ── Run ──▶ Result: Measures and a Check for each run, in order
//
// A run is an engine.Program: the graph is built from Params, by the calling process or by workers, and nothing but JSON
// goes between the caller and those who run it.
//
//	Run ─ Watch ── Params (JSON) ──▶ engine.Runner ─▶ in each process: Program.Build: source, query, sink tasks
//	         ▲                                              │ told (JSON): count, packed answers, Responses
//	         ├────────────── Stats, while it runs ──────────┤
//	         └────────────── Results, at the end ◀──────────┘ merged by Gather
//
// Watch, Gather, Responses, Median and WriteHDR serve other benchmarks as well. What is measured are sums over the processes
// that run the job, so that a worker's allocations and processor time count like those of a loop.
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
// A run ends when all that is to be told of it is there: what packing the answers takes is measured too.
//
// Progress functions are called by the goroutine that called Run, results belong to who called it. Sinks are opened, and
// results taken, by whoever runs the job. The package does not know what a query computes, and it holds all answers of all
// runs in memory: a benchmark with more than fit, or than a worker can tell in one message, is run without validation.
package measure
