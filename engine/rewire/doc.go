// Package rewire leads the channels of a running deployment to where lost tasks are now.
//
//	before:   U ──▶ T ──▶ C        T's worker is gone
//	U's side: U's log, which holds everything since T's last checkpoint, is read by the link to T's new place (Lead)
//	C's side: the channel from the old T ends at f, where everything of it has come; its successor begins there (Lead)
//	T's side: T is back at its checkpoint's position p; it wants everything from p on, and what it makes again below f, C
//	          does not ask for (Join)
//
// Each worker does its side when it hears of the loss, in any order and without waiting for the others: what one end wants
// before the other is ready is served later. On a worker that is given lost tasks, those that it has already and those that
// come back meet through their logs alone.
//
// What an order changes for a worker says Changes; what is to be done about channels does Follow; who keeps whose checkpoints
// from then on says Assign.
//
// Everything is for one goroutine at a time, the one that decides about the deployment; what touches a task, its logs or its
// links is run by Site.On, where the task's loop is not in a turn.
package rewire
