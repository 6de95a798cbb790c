package cli

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"log/slog"

	"github.com/fullspate/spate/cmd/spate/internal/progress"
)

// output is where one command puts its result.
type output struct {
	Console
	json bool
}

// result prints v as JSON if that was asked for, and otherwise what text writes.
func (o *output) result(v any, text func(w io.Writer) error) error {
	var b bytes.Buffer
	if o.json {
		e := json.NewEncoder(&b)
		e.SetIndent("", "  ")
		e.SetEscapeHTML(false)
		if err := e.Encode(v); err != nil {
			panic(fmt.Sprintf("BUG: result %T does not fit into JSON: %v", v, err))
		}
	} else if err := text(&b); err != nil {
		return err
	}
	if _, err := o.Stdout.Write(b.Bytes()); err != nil {
		return fmt.Errorf("writing the result: %w", err)
	}
	return nil
}

// progress begins a bar on the terminal.
func (o *output) progress(what string, total int64) *progress.Bar {
	return progress.Start(o.Stderr, o.Terminal, what, total)
}

// logger returns one that writes to standard error.
func (o *output) logger() *slog.Logger { return o.loggerFrom(slog.LevelInfo) }

// errors returns a logger that only tells of what has gone wrong.
func (o *output) errors() *slog.Logger { return o.loggerFrom(slog.LevelError) }

func (o *output) loggerFrom(least slog.Level) *slog.Logger {
	return slog.New(slog.NewTextHandler(o.Stderr, &slog.HandlerOptions{Level: least}))
}
