// Package linearroad runs the Linear Road query: over files (RunFile) and as a benchmark over generated expressways (Run).
//
//	feeder ▶ forwarder ┬▶ calculator ┬▶ collector ┬▶ tolls                    feeder … expenditure: package query
//	                   │             │            └▶ alerts                   tolls, alerts, balances, expenditures:
//	                   │             ├▶ assessment ▶ account ┬▶ balances      sinks with answers
//	                   ├─ requests ──┘                       └▶ totals        totals, activity, travels: sinks that count
//	                   ├▶ expenditure ▶ expenditures
//	                   └▶ travels       (calculator ▶ activity)
//
// Both are programs (Programs), built from their parameters in whatever process runs a part of them, and started with an
// engine.Runner. Nothing but JSON goes between Run or RunFile and those processes:
//
//	Run ── Params ──▶ each process: source tasks, operators ─▶ sinks with answers ─ meters, judge ─ taps ─▶ validator
//	 ▲                                                         other sinks ─ tally
//	 └── Stats while it runs; at the end Results: answers (counts, response times), activity, validation, skipped
//
// A run over files has one task for each sink, so that answers are in order of input. A benchmark in one process has one for
// each loop: nothing in it is done by one core only, its answers go to the online validator of whole expressways and to
// nobody else. On workers each sink with answers has one task, and all of them are in one process, because the validator must
// see all answers of an expressway. Building a graph opens no file, makes no traffic and starts no goroutine; sources and sinks
// do so when they are opened, and the validation ends by itself after the last sink.
//
// The measured part of a benchmark begins when the calculator's slowest task has passed the warm-up, or up to 50 ms before,
// and ends with the run; reports, rate, allocations and response times are of this part. A run over files is measured from its
// second 0 on: the data feeder reads the whole history first. Response times run from the moment at which an input
// tuple was scheduled (LINEAR_ROAD §2), which is its logical time over the pace, and never from a later one at which the
// feeder managed to read it.
//
// Invariants: counts of all processes add up to those of one; exactly one process tells a report if any validates.
//
// Run and RunFile may be called from any goroutine, also at once. They do not print, and know no rule of the benchmark.
package linearroad
