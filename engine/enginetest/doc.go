// Package enginetest is for those who write operators: it runs their graph by hundreds of random schedules in virtual
// time, on tiny frames and logs, at any parallelism, while operator objects are forgotten and tasks are lost, and compares
// what the sinks are given with a plain run of the same graph, or with what is expected.
//
//	input (Feed) ──▶ the operators under test ──▶ Collect        Check: every schedule gives the same
//
// An operator that keeps state in a Go variable, looks at the wall clock, iterates in an order that differs between runs or
// fails in some schedule is found out. What Check cannot know is whether the answers are right: compare Results with
// what is expected for that.
//
// A test that fails prints the command that runs the failing schedule alone: its seed is given in the environment variable
// SPATE_SEED.
package enginetest
