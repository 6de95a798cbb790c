package engine_test

import (
	"context"
	"io"
	"testing"

	"github.com/fullspate/spate/engine"
)

// pair is a 40-byte tuple on the wire.
type pair struct{ Key, N, Pad uint64 }

// pairs makes n tuples with shuffled keys, a millisecond for every thousand.
type pairs struct{ at, n, keys uint64 }

func (r *pairs) Read(dst []engine.Record[pair]) (int, error) {
	n := min(uint64(len(dst)), r.n-r.at)
	if n == 0 {
		return 0, io.EOF
	}
	for i := range n {
		x := (r.at + i) * 0x9e3779b97f4a7c15
		dst[i] = engine.Record[pair]{Millis: int64((r.at + i) / 1000), Value: pair{Key: (x >> 20) % r.keys, N: 1}}
	}
	r.at += n
	return int(n), nil
}

func (r *pairs) Offset() engine.Offset { return engine.Offset{Place: int64(r.at)} }
func (r *pairs) Close() error          { return nil }

// BenchmarkKeyedCount runs two sources into a keyed counter with a million keys: every tuple is generated, routed,
// written into a frame, merged by time with those of the other source, and counted in a slab.
func BenchmarkKeyedCount(b *testing.B) {
	const keys = 1 << 20
	n := uint64(b.N)
	g := engine.NewGraph("count")
	in := engine.Source(g, "pairs", engine.SourceSpec[pair]{
		Splits: []engine.Split{{Ordinal: 0}, {Ordinal: 1}},
		Open: func(s engine.Split, from engine.Offset) (engine.Reader[pair], error) {
			return &pairs{n: n/2 + n%2*uint64(s.Ordinal), keys: keys}, nil
		},
	})
	engine.Keyed(g, "count", in, func(p *pair) uint64 { return p.Key }, func(d *engine.Decl) engine.Handler[pair] {
		sum := engine.Value[pair](d, "sum")
		engine.Ahead(d, 0, func(ahead engine.Batch[pair]) {
			for i := range ahead.Len() {
				sum.Touch(ahead.Hash(i))
			}
		})
		return func(c *engine.Ctx, p *pair) {
			v, _ := sum.Upsert(c)
			v.N += p.N
		}
	})
	b.ReportAllocs()
	b.ResetTimer()
	st, err := engine.Run(context.Background(), g, engine.Config{Loops: 2})
	if err != nil {
		b.Fatal(err)
	}
	var got uint64
	for _, t := range st.Tasks {
		if t.Operator == "count" {
			got += t.TuplesIn
		}
	}
	if got != n {
		b.Fatalf("%d tuples counted, want %d", got, n)
	}
	b.ReportMetric(float64(n)/b.Elapsed().Seconds()/1e6, "Mtuples/s")
}
