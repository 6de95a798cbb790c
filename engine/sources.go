package engine

import (
	"context"
	"errors"
	"io"
	"sync"
	"time"
)

// SliceSource declares a source whose splits are slices, numbered from the first ordinal that the graph has not used.
func SliceSource[T any](g *Graph, id string, splits ...[]Record[T]) Stream[T] {
	s := SourceSpec[T]{}
	first := g.nextOrdinal()
	for i := range splits {
		s.Splits = append(s.Splits, Split{Ordinal: first + uint16(i), Weight: float64(len(splits[i]))})
	}
	s.Open = func(split Split, from Offset) (Reader[T], error) {
		return &sliceReader[T]{rows: splits[split.Ordinal-first], at: int(from.Place)}, nil
	}
	return Source(g, id, s)
}

func (g *Graph) nextOrdinal() uint16 {
	next := uint16(0)
	for _, op := range g.g.Operators {
		if op.Reading != nil {
			for _, s := range op.Reading.Splits {
				next = max(next, s.Ordinal+1)
			}
		}
	}
	return next
}

type sliceReader[T any] struct {
	rows []Record[T]
	at   int
}

func (r *sliceReader[T]) Read(dst []Record[T]) (int, error) {
	n := copy(dst, r.rows[r.at:])
	r.at += n
	if n == 0 {
		return 0, io.EOF
	}
	return n, nil
}

func (r *sliceReader[T]) Offset() Offset { return Offset{Place: int64(r.at)} }
func (r *sliceReader[T]) Close() error   { return nil }

// ErrClosed is returned by Push.Send once the source is closed or its job has ended.
var ErrClosed = errors.New("the push source is closed")

// Push is a source that the embedding program feeds. Send may be called by any number of goroutines; tuples are ordered
// by the moment at which they were taken. It can be read by one job, once.
type Push[T any] struct {
	mu     sync.Mutex
	rows   []Record[T]
	room   chan struct{} // closed and replaced whenever the job has taken rows
	cap    int
	taken  int64
	wake   func()
	closed bool
}

// NewPush makes a source that holds up to capacity tuples which the job has not taken; further ones wait.
func NewPush[T any](capacity int) *Push[T] {
	return &Push[T]{cap: max(capacity, 1), room: make(chan struct{}), wake: func() {}}
}

// Source declares the source in a graph.
func (p *Push[T]) Source(g *Graph, id string) Stream[T] {
	return Source(g, id, SourceSpec[T]{
		Splits: []Split{{Ordinal: g.nextOrdinal(), Name: id}},
		Live:   true,
		OnWake: func(wake func()) { p.mu.Lock(); p.wake = wake; p.mu.Unlock() },
		OnStop: p.Close,
		Open:   func(Split, Offset) (Reader[T], error) { return (*pushReader[T])(p), nil },
	})
}

// Send hands over a copy of *v, at the time at which the job takes it. It waits while the source is full (back-pressure),
// and returns ctx's error or ErrClosed if that does not end well.
func (p *Push[T]) Send(ctx context.Context, v *T) error { return p.SendAt(ctx, 0, v) }

// SendAt is Send with a logical time since the job's epoch; where that has passed already, the tuple gets the next time
// that has not.
func (p *Push[T]) SendAt(ctx context.Context, at time.Duration, v *T) error {
	for {
		p.mu.Lock()
		if p.closed {
			p.mu.Unlock()
			return ErrClosed
		}
		if len(p.rows) < p.cap {
			p.rows = append(p.rows, Record[T]{at.Milliseconds(), *v})
			wake := p.wake
			p.mu.Unlock()
			wake()
			return nil
		}
		room := p.room
		p.mu.Unlock()
		select {
		case <-room:
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}

// Close ends the input; what was sent before is still processed. A job that is drained or cancelled closes it, too.
func (p *Push[T]) Close() {
	p.mu.Lock()
	if p.closed {
		p.mu.Unlock()
		return
	}
	p.closed = true
	wake := p.wake
	p.signal()
	p.mu.Unlock()
	wake()
}

// signal tells those who wait in Send to look again. The caller holds mu.
func (p *Push[T]) signal() {
	close(p.room)
	p.room = make(chan struct{})
}

type pushReader[T any] Push[T]

// Read takes what has been sent.
func (r *pushReader[T]) Read(dst []Record[T]) (int, error) {
	p := (*Push[T])(r)
	p.mu.Lock()
	defer p.mu.Unlock()
	n := copy(dst, p.rows)
	if n == 0 {
		if p.closed {
			return 0, io.EOF
		}
		return 0, nil
	}
	p.rows = p.rows[:copy(p.rows, p.rows[n:])]
	p.taken += int64(n)
	p.signal()
	return n, nil
}

// Offset counts the tuples taken.
func (r *pushReader[T]) Offset() Offset { return Offset{Place: r.taken} }

// Close is called when the job ends: nobody will take anything any more.
func (r *pushReader[T]) Close() error {
	(*Push[T])(r).Close()
	return nil
}
