package progress

import (
	"io"
	"sync"
	"sync/atomic"
	"time"

	"github.com/vbauerster/mpb/v8"
	"github.com/vbauerster/mpb/v8/decor"
)

const (
	delay   = 2 * time.Second        // shorter work needs no bar
	refresh = 100 * time.Millisecond // fast enough to look alive
	width   = 48                     // columns of the bar itself, so that the numbers fit beside it in 80
)

// Bar is one piece of work and how far it has come.
type Bar struct {
	done atomic.Int64
	stop chan struct{}
	join sync.WaitGroup
}

// Start begins to watch a piece of work that is over at total, in any unit. With a total of 0 or less, or without a
// terminal, nothing is ever drawn.
func Start(w io.Writer, terminal bool, what string, total int64) *Bar {
	return start(w, terminal, what, total, delay)
}

func start(w io.Writer, terminal bool, what string, total int64, delay time.Duration) *Bar {
	b := &Bar{stop: make(chan struct{})}
	if terminal && total > 0 {
		b.join.Go(func() { b.watch(w, what, total, delay) })
	}
	return b
}

// Set says how much is done.
func (b *Bar) Set(n int64) { b.done.Store(n) }

// Add says how much more is done.
func (b *Bar) Add(n int64) { b.done.Add(n) }

// Stop erases the bar if it was drawn. It may be called once.
func (b *Bar) Stop() {
	close(b.stop)
	b.join.Wait()
}

func (b *Bar) watch(w io.Writer, what string, total int64, delay time.Duration) {
	timer := time.NewTimer(delay)
	defer timer.Stop()
	select {
	case <-timer.C:
	case <-b.stop:
		return
	}
	drawn := mpb.New(mpb.WithOutput(w), mpb.WithWidth(width), mpb.WithAutoRefresh(), mpb.WithRefreshRate(refresh))
	bar := drawn.AddBar(total,
		mpb.BarRemoveOnComplete(),
		mpb.PrependDecorators(decor.Name(what+" ")),
		mpb.AppendDecorators(decor.Percentage(decor.WC{W: 5}), decor.Name("  "), decor.AverageETA(decor.ET_STYLE_GO), decor.Name(" left")),
	)
	bar.DecoratorAverageAdjust(time.Now().Add(-delay))
	ticker := time.NewTicker(refresh)
	defer ticker.Stop()
	for {
		// One short of the total, since a full bar ends by itself and the work is over only when Stop says so.
		bar.SetCurrent(min(b.done.Load(), total-1))
		select {
		case <-ticker.C:
		case <-b.stop:
			bar.Abort(true)
			drawn.Wait()
			return
		}
	}
}
