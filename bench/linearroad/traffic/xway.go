package traffic

import (
	"fmt"
	"slices"

	"github.com/fullspate/spate/bench/linearroad/format"
)

const (
	// MaxPerSecond bounds the tuples of one expressway in one second, for presizing: some 1,800 at the end of the day, and what hostile
	// traffic adds.
	MaxPerSecond = 3072

	// requestsMax bounds the requests that one second's reports bring, so that they can be numbered by second; 17 are usual.
	requestsMax = 64
)

// Xway generates one expressway, second by second. It belongs to one goroutine.
type Xway struct {
	t   *Traffic
	x   uint16
	now int // the next second

	tape *tape // Replicate; then nothing below is used

	keys    [2]uint64          // of the vehicles at home here and of those at home beside
	homes   [2]uint32          // their vids but for the index
	end     uint32             // feet after which nobody is on the road
	phases  [reportEvery][]car // those on the road by the second, mod 30, in which they report, longest on the road first
	row     speedRow           // of the 30 seconds of now
	crashes [crashSlots]crash
	script  []format.Tuple // reports and requests made in advance, by time
	next    int            // the first of script that is not before now

	requests [requestsMax]format.Tuple // of the reports of one second
	pending  int                       // how many
}

// Xway returns expressway x, 0 ≤ x < Xways, at the first second.
func (t *Traffic) Xway(x int) *Xway {
	if x < 0 || x >= t.cfg.Xways {
		panic(fmt.Sprintf("BUG: expressway %d of %d", x, t.cfg.Xways))
	}
	if t.tape != nil {
		return &Xway{t: t, x: uint16(x), tape: t.tape, now: t.cfg.From}
	}
	w := t.live(x)
	w.Seek(t.cfg.From)
	return w
}

// live returns an expressway that generates its traffic and must be told where to begin.
func (t *Traffic) live(x int) *Xway {
	beside := x ^ 1
	if t.cfg.Replicate {
		beside = x // nobody may come from an expressway that is the same one again
	}
	w := &Xway{t: t, x: uint16(x), end: roadFeet}
	for i, home := range [2]int{x, beside} {
		w.keys[i] = tripKey(t.cfg.Seed, home)
		w.homes[i] = uint32(home) << VIDShift
	}
	if t.cfg.Hostile {
		w.end = stageFeet
	}
	for i := range w.phases {
		w.phases[i] = make([]car, 0, phaseCars(t.cfg.To))
	}
	w.planCrashes()
	w.script = w.writeScript()
	return w
}

// phaseCars returns room for those who report in the same second of each thirty, up to second t.
func phaseCars(t int) int {
	n := 64
	for age := 0; age < min(t, tripSecondsMax); age += reportEvery {
		n += (arrived(t-age) - arrived(t-age-1)) * (tripSecondsMax - age) / tripSecondsMax
	}
	return n + n/8
}

// Time returns the second that Second will generate next.
func (w *Xway) Time() int { return w.now }

// Done tells whether all seconds have been generated.
func (w *Xway) Done() bool { return w.now >= w.t.cfg.To }

// Second appends all tuples of the next second: position reports, then the requests that they bring. Calling it when Done
// appends nothing.
func (w *Xway) Second(dst []format.Tuple) []format.Tuple {
	if w.Done() {
		return dst
	}
	if w.tape != nil {
		dst = w.tape.second(dst, w.now, uint32(w.x))
		w.now++
		return dst
	}
	if w.now%reportEvery == 0 {
		w.fillRow(&w.row, w.now/reportEvery)
	}
	phase := &w.phases[w.now%reportEvery]
	dst = slices.Grow(dst, len(*phase))
	out := dst[len(dst) : len(dst)+len(*phase)]
	made, kept := w.drive(out, *phase)
	*phase = (*phase)[:kept]
	dst = dst[:len(dst)+made]
	dst = w.join(dst, phase)
	dst = w.play(dst)
	dst = append(dst, w.requests[:w.pending]...)
	w.pending = 0
	w.now++
	return dst
}

// drive makes the reports of the vehicles that are on the road, in place, and returns how many reports it made and how many vehicles
// stay, which it moves to the front. Out is as long as cars.
func (w *Xway) drive(out []format.Tuple, cars []car) (made, kept int) {
	t, x, end, row := uint16(w.now), w.x, w.end, &w.row
	out = out[:len(cars)]
	for i := range cars {
		c := cars[i]
		c.rnd = c.rnd*rndMul + rndAdd
		speed := c.mph(row.at(&c), c.rnd)
		to := c.x + feetPerMPH*speed
		if c.left <= 1 || to >= end {
			made += w.leave(&out[made], c, to, speed)
			continue
		}
		c.left--
		c.x, c.along = to, uint8(to/segmentFeet)
		c.put(&out[made], t, x, c.lane(), speed)
		made++
		cars[kept] = c
		kept++
		if bringsRequest(c.rnd) {
			w.request(&c)
		}
	}
	return made, kept
}

