package cli

import (
	"context"
	"time"

	"github.com/fullspate/spate/cmd/spate/internal/inspect"
)

type stateCommand struct {
	Inspect stateInspectCommand `cmd:"" help:"Look into checkpoints or a savepoint."`
}

type stateInspectCommand struct {
	Dir  string `arg:"" help:"Folder of checkpoints, also of a run that goes on, or a savepoint."`
	Task string `placeholder:"OPERATOR[/I]" help:"Tasks of one operator, or one of them, from 0 (default: all)."`
	Key  string `placeholder:"K" help:"Print what tables have under a key: a number, text, or bytes in hexadecimal after 0x."`
}

// Help shows examples.
func (stateInspectCommand) Help() string {
	return `Says for each task and table how many records and bytes there are, how old they are, and which 64ths of the hashes have most;
and what one key has, as JSON. Nothing is changed, and a run that uses the folder does not notice.

	spate state inspect checkpoints
	spate state inspect savepoints/monday --task calculator/2 --json
	spate state inspect checkpoints --task assessment --key 42`
}

// Run prints it.
func (c *stateInspectCommand) Run(ctx context.Context, out *output) error {
	r, err := inspect.Look(ctx, inspect.Config{Dir: c.Dir, Task: c.Task, Key: c.Key, Now: time.Now()})
	if err != nil {
		return err
	}
	return out.result(r, r.Text)
}
