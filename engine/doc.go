// Package engine is what a program sees that embeds spate: it declares a query as a graph of operators and runs it, in
// the calling process on all its cores.
//
//	source ──▶ stateless ──▶ keyed (tables, timers) ──▶ sink
//	   τ assigned                merged and processed in order of τ
//
// Every stream is totally ordered by logical time τ, and every operator consumes its inputs in that order; so results are
// a function of the input alone, the same at any parallelism. For that, operators must be deterministic: no wall clock,
// no randomness of the process, no state but what they declare. A declaration is run once to learn what it declares, and
// again for every task and whenever an operator object is rebuilt.
//
// Glossary, one word for one thing everywhere:
//
//	tuple        (τ, key hash, payload)
//	stream       what an operator emits through one named output
//	operator     a node of the graph: source, stateless, keyed or sink
//	task         one partition of an operator; owns a range of key hashes (a source's task: some splits)
//	split        a part of a source's input, fixed by the input
//	channel      (upstream task, stream, input port, task); carries tuples in non-decreasing τ, and a frontier
//	frontier     nothing with a time below it will come any more
//	position     every effect of everything below it is in the task's state
//	step         everything of one τ at one task; atomic
//	log          the sending end of a channel: output queue and replay log in one
//	frame        a sealed run of tuples
//	loop         what takes tasks through their turns, one per core
//	checkpoint   state, timers, position and untrimmed output of a task
//
// A Graph is built by one goroutine and may be run any number of times, also at once; nothing is global. A Job's methods
// may be called from any goroutine. What handlers are given is borrowed until they return.
package engine
