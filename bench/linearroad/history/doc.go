// Package history holds the toll history of Linear Road: what each vehicle spent on each of the last 69 days.
//
//	a row in a file     vid,day,xway,toll         at most one per (vid, day), day 1 (yesterday) … 69
//	the answer          the toll of the row (vid, day, xway), or 0 if there is none
//
// There are two histories. The built-in one is a pure function of (seed, vid, day), so it needs no storage at any scale and
// anybody can compute it again:
//
//	hash(seed, vid)       1 in 64: the vehicle has no history at all
//	hash(seed, vid, day)  7 in 8: the row is on the vehicle's home expressway vid >> HomeShift, else on the one beside it; toll 10 … 99
//
// The other is loaded from a file by whoever keeps it: Reader checks and yields rows and stores nothing. Write puts the
// built-in history of given vehicles into such a file, and then both give the same answers for these vehicles.
//
// Functions may be called from any goroutine; a Reader belongs to one at a time. Requests and answers are not its business.
package history
