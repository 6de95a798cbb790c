// Package progress draws one bar on a terminal for work that takes long.
//
//	bar := progress.Start(os.Stderr, terminal, "generate", total)
//	defer bar.Stop()
//	bar.Set(done)
//
// A bar appears only when the work has taken two seconds, and only on a terminal; Stop erases it. Set may be called from
// any goroutine and costs one atomic store: the bar looks at the number ten times a second by itself. Start and Stop
// belong to one goroutine. Between them nothing else should write to the terminal.
package progress
