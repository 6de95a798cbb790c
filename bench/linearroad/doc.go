// Package linearroad runs the Linear Road query: over files (RunFile) and as a benchmark over generated expressways (Run).
//
//	feeder ▶ forwarder ┬▶ calculator ┬▶ collector ┬▶ tolls                    feeder … expenditure: package query
//	                   │             │            └▶ alerts                   tolls, alerts, balances, expenditures:
//	                   │             ├▶ assessment ▶ account ┬▶ balances      sinks with answers
//	                   ├─ requests ──┘                       └▶ totals        totals, activity, travels: sinks that count
//	                   ├▶ expenditure ▶ expenditures
//	                   └▶ travels       (calculator ▶ activity)
//
// A run over files has one task for each sink, so that answers are in order of input. A benchmark has one for each loop:
// nothing in it is done by one core only, its answers go to the online validator of whole expressways and to nobody else.
//
// The measured part of a benchmark begins when the calculator's slowest task has passed the warm-up and ends with the run;
// reports, rate, allocations and response times are of this part. Response times run from the moment at which an input
// tuple was scheduled (LINEAR_ROAD §2), which is its logical time over the pace, and never from a later one at which the
// feeder managed to read it.
//
// Run and RunFile may be called from any goroutine, also at once. They do not print, and know no rule of the benchmark.
package linearroad
