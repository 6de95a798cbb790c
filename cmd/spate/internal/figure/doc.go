// Package figure draws results of benchmarks as pictures for documents: throughput over load factor, each point the median
// of its repeats with a bar from the slowest to the fastest; and lines of anything over anything, on a page with their numbers.
//
// Throughput reads results as `spate bench lr --json` prints them; the package knows nothing of how they came about. Its functions may be
// called from any goroutine.
package figure
