package task

import (
	"fmt"
	"io"
	"testing"
	"unsafe"

	"github.com/fullspate/spate/buffers"
	"github.com/fullspate/spate/partition"
	"github.com/fullspate/spate/wire"
	"github.com/fullspate/spate/wire/slab"
	"go.uber.org/goleak"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// bench holds what a test of one task needs: logs that feed it, and what it did.
type bench struct {
	*testing.T
	pool *slab.Pool
	logs []*buffers.Log
	did  []string
}

func newBench(t *testing.T) *bench {
	b := &bench{T: t, pool: slab.New(slab.Config{})}
	t.Cleanup(func() {
		for _, l := range b.logs {
			l.Close()
		}
		if err := b.pool.Close(); err != nil {
			t.Error(err)
		}
	})
	return b
}

func (b *bench) log(capacity int64) *buffers.Log {
	l, err := buffers.New(buffers.Config{Stream: 1, PayloadSize: 8, FrameBytes: 256, CapacityBytes: capacity, Pool: b.pool})
	if err != nil {
		b.Fatal(err)
	}
	b.logs = append(b.logs, l)
	return l
}

// put appends tuples of one payload each.
func put(l *buffers.Log, tau wire.Time, hash, value uint64) {
	*(*uint64)(l.AppendFixed(tau, hash)) = value
}

func (b *bench) task(s *Spec) *Task {
	t, err := New(Config{Of: 1, Range: partition.Range{Last: ^uint64(0)}, Specs: []*Spec{s}, Pool: b.pool})
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() {
		if err := t.Close(); err != nil {
			b.Error(err)
		}
	})
	return t
}

func (b *bench) channel(l *buffers.Log, id ChannelID, from wire.Time) *Channel {
	c, err := l.OpenCursor(from)
	if err != nil {
		b.Fatal(err)
	}
	return NewChannel(id, 8, c, from, wire.TimeMax)
}

// spec is an operator keyed by integers that notes what it handles. onTuple and onTimer may do more.
func (b *bench) spec(ports, timers int, onTuple func(*Ctx, uint64), onTimer func(*Ctx, int)) *Spec {
	s := &Spec{ID: "op", Key: KeyUint64, Ports: make([]Port, ports)}
	for i := range ports {
		s.Ports[i].PayloadSize = 8
	}
	for i := range timers {
		s.Timers = append(s.Timers, TimerDecl{fmt.Sprint("t", i)})
	}
	s.Bind = func(in *Instance) {
		for p := range ports {
			in.Handlers[p].Fixed = func(c *Ctx, v Ptr) {
				b.did = append(b.did, fmt.Sprintf("%d:%d@%d", p, *(*uint64)(v), c.Time()))
				if onTuple != nil {
					onTuple(c, *(*uint64)(v))
				}
			}
		}
		for i := range timers {
			in.OnTimer(i, func(c *Ctx) {
				b.did = append(b.did, fmt.Sprintf("t%d@%dms", i, c.Time().Millis()))
				if onTimer != nil {
					onTimer(c, i)
				}
			})
		}
	}
	return s
}

func (b *bench) run(t *Task, budget int) Progress {
	b.Helper()
	p, err := t.Run(0, budget)
	if err != nil {
		b.Fatal(err)
	}
	return p
}

func (b *bench) expect(want ...string) {
	b.Helper()
	if fmt.Sprint(b.did) != fmt.Sprint(want) {
		b.Errorf("did  %v\nwant %v", b.did, want)
	}
	b.did = nil
}

// rows is a split in memory: records of 16 bytes, an int64 of milliseconds and a value.
type rows struct {
	list  []row
	at    int
	block int
	empty map[int]bool // places at which there is nothing, once
}

type row struct {
	ms    int64
	value uint64
}

func (r *rows) Read() (Block, error) {
	if r.empty[r.at] {
		delete(r.empty, r.at)
		return Block{}, nil
	}
	n := min(r.block, len(r.list)-r.at)
	if n == 0 {
		return Block{}, io.EOF
	}
	b := Block{Base: unsafe.Pointer(&r.list[r.at]), Stride: 16, N: n}
	r.at += n
	return b, nil
}

func (r *rows) Next() (int64, bool) { return 0, false }
func (r *rows) Offset() Offset      { return Offset{Place: int64(r.at)} }
func (r *rows) Close() error        { return nil }

// source is a source of the given splits, with one output into l.
func (b *bench) source(l *buffers.Log, splits map[uint16]func(Offset) *rows) *Task {
	s := &Spec{ID: "src", Kind: Source, Outs: []Out{{Name: "out", Stream: 1, PayloadSize: 8}}}
	s.Reading = &SourceSpec{Open: func(sp Split, at Offset) (SplitReader, error) {
		r := splits[sp.Ordinal](at)
		r.at = int(at.Place)
		return r, nil
	}}
	for o := range uint16(8) {
		if splits[o] != nil {
			s.Reading.Splits = append(s.Reading.Splits, Split{Ordinal: o})
		}
	}
	s.Bind = func(in *Instance) {
		in.Emit = func(c *Ctx, r *Records) int {
			e := &in.Outs[0].Edges[0]
			for i := range r.Times {
				r.Begin(c, i)
				*(*uint64)(c.AppendFixed(e.Log(c.Hash()), c.Hash())) = *(*uint64)(r.Value(i))
				if c.Stopped() {
					return i + 1
				}
			}
			return len(r.Times)
		}
	}
	t, err := New(Config{Of: 1, Specs: []*Spec{s}, Pool: b.pool, Splits: s.Reading.Splits})
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() { t.Close() })
	t.Route(0, 0, t.AddEdge(0, 0, "", nil, nil), nil, []*buffers.Log{l}, []Consumer{{Range: partition.Full()}})
	return t
}

// sent is what a log holds, as "value@τ", and the frontier.
func (b *bench) sent(l *buffers.Log) (list []string) {
	for f, err := range l.Frames(l.TrimPoint()) {
		if err != nil {
			b.Fatal(err)
		}
		for t := f.View(); t.Valid(); t.Advance() {
			list = append(list, fmt.Sprintf("%d@%v", *(*uint64)(t.Fixed()), t.Time()))
		}
	}
	return list
}
