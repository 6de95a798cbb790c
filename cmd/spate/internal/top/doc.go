// Package top watches a job on the terminal.
//
//	ticks ──▶ look.Take ──▶ Look ──┐
//	keys ──────────────────────────┴▶ model ──▶ lines, cut to what the terminal shows
//
// It takes a look at the coordinator every interval, shows the last one, and says so when the coordinator does not answer: the
// screen stays, since jobs go on without a coordinator. One look is under way at a time.
//
// Run belongs to one goroutine; the model lives on one of bubbletea's, which has ended when Run returns.
package top