// leave makes the last report of a car that was to drive to a place, on the exit lane, still in its segment, and returns the number of
// reports made. In hostile traffic some leave in the next segment, and some without a word.
func (w *Xway) leave(out *format.Tuple, c car, to, speed uint32) int {
	last := (uint32(c.along)+1)*segmentFeet - 1
	if w.t.cfg.Hostile {
		switch c.rnd >> 8 & 63 {
		case 0:
			return 0
		case 1:
			last = w.end - 1
		}
	}
	c.x = min(to, last)
	c.along = uint8(c.x / segmentFeet)
	c.put(out, uint16(w.now), w.x, format.LaneExit, speed*15/16)
	if bringsRequest(c.rnd) {
		w.request(&c)
	}
	return 1
}

// join makes the first report of everybody who enters in this second and adds them to those on the road.
func (w *Xway) join(dst []format.Tuple, phase *[]car) []format.Tuple {
	first := len(*phase)
	*phase = w.entering(*phase, w.now)
	for i := first; i < len(*phase); i++ {
		c := &(*phase)[i]
		dst = append(dst, format.Tuple{})
		c.put(&dst[len(dst)-1], uint16(w.now), w.x, format.LaneEntry, 14+c.rnd>>16&0xff*21>>8)
		if bringsRequest(c.rnd) {
			w.request(c)
		}
	}
	return dst
}

// entering appends the vehicles whose first report, or the first of a second trip, is made here in second t.
func (w *Xway) entering(dst []car, t int) []car {
	p := &w.t.plan
	for c := arrived(t); c < arrived(t+1); c++ {
		first, _ := p.journey(w.keys[0], c)
		dst = append(dst, p.enter(first, w.homes[0]+vidFirst+uint32(c), w.end))
	}
	for pick, after := range rejoinAfter {
		if t < after {
			break
		}
		for c := arrived(t - after); c < arrived(t-after+1); c++ {
			for i, key := range w.keys {
				if !mayRejoin(key, c) {
					continue
				}
				if _, again := p.journey(key, c); int(again.pick) == pick && again.beside == (i == 1) {
					dst = append(dst, p.enter(again.trip, w.homes[i]+vidFirst+uint32(c), w.end))
				}
			}
		}
	}
	return dst
}

// play appends the scripted reports of this second and keeps its scripted requests for the end of it.
func (w *Xway) play(dst []format.Tuple) []format.Tuple {
	for ; w.next < len(w.script) && int(w.script[w.next].Time) == w.now; w.next++ {
		if s := &w.script[w.next]; s.Type == format.Position {
			dst = append(dst, *s)
		} else {
			w.ask(*s)
		}
	}
	return dst
}

// Seek makes a second the next to generate, From ≤ second ≤ To: what comes is what would have come had everything before been generated.
// It computes each vehicle on the road anew, up to 25 ms.
func (w *Xway) Seek(second int) {
	if second < w.t.cfg.From || second > w.t.cfg.To {
		panic(fmt.Sprintf("BUG: seek to second %d of %d to %d", second, w.t.cfg.From, w.t.cfg.To))
	}
	w.now = second
	if w.tape != nil {
		return
	}
	w.next, _ = slices.BinarySearchFunc(w.script, second, func(t format.Tuple, second int) int { return int(t.Time) - second })
	w.fillRow(&w.row, min(second/reportEvery, planRows-1))
	first := max(0, second-tripSecondsMax)
	firstRow := first / reportEvery
	rows := make([]speedRow, second/reportEvery-firstRow+1)
	for i := range rows {
		w.fillRow(&rows[i], min(firstRow+i, planRows-1))
	}
	for i := range w.phases {
		w.phases[i] = w.phases[i][:0]
	}
	for t := first; t < second; t++ {
		phase := &w.phases[t%reportEvery]
		stay := len(*phase)
		*phase = w.entering(*phase, t)
		for _, c := range (*phase)[stay:] {
			if c.skipTo(rows[t/reportEvery-firstRow+1:], (second-1-t)/reportEvery, w.end) {
				(*phase)[stay] = c
				stay++
			}
		}
		*phase = (*phase)[:stay]
	}
}

// fillRow computes the speeds of a row: as planned, and slower upstream of an accident.
func (w *Xway) fillRow(row *speedRow, i int) {
	speeds := &w.t.plan.speed[i]
	copy(row[:segments], speeds[:])
	copy(row[128:128+segments], speeds[:])
	for k := range w.crashes {
		w.crashes[k].slow(row, i*reportEvery)
	}
}
