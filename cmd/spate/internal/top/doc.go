// Package top watches a job on the terminal.
//
//	ticks ──▶ look.Take ──▶ Look ──┐
//	keys ──────────────────────────┴▶ model ──▶ lines ──▶ as many as the terminal has room for
//
// It takes a look at the coordinator every interval, shows the last one, and says so when the coordinator does not answer: the
// screen stays, since jobs go on without a coordinator. One look is under way at a time.
//
// Run belongs to one goroutine, which has the model; looks are taken and keys are read on two others, which have ended when it
// returns. The terminal is then as it was before.
package top
