package traffic

import (
	"testing"

	"github.com/fullspate/spate/bench/linearroad/format"
)

// day is what a pass over a whole day of one expressway counts.
type day struct {
	t               *testing.T
	perSecond       [Seconds]int
	reports, tuples int
	lanes           [5]int
	speeds          [5]int
	free            [5][2]int // reports and sum of speeds while the road is still free
	dirs            [2]int
	entries         [segments]int
	atEnd           int
	most            int
	last            map[uint32]format.Tuple // of the sampled vehicles
	trips, rejoins  int
	cars            map[uint32]bool
	standing        map[uint32]int // reports at speed 0
}

// sampled chooses the vehicles whose trips are followed: one in sixteen, but none of those that stand.
func sampled(vid uint32) bool {
	return vid*0x9e3779b1>>28 == 0 && vid&(1<<VIDShift-1) < vidScripted
}

// along mirrors western segments.
func along(a *format.Tuple) int {
	if a.Dir == 1 {
		return segments - 1 - int(a.Seg)
	}
	return int(a.Seg)
}

// report counts one position report and follows its vehicle.
func (d *day) report(a *format.Tuple) {
	d.reports++
	d.perSecond[a.Time]++
	d.lanes[a.Lane]++
	d.speeds[a.Lane] += int(a.Speed)
	if a.Time < 600 {
		d.free[a.Lane][0]++
		d.free[a.Lane][1] += int(a.Speed)
	}
	if a.Lane == format.LaneEntry {
		d.dirs[a.Dir]++
		d.entries[along(a)]++
		d.cars[a.VID] = true
	}
	if int(a.Seg) != int(a.Pos)/segmentFeet {
		d.t.Fatalf("%v: segment is not that of the position", a)
	}
	if a.Speed == 0 {
		d.standing[a.VID]++
	}
	if sampled(a.VID) {
		d.follow(a)
	}
}

// follow checks a report against the vehicle's last one.
func (d *day) follow(a *format.Tuple) {
	before, known := d.last[a.VID]
	d.last[a.VID] = *a
	if !known || before.Lane == format.LaneExit {
		d.trips++
		if a.Lane != format.LaneEntry || a.Speed < 14 || a.Speed > 34 {
			d.t.Fatalf("%v: a trip's first report", a)
		}
		if known {
			if d.rejoins++; a.Time-before.Time <= 60 {
				d.t.Fatalf("%v after %v", a, &before)
			}
		}
		return
	}
	step := along(a) - along(&before)
	switch {
	case a.Time != before.Time+reportEvery, a.Dir != before.Dir, a.Lane == format.LaneEntry, step < 0, step > 1:
		d.t.Fatalf("%v after %v", a, &before)
	case a.Lane == format.LaneExit && step != 0:
		d.t.Fatalf("%v: leaves another segment than that of %v", a, &before)
	case a.Speed == 0 || a.Speed > 75:
		d.t.Fatalf("%v: speed", a)
	case a.Lane != format.LaneExit && a.Pos == before.Pos:
		d.t.Fatalf("%v: stands since %v", a, &before)
	}
	if pos := a.Pos; a.Lane == format.LaneExit && (pos == 0 || pos == roadFeet-1) {
		d.atEnd++
	}
}

func TestDay(t *testing.T) {
	w := newTraffic(t, Config{Seed: 4, Xways: 2}).Xway(1)
	d := day{t: t, last: map[uint32]format.Tuple{}, cars: map[uint32]bool{}, standing: map[uint32]int{}}
	tuples := make([]format.Tuple, 0, MaxPerSecond)
	for !w.Done() {
		now := w.Time()
		tuples = w.Second(tuples[:0])
		d.tuples += len(tuples)
		d.most = max(d.most, len(tuples))
		requests := false
		for i := range tuples {
			a := &tuples[i]
			if int(a.Time) != now {
				t.Fatalf("%v in second %d", a, now)
			}
			if a.Type != format.Position {
				requests = true
				continue
			}
			if requests {
				t.Fatalf("%v comes after a request", a)
			}
			d.report(a)
		}
	}
	d.checkRates()
	d.checkShares()
	road := 0
	for _, p := range w.phases {
		road += len(p)
	}
	if road < 49500 || road > 51500 {
		t.Errorf("%d cars at the end, want about 50,500", road)
	}
	if len(d.standing) != 2*crashSlots {
		t.Errorf("%d vehicles stand, want two for each of %d accidents", len(d.standing), crashSlots)
	}
	t.Logf("%d tuples, %d reports, at most %d a second, %d vehicles, %d on the road", d.tuples, d.reports, d.most, len(d.cars), road)
}

// checkRates compares the reports per second with the plan, over the half minute around each second.
func (d *day) checkRates() {
	for _, c := range []struct{ second, rate int }{
		{0, 10}, {300, 103}, {1800, 534}, {3600, 955}, {5400, 1251}, {7200, 1415}, {9000, 1551}, {10800, 1685},
	} {
		sum, n := 0, 0
		for s := c.second - 15; s < c.second+15; s++ {
			if s >= 0 && s < Seconds {
				sum += d.perSecond[s]
				n++
			}
		}
		got := float64(sum) / float64(n)
		if got < 0.95*float64(c.rate) || got > 1.05*float64(c.rate) {
			d.t.Errorf("%.0f reports/s around second %d, want about %d", got, c.second, c.rate)
		}
	}
	if d.reports < 11_700_000 || d.reports > 12_000_000 {
		d.t.Errorf("%d reports, want about 11.84 M", d.reports)
	}
	if extra := d.tuples - d.reports; extra < d.reports/103 || extra > d.reports/97 {
		d.t.Errorf("%d requests, want 1 %%", extra)
	}
	if d.most > MaxPerSecond {
		d.t.Errorf("%d tuples in a second, more than %d", d.most, MaxPerSecond)
	}
}

