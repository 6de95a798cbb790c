// Package topk is the page view query of the paper by Castro Fernandez et al. (SIGMOD 2013): which language versions of
// an encyclopedia had the most views in every 30 seconds.
//
//	views ──▶ map (host → language) ── visits ──▶ reduce (keyed by language) ── openings, during a window ──▶ rank ──▶ sink
//	                                              language → count, timer    └─ totals, at its end ───────▶ keyed by window
//
// A window is ranked a millisecond after its end, when all totals have come. The timer for that is set by an opening, long
// before: a timer that is set when the input has ended does not fire.
//
//	View     user (8) | page (8) | host, zero padded (24)                    40 bytes
//	Place    window end in ms (8) | language (8) | views (8) | rank (8)      32 bytes
//
// The input is a function of InputConfig alone: record i of split x can be made without those before it. Languages, and the
// pages of each, are drawn with Zipf weights; a host names its language before the first dot, and the same language has
// a desktop and a mobile host. Windows begin at multiples of 30 s, hold records with begin ≤ ms < end, and are ranked
// when the end has come, the last one too if the input stops inside it. Among languages with equally many views the
// first in alphabetical order is ahead. A window has at most K places, fewer if fewer languages were viewed.
//
// Reference ranks the same with a plain map and a sort; Run measures the query and compares its answers with that. A
// response time is that of one place, from the end of its window to the sink.
//
// Invariants, for a window in which d > 0 languages were viewed:
//
//	places = min(K, d)      views do not grow with rank
//
// An Input is immutable and may be used by any goroutine. Run calls Config.Progress from the goroutine that called it.
package topk
