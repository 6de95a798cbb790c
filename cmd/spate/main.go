// Spate generates, runs, validates and measures stream queries on the spate dataflow engine. See spate --help.
package main

import (
	"context"
	"os"
	"os/signal"
	"syscall"

	"golang.org/x/term"

	"github.com/fullspate/spate/cmd/spate/internal/cli"
)

func main() {
	// A closed pipe is an error of the write, which then ends the command as any other does.
	signal.Ignore(syscall.SIGPIPE)
	// The first interrupt asks the command to end, the second ends it.
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	context.AfterFunc(ctx, stop)
	os.Exit(cli.Main(ctx, os.Args[1:], cli.Console{
		Stdout:   os.Stdout,
		Stderr:   os.Stderr,
		Terminal: term.IsTerminal(int(os.Stderr.Fd())),
		Screen:   term.IsTerminal(int(os.Stdout.Fd())),
	}))
}
