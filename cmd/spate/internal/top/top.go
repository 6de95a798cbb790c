package top

import (
	"context"
	"fmt"
	"sync"
	"time"

	"github.com/gdamore/tcell/v2"

	"github.com/fullspate/spate/cmd/spate/internal/look"
)

// Config says what is watched and where it is shown.
type Config struct {
	Source   look.Source
	Job      string        // the job that is shown first; empty for the youngest that runs
	Interval time.Duration // between two looks
	Screen   tcell.Screen  // nil for the terminal of the process
}

// Run shows the cluster until the user has seen enough or ctx is done, which is its error then.
func Run(ctx context.Context, c Config) error {
	if c.Screen == nil {
		var err error
		if c.Screen, err = tcell.NewScreen(); err != nil {
			return fmt.Errorf("terminal: %w", err)
		}
	}
	if err := c.Screen.Init(); err != nil {
		return fmt.Errorf("terminal: %w", err)
	}
	var helpers sync.WaitGroup
	defer helpers.Wait()
	defer c.Screen.Fini()
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	w := &watch{
		model: model{job: c.Job}, Config: c, helpers: &helpers,
		looks: make(chan looked, 1), events: make(chan tcell.Event),
	}
	helpers.Go(func() { c.Screen.ChannelEvents(w.events, ctx.Done()) })
	return w.run(ctx)
}

// watch is a terminal that is being looked at.
type watch struct {
	Config
	model
	helpers *sync.WaitGroup
	looks   chan looked // has room for the one that is under way
	events  chan tcell.Event
}

// lookTimeout is how long an answer is waited for, at least.
const lookTimeout = 3 * time.Second

func (w *watch) run(ctx context.Context) error {
	next := time.NewTimer(0) // until the next look
	defer next.Stop()
	for {
		w.draw()
		select {
		case <-ctx.Done():
			return context.Cause(ctx)
		case <-next.C:
			if w.paused {
				next.Reset(w.Interval)
				continue
			}
			w.take(ctx)
		case l := <-w.looks:
			w.see(l)
			next.Reset(w.Interval)
		case e := <-w.events:
			if over := w.event(e); over {
				return context.Cause(ctx) // nil, unless that is why the terminal tells nothing any more
			}
		}
	}
}

// take looks at the cluster, on a goroutine of its own.
func (w *watch) take(ctx context.Context) {
	job := w.job
	w.helpers.Go(func() {
		ctx, cancel := context.WithTimeout(ctx, max(2*w.Interval, lookTimeout))
		defer cancel()
		l, err := look.Take(ctx, w.Source, job)
		w.looks <- looked{job, l, err}
	})
}

// event takes what the terminal tells, and says whether the user has seen enough.
func (w *watch) event(e tcell.Event) (over bool) {
	switch e := e.(type) {
	case nil: // the terminal is gone
		return true
	case *tcell.EventResize:
		w.Screen.Sync()
	case *tcell.EventKey:
		return w.key(e.Key(), e.Rune())
	}
	return false
}

var styles = map[kind]tcell.Style{
	plain: tcell.StyleDefault,
	head:  tcell.StyleDefault.Bold(true),
	faint: tcell.StyleDefault.Dim(true),
	alarm: tcell.StyleDefault.Bold(true).Foreground(tcell.ColorRed),
}

// draw puts on the screen what there is room for.
func (w *watch) draw() {
	width, height := w.Screen.Size()
	w.Screen.Clear()
	for y, l := range w.screen(height) {
		text := []rune(l.text)
		if len(text) > width {
			text = append(text[:max(width-1, 0)], '…')
		}
		w.Screen.PutStrStyled(0, y, string(text), styles[l.kind])
	}
	w.Screen.Show()
}
