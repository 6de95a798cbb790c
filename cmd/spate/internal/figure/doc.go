// Package figure draws results of benchmarks as pictures for documents: throughput over load factor, each point the median
// of its repeats with a bar from the slowest to the fastest.
//
// It reads results as `spate bench lr --json` prints them and knows nothing of how they came about. Its functions may be
// called from any goroutine.
package figure
