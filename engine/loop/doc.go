// Package loop runs tasks: a Loop is passive (Step), a Driver gives it a goroutine of its own.
//
//	Step: ──▶ task ──▶ task ──▶ task ──▶ …   one turn each, in topological order, then who may be asleep is woken
//
// A task belongs to one loop and only that loop touches it: there are no locks on the data path. Loops meet in their
// tasks' logs alone, which hand over by reference. A loop that has nothing to do tells until when, and its driver parks
// until then or until Wake; every other loop of the job wakes it after a turn that has moved something.
//
// Invariant: a loop goes to sleep only after a turn, begun when it was already marked as asleep, that found nothing to do;
// so what is published before the mark is seen cannot be slept through.
//
// Step is called by one goroutine at a time; Wake and Measures may be called by any.
package loop
