// Package report holds what a benchmark's result says about itself whatever was measured: where it comes from, how its
// repeats spread, and how two results compare.
//
// A result is a JSON object with three kinds of members:
//
//	origin     schema, version, commit, go, machine
//	settings   a "settings" list names them; two results compare only if they are the same
//	measures   of the run with the median rate; "spread" holds median, least and most of each over all runs
//
// Numbers inside objects are named by their path, so response_ms{"0":{"p99":…}} is the measure response_ms.0.p99.
//
// Everything here may be called from any goroutine.
package report
