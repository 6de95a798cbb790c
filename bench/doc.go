// Package bench lists the programs of the benchmarks: what a worker must know by name to run a part of any of them.
//
//	cmd, workers ──▶ bench.Programs ──▶ linearroad (generated expressways, files), wordcount, topk,
//	                                     network (hop, keyed, hops, bare), recovery
//
// The benchmarks themselves are the packages below it; each has a Run that starts its program with an engine.Runner, in this
// process or on workers, and judges what the processes tell. Programs returns a new list each time; any goroutine may call it.
package bench
