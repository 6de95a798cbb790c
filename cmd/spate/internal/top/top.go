package top

import (
	"context"
	"errors"
	"io"
	"time"

	tea "github.com/charmbracelet/bubbletea"

	"github.com/fullspate/spate/cmd/spate/internal/look"
)

// Config says what is watched and where it is shown.
type Config struct {
	Source   look.Source
	Job      string        // the job that is shown first; empty for the youngest that runs
	Interval time.Duration // between two looks
	Screen   io.Writer     // a terminal
	Keys     io.Reader     // what is typed on it; nil for nothing
}

// Run shows the cluster until the user has seen enough or ctx is done, which is its error then.
func Run(ctx context.Context, c Config) error {
	m := &model{ctx: ctx, Config: c}
	program := tea.NewProgram(m, tea.WithContext(ctx), tea.WithOutput(c.Screen), tea.WithInput(c.Keys), tea.WithAltScreen(), tea.WithoutSignalHandler())
	_, err := program.Run()
	if ctx.Err() != nil && errors.Is(err, tea.ErrProgramKilled) {
		return context.Cause(ctx)
	}
	return err
}
