package query

import (
	"testing"

	"github.com/fullspate/spate/bench/linearroad/format"
	"github.com/fullspate/spate/bench/linearroad/traffic"
	"github.com/fullspate/spate/engine"
)

// some reports of an expressway at its busiest, those of two minutes.
func someReports(b *testing.B) []Report {
	b.Helper()
	tr, err := traffic.New(traffic.Config{Seed: 1, Xways: 1, From: 9000, To: 9120})
	if err != nil {
		b.Fatal(err)
	}
	w := tr.Xway(0)
	w.Seek(9000)
	var tuples []format.Tuple
	var reports []Report
	for !w.Done() {
		tuples = w.Second(tuples[:0])
		for i := range tuples {
			if t := &tuples[i]; t.Type == format.Position {
				reports = append(reports, Report{
					VID: t.VID, Pos: t.Pos, Time: t.Time, Xway: t.Xway, Speed: t.Speed, Lane: t.Lane, Dir: t.Dir, Seg: t.Seg,
				})
			}
		}
	}
	return reports
}

// BenchmarkVehicle is what a report costs without looking its vehicle and segment up.
func BenchmarkVehicle(b *testing.B) {
	reports := someReports(b)
	vehicles := make([]vehicle, 2<<traffic.VIDShift) // those of the partner drive here too
	sums := make([]segment, segments)
	entered, n := 0, 0
	for b.Loop() {
		r := &reports[n%len(reports)]
		n++
		v, s := &vehicles[r.VID], &sums[r.Seg]
		live := v.live(r.Time)
		if !v.turn(r) {
			v.There, v.Other, v.Here = v.Here, v.Seg, 0
		}
		if v.Here.reports() < tallyMax {
			before := v.Here.mean()
			v.Here = v.Here.add(r.Speed)
			s.Sum += uint64(v.Here.mean()) - uint64(before)
		}
		place, _, _ := v.stand(r, live)
		if !live || v.Seg != r.Seg {
			entered++
		}
		v.Place, v.Time, v.Seg = place, r.Time, r.Seg
	}
	if entered == 0 {
		b.Fatal("no vehicle entered a segment")
	}
	b.ReportMetric(float64(n)/b.Elapsed().Seconds(), "reports/s")
}

func BenchmarkLAV(b *testing.B) {
	p := past{NOV: [lavMinutes]uint32{51, 52, 53, 54, 55}, Sum: [lavMinutes]uint64{5_000_001, 5_000_002, 5_000_003, 5_000_004, 5_000_005}}
	for b.Loop() {
		if mph, _ := p.lav(); mph != 37 {
			b.Fatal(mph)
		}
	}
}

func BenchmarkAhead(b *testing.B) {
	var set blocked
	set.add(61)
	set.add(66)
	seg := 0
	for b.Loop() {
		if at := set.ahead(seg, false); at != NoAlert && int(at) < seg {
			b.Fatal(at)
		}
		seg = (seg + 1) % segments
	}
}

// BenchmarkGenerated is what a tuple costs before it is forwarded: generated, scheduled and copied into a block.
func BenchmarkGenerated(b *testing.B) {
	tr, err := traffic.New(traffic.Config{Seed: 1, Xways: 1, From: 9000, To: 10800})
	if err != nil {
		b.Fatal(err)
	}
	r := &xwayReader{xway: tr.Xway(0), rooms: new(rooms), xways: 1, to: 10800}
	rewind := func() {
		if err := r.open(9000, engine.Offset{}); err != nil {
			b.Fatal(err)
		}
	}
	rewind()
	block := make([]engine.Record[format.Tuple], generatedBlock)
	tuples := 0
	for b.Loop() {
		n, err := r.Read(block)
		if err != nil {
			rewind()
		}
		tuples += n
	}
	b.ReportMetric(float64(tuples)/b.Elapsed().Seconds(), "tuples/s")
}
