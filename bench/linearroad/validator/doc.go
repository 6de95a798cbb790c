// Package validator tells whether the answers of a Linear Road run are right, from its input and its answers alone.
//
// It is written from LINEAR_ROAD.md and shares no rule with the operators, nor with the oracle. It does not play the
// streaming rules again either: it takes a stretch of input as a set of rows and sorts, groups and joins them.
//
//	reports   sort (xway, dir, vid), input order   runs without gap or exit: trips; of one segment: entries;
//	                                               four and more of one place: stops
//	speeds    sort (xway, dir, seg, minute, vid)   means of means: NOV and AVGS of each segment and minute
//	stops     sort (place, start)                  start while another stands, joined to the next end there: accidents
//	entries   sort (xway, dir, seg, minute)        one quote (LAV, toll, alert) for all who enter in that minute
//	charges   sort (vid, input order)              prefix sums: balances
//	answers   sort (type, key)                     merge join with what is expected: every fault
//
// A stretch is a window of whole minutes, which leaves a small past for the next: where vehicles on a trip stand, stops
// that still matter, five minutes of statistics, and account totals. [Validate] takes an input as a single window.
// [Online] takes a minute at a time, while the run goes on, of a [Sample] of whole expressways:
//
//	sink goroutines ── Tap.Observe: copies sampled answers ──chunks──┐
//	                ── Tap.Advance: nothing before second s comes ───┤ at most 64   ┌── Generate(xway, second)
//	source          ── Online.Input, unless generated again ─────────┴─▶ one goroutine: window after window ─▶ Report
//
// # Faults
//
// Kinds are Wrong (a field), Missing, Extra, Doubled, Disordered, and in paced runs Early and Late. What an answer is for
// is told by (vid, time) for types 0 and 1 and by qid for types 2 and 3. An answer whose key is wrong is therefore two
// faults, one Missing and one Extra (or Doubled, if the key is another's). Of several answers to one tuple the right one
// counts and the others are Doubled. Disordered are the fewest answers of a type without which the rest is in order of
// input. All faults are counted, and the first of each kind and type are kept with what the right answer follows from.
//
// Balances are accepted for any second of the 60 before the request (LINEAR_ROAD §6), and counted as stale where that
// second is not the request's. Requests of type 4 are counted as unanswered; an answer of type 4 is Extra.
//
// # A run that proves nothing
//
// If tolls above zero, alerts or non-zero balances are expected and the answers have none at all, the report fails on
// top of the single faults. If the input itself has none of them (or no charge), right answers are all alike and prove
// little: a warning, or a failure for what Options.Require names. Whoever makes the traffic knows what it should have.
//
// # A sample of expressways
//
// Types 0, 1 and 3 follow from their own expressway. A balance needs every charge of its vehicle, so it is exact only if
// all expressways on which the vehicle drives are in the sample: take them in groups that vehicles do not leave (the
// group argument of [Sample]), or name the others with OnlineOptions.Elsewhere. Balances of those are checked to be no
// less than what the sample charged, and counted in Report.BalancesPartly. OnlineOptions.Asked tells which answers to
// requests belong to the sample.
//
// # Invariants
//
//	reports of a window = members of its groups; 1 ≤ alike; starts ⇒ entered
//	detected ≤ cleared, and the accidents at one place do not overlap
//	windows share no second and come in order, so that moments of different windows compare
//	memory ≤ WaitingMax answers and tuples + a minute of sampled input + vehicles on a trip + vehicles ever charged
//
// # Goroutines
//
// Validate works on the caller's. A Tap belongs to one goroutine, and so does the Input of each expressway; both block
// while 64 chunks wait for the validator, which itself waits for nobody. It ends once the last tap is closed, so that a run
// that has failed leaves nothing behind. Finish comes after all of them, at most once. Reports are the caller's.
//
// # What it does not do
//
// It does not read files (see package format), does not repair or rank answers, and has no opinion on type 4. A run as
// fast as possible has no response times, so that nothing is late or early in it. Warm-up is not its concern: a histogram
// holds every response.
package validator