// checkShares compares how vehicles are spread with the plan.
func (d *day) checkShares() {
	within := func(name string, got, low, high float64) {
		if got < low || got > high {
			d.t.Errorf("%s: %.3f, want %.3f to %.3f", name, got, low, high)
		}
	}
	mean := func(a [2]int) float64 { return float64(a[1]) / float64(a[0]) }
	all := float64(d.dirs[0] + d.dirs[1])
	within("vehicles", float64(len(d.cars)), 143_000, 148_000)
	within("share of the east", float64(d.dirs[0])/all, 0.49, 0.51)
	within("lane 2 to lane 1", float64(d.lanes[2])/float64(d.lanes[1]), 1.9, 2.1)
	within("lane 2 to lane 3", float64(d.lanes[2])/float64(d.lanes[3]), 1.9, 2.1)
	within("free speed on lane 0", mean(d.free[0]), 22, 26)
	within("free speed on lane 2", mean(d.free[2]), 50, 54)
	within("free speed on lane 4", mean(d.free[4]), 46, 51)
	within("trips that come back", float64(d.rejoins)/float64(d.trips), 0.04, 0.09)
	within("exits at the very end", float64(d.atEnd)/float64(d.trips), 0, 0.03)
	for _, c := range []struct{ first, last, share float64 }{{0, 10, 10. / 70}, {30, 40, 10. / 70}, {55, 65, 6.67 / 70}, {90, 100, 0.83 / 70}} {
		sum := 0
		for s := int(c.first); s < int(c.last); s++ {
			sum += d.entries[s]
		}
		within("entries", float64(sum)/all, c.share*0.88, c.share*1.12)
	}
}

// TestGuests follows sampled vehicles over a pair of expressways: they are never on both.
func TestGuests(t *testing.T) {
	tr := newTraffic(t, Config{Seed: 4, Xways: 2, To: 4000})
	ways := []*Xway{tr.Xway(0), tr.Xway(1)}
	last := map[uint32]format.Tuple{}
	var tuples []format.Tuple
	visits := 0
	for s := range 4000 {
		tuples = tuples[:0]
		for _, w := range ways {
			tuples = w.Second(tuples)
		}
		for i := range tuples {
			a := &tuples[i]
			if a.Type != format.Position || !sampled(a.VID) {
				continue
			}
			before, known := last[a.VID]
			last[a.VID] = *a
			if !known || before.Xway == a.Xway {
				continue
			}
			visits++
			if before.Lane != format.LaneExit || s-int(before.Time) <= 60 || a.Xway == uint16(a.VID>>VIDShift) {
				t.Fatalf("%v after %v", a, &before)
			}
		}
	}
	if visits < 30 {
		t.Errorf("%d vehicles visit the expressway beside", visits)
	}
}

// TestTollsAndAccidents counts what the traffic must give rise to for a run to prove anything: crowded slow segments, and vehicles that stop
// together.
func TestTollsAndAccidents(t *testing.T) {
	w := newTraffic(t, Config{Seed: 6, Xways: 1, From: 2700, To: 3300}).Xway(0)
	type place struct{ dir, seg uint8 }
	type sums struct{ reports, speeds int }
	minutes := map[uint16]map[place]*sums{}
	stops := map[[3]uint32]map[uint32]int{}
	for _, a := range drain(w) {
		if a.Type != format.Position {
			continue
		}
		m := minutes[a.Time/60]
		if m == nil {
			m = map[place]*sums{}
			minutes[a.Time/60] = m
		}
		s := m[place{a.Dir, a.Seg}]
		if s == nil {
			s = &sums{}
			m[place{a.Dir, a.Seg}] = s
		}
		s.reports++
		s.speeds += int(a.Speed)
		if a.Speed == 0 {
			key := [3]uint32{uint32(a.Lane), uint32(a.Dir), a.Pos}
			if stops[key] == nil {
				stops[key] = map[uint32]int{}
			}
			stops[key][a.VID]++
		}
	}
	crowded := 0
	for _, m := range minutes {
		for _, s := range m {
			if s.reports > 150 && s.speeds < 38*s.reports {
				crowded++
			}
		}
	}
	if crowded < 100 {
		t.Errorf("%d slow and crowded segments in ten minutes", crowded)
	}
	for key, cars := range stops {
		if len(cars) != 2 {
			t.Errorf("%d vehicles stop at %v", len(cars), key)
		}
	}
}

// TestCrashes checks the accidents of many expressways: two vehicles for ten to twenty minutes, with four equal reports each.
func TestCrashes(t *testing.T) {
	tr := newTraffic(t, Config{Seed: 8, Xways: 64, To: 1})
	lowest, highest := roadFeet, 0
	for x := range 64 {
		w := tr.Xway(x)
		for i, c := range w.crashes {
			if c.begin < 90+i*crashEvery || c.begin >= (i+1)*crashEvery || c.lane < 1 || c.lane > 3 || c.dir > 1 {
				t.Fatalf("accident %d: %+v", i, c)
			}
			if first := min(c.stand[0], c.stand[1]+crashApart); first < 600 || first > 1211 {
				t.Fatalf("accident %d is cleared after %d s", i, first)
			}
			lowest, highest = min(lowest, int(c.x)), max(highest, int(c.x))
		}
	}
	if lowest/segmentFeet < crashFirst || highest/segmentFeet >= crashLast || lowest/segmentFeet > 10 || highest/segmentFeet < 50 {
		t.Errorf("accidents from %d to %d ft", lowest, highest)
	}
}
