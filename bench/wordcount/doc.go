// Package wordcount is the windowed word frequency query of the paper by Castro Fernandez et al. (SIGMOD 2013): how
// often each word occurred in every 30 seconds of a stream of text fragments of 140 bytes.
//
//	fragments ──▶ splitter ── words ──▶ counter (keyed by word) ── frequencies, at the end of each window ──▶ sink
//	                                    word → count, timer
//
//	Fragment   used (4) | text, words between single spaces (140)           144 bytes
//	Word       length (1) | letters (15)                                     16 bytes
//	Frequency  word (16) | window end in ms (8) | count (8)                  32 bytes
//
// The input is a function of InputConfig alone: record i of split x can be made without those before it. Words are spelled
// from syllables and drawn with Zipf weights. Windows begin at multiples of 30 s, hold records with
// begin ≤ ms < end, and are emitted when the end has come, the last one too if the input stops inside it; words that
// did not occur in a window are not part of its answer.
//
// Reference counts the same with a plain map, from the text and nothing else; Run measures the query and compares its
// answers with that. A response time is that of one frequency, from the end of its window to the sink.
//
// Invariants, for a window with n words, d different ones among them:
//
//	d frequencies ≤ n      sum of their counts = n
//
// An Input is immutable and may be used by any goroutine. Run calls Config.Progress from the goroutine that called it.
// All answers are held in memory while they are validated: some 40 bytes for each word that occurs in a window.
package wordcount
