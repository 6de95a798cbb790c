// Package oracle answers Linear Road one tuple at a time, in one goroutine, in the plainest way that can be right: maps
// of structs, exact fractions, one function per rule of LINEAR_ROAD.md (§ below). What it says is what every other way
// of running the benchmark has to say. It shares the shape of lines (package format) with them and no rule.
//
//	o := oracle.New(oracle.Paper, history)
//	answers, err = o.Feed(answers[:0], &tuple)        // the answers to this tuple, emit zero
//
// Where things are held:
//
//	trips       (vid, xway, dir)        → last segment, last report, pending toll, how often in a row at one place   §4 §5 §6
//	balances    vid                     → everything charged so far                                                  §6
//	statistics  minute, segment         → the reports of the open minute by vehicle; NOV and sum of AVGV of the
//	                                      five minutes before it                                                     §3
//	accidents   (xway, dir, lane, pos)  → who stands there, and the accident not yet cleared                         §5
//	            (xway, dir)             → accidents with their first and last minute in force
//
// Order. Input must not go back in time, and answers come in order of input. A report that causes both a toll
// notification (type 0) and an accident alert (type 1) gives the notification first.
//
// What the rules leave to a reader is decided like this:
//   - A trip sees only its own reports: the same vid on another expressway or direction moves nobody here.
//   - Every report counts, also several of one vehicle in one second: towards AVGV, and as a consecutive report for a
//     stop.
//   - A vehicle is silent when more than 60 s have passed, so all through second last+60 it still stands. It has then
//     gone at last+60: if another stops in that very second, the other one came first.
//   - All who stand at a place while it has an accident are part of it, whoever was first; the first of them to go
//     clears it.
//   - After that the next accident takes another vehicle that becomes stopped there, by its fourth equal report and by
//     none of those that follow. All who still stand are part of it.
//   - Official rules: an accident ends with the minute after the last stopped report of the vehicle that cleared it.
//   - The history decides about day 0 as about any other day.
//
// Invariants: in statistics, closed minutes lie in open−5 … open−1; a vehicle stands at a place exactly while its trip
// is stopped and at most 60 s old; a site's accident is not nil only while at least two vehicles stand there.
//
// The package does not read files, does not answer travel time requests (it counts them), and does not check the ranges
// of fields, which reading lines has done.
package oracle
