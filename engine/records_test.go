package engine

import (
	"bytes"
	"fmt"
	"math/rand/v2"
	"testing"

	"github.com/fullspate/spate/buffers"
	"github.com/fullspate/spate/engine/task"
	"github.com/fullspate/spate/partition"
	"github.com/fullspate/spate/wire"
	"github.com/fullspate/spate/wire/slab"
)

// item is a payload of 24 bytes.
type item struct{ Key, N, Pad uint64 }

// items makes records whose times stand still for a while and then go on, in blocks of different lengths.
type items struct{ next int64 }

func (r *items) Read(dst []Record[item]) (int, error) {
	n := int64(len(dst)) - r.next%7
	for i := range n {
		at := r.next + i
		dst[i] = Record[item]{Millis: at / 1000, Value: item{Key: uint64(at) * 0x9e3779b97f4a7c15 >> 20, N: uint64(at)}}
	}
	r.next += n
	return int(n), nil
}

func (r *items) Peek() (int64, bool) { return r.next / 1000, true }
func (r *items) Offset() Offset      { return Offset{Place: r.next} }
func (r *items) Close() error        { return nil }

// fed is a source's task with the logs that it writes and those who read them.
type fed struct {
	*task.Task
	logs    []*buffers.Log
	cursors []*buffers.Cursor
}

// feed makes a source of items whose output goes along one edge by the given routes.
func feed(b testing.TB, k keying[item], log buffers.Config, routes []partition.Route) *fed {
	g := NewGraph("source")
	in := Source(g, "items", SourceSpec[item]{
		Splits: []Split{{}, {Ordinal: 1}},
		Open:   func(_ Split, from Offset) (Reader[item], error) { return &items{from.Place}, nil },
	})
	Operator(g, "consumer", func(d *Decl) {
		declareInput(d, in, k, func(*Decl) Handler[item] { return func(*Ctx, *item) {} })
	})
	f, pool := new(fed), slab.New(slab.Config{HugePages: true})
	b.Cleanup(func() {
		for i, l := range f.logs {
			f.cursors[i].Close()
			l.Close()
		}
		if err := pool.Close(); err != nil {
			b.Error(err)
		}
	})
	source, consumer := g.g.Operators[0], g.g.Operators[1]
	var err error
	f.Task, err = task.New(task.Config{Of: 1, Specs: []*task.Spec{&source.Spec}, Pool: pool, Splits: source.Reading.Splits})
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() { f.Close() })
	table, err := partition.NewTable(1, routes)
	if err != nil {
		b.Fatal(err)
	}
	log.PayloadSize, log.Pool, log.TrimOnAck = in.codec.Size(), pool, true
	for range table.Targets() {
		l, err := buffers.New(log)
		if err != nil {
			b.Fatal(err)
		}
		c, err := l.OpenCursor(0)
		if err != nil {
			b.Fatal(err)
		}
		f.logs, f.cursors = append(f.logs, l), append(f.cursors, c)
	}
	input := &consumer.Inputs[0]
	f.Route(0, 0, f.AddEdge(0, 0, consumer.ID, input.HashFixed, input.HashBytes), table, f.logs, make([]task.Consumer, len(f.logs)))
	return f
}

// read reads what the i-th log shows and acknowledges it.
func (f *fed) read(i int) (frames []byte) {
	for fr, ok := f.cursors[i].Next(); ok; fr, ok = f.cursors[i].Next() {
		frames = append(frames, fr.Data...)
	}
	f.cursors[i].Ack(f.Position())
	return frames
}

// even are routes to n consumers.
func even(n int) (routes []partition.Route) {
	for i, r := range partition.Even(n) {
		routes = append(routes, partition.Route{Range: r, Target: uint16(i)})
	}
	return routes
}

// TestRecordsAtOnce compares what a source does with many records at once with what it does with one after another: the
// same frames, positions and stops before full logs, whatever the route, the budget and what has been read.
func TestRecordsAtOnce(t *testing.T) {
	u64 := keying[item]{u64: func(v *item) uint64 { return v.Key }}
	str := keying[item]{bytes: func(v *item) []byte { return fmt.Append(nil, v.Key) }}
	moved := append(even(2), partition.Route{Range: partition.Range{First: 1 << 62, Last: 1<<63 + 1<<40}, Target: 2, Gen: 1})
	for name, c := range map[string]struct {
		keyed  keying[item]
		routes []partition.Route
	}{
		"one": {routes: even(1)}, "one keyed": {u64, even(1)}, "three": {routes: even(3)},
		"three keyed": {u64, even(3)}, "by bytes": {str, even(5)}, "several at once": {u64, moved},
	} {
		t.Run(name, func(t *testing.T) {
			log := buffers.Config{FrameBytes: 900, ChunkBytes: 4096, CapacityBytes: 5000}
			at, each := feed(t, c.keyed, log, c.routes), feed(t, c.keyed, log, c.routes)
			in := each.Instance(0)
			in.Emit = OutputPort[item]{out: in.Outs[0]}.emitEach
			gen, blocked := rand.New(rand.NewPCG(1, 2)), 0
			for range 2000 {
				budget, taken := 1+gen.IntN(300), gen.IntN(len(at.logs)+1)
				p, err := at.Run(0, budget)
				q, errEach := each.Run(0, budget)
				if p != q || err != nil || errEach != nil || at.Position() != each.Position() {
					t.Fatalf("%+v, %v at %v; one by one %+v, %v at %v", p, err, at.Position(), q, errEach, each.Position())
				}
				if p.Blocked {
					blocked++
				}
				for i := range at.logs[:taken] {
					if !bytes.Equal(at.read(i), each.read(i)) {
						t.Fatalf("log %d before %v differs", i, at.Position())
					}
				}
			}
			if n := in.Outs[0].Count; n != at.Instance(0).Outs[0].Count || n < 10_000 || blocked < 100 || at.Position() < wire.At(3, 0, 1) {
				t.Errorf("%d tuples, at once %d, blocked %d times, at %v", n, at.Instance(0).Outs[0].Count, blocked, at.Position())
			}
		})
	}
}

// BenchmarkSource is what a record costs a source's task, from being made to lying in a sealed frame.
func BenchmarkSource(b *testing.B) {
	const turn = 4096
	for _, consumers := range []int{1, 2, 4} {
		for name, k := range map[string]keying[item]{"unkeyed": {}, "keyed": {u64: func(v *item) uint64 { return v.Key }}} {
			b.Run(fmt.Sprintf("%s/%d", name, consumers), func(b *testing.B) {
				f := feed(b, k, buffers.Config{}, even(consumers))
				for b.Loop() {
					if _, err := f.Run(0, turn); err != nil {
						b.Fatal(err)
					}
					for _, c := range f.cursors { // a reader that does nothing, or the log could not use its memory again
						for _, ok := c.Next(); ok; _, ok = c.Next() {
						}
						c.Ack(f.Position())
					}
				}
				if n := f.Instance(0).Outs[0].Count; n != uint64(b.N)*turn {
					b.Fatalf("%d tuples, want %d", n, b.N*turn)
				}
				b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N)/turn, "ns/tuple")
				b.ReportMetric(0, "ns/op")
			})
		}
	}
}
