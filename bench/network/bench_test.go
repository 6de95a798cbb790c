package network

import (
	"testing"

	"github.com/fullspate/spate/engine"
)

// BenchmarkReader is what making a tuple costs the source.
func BenchmarkReader(b *testing.B) {
	splits := Input{}.filled(Hop).splits(Hop, 0)
	block := make([]engine.Record[Tuple], 512)
	r := &reader{split: &splits[0]}
	before := engine.ThisProcess().CPU
	for b.Loop() {
		if r.next+int64(len(block)) > r.split.end {
			r.next, r.turn = 0, 0
		}
		if n, err := r.Read(block); n != len(block) || err != nil {
			b.Fatal(n, err)
		}
	}
	used := engine.ThisProcess().CPU - before // a busy machine does not make it more
	for i := range block {
		if !block[i].Value.sound() {
			b.Fatalf("%+v", block[i])
		}
	}
	b.ReportMetric(float64(used.Nanoseconds())/float64(b.N)/float64(len(block)), "cpu-ns/tuple")
}

// BenchmarkRun runs the benchmarks on two processes of one loop each, a second or two at a time.
func BenchmarkRun(b *testing.B) {
	for _, network := range []string{"tcp", "unix"} {
		for _, k := range kinds {
			b.Run(network+"/"+string(k), func(b *testing.B) {
				cfg := Defaults(k)
				cfg.Runner, cfg.Workers, cfg.Network, cfg.Repeat = hire(b, network, 1, true), 2, network, 1
				cfg.Input.Seconds, cfg.Warm = 5, 1
				for b.Loop() {
					r, err := Run(b.Context(), cfg)
					if err != nil || !r.Valid() {
						b.Fatalf("%+v, %v", r, err)
					}
					report(b, &r.Runs[0])
				}
			})
		}
	}
}

// report reports what the latest run came to.
func report(b *testing.B, m *Measures) {
	if q := m.ResponseMS; q != nil {
		b.ReportMetric(q.P50*1000, "p50-µs")
		b.ReportMetric(q.P99*1000, "p99-µs")
	} else {
		b.ReportMetric(m.TuplesPerS, "tuples/s")
	}
	if m.BarePerS > 0 {
		b.ReportMetric(100*m.OfBare, "%-of-bare")
	}
	b.ReportMetric(m.CPUPerTuple, "cpu-ns/tuple")
	b.ReportMetric(m.AllocsPerTuple, "allocs/tuple")
}
