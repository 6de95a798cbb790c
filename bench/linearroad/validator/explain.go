package validator

import (
	"fmt"
	"math"
	"slices"
	"strings"

	"github.com/fullspate/spate/bench/linearroad/format"
)

// finding is a fault in terms of the window in which it was found.
type finding struct {
	kind          Kind
	typ           format.Type
	field         string
	got, want     int64
	at            moment // orders findings
	input, answer int32  // −1 if there is none
}

// faults counts findings and keeps the first of each kind and type. Windows come in order of time, so what an earlier
// window has kept is never displaced.
type faults struct {
	max    int
	counts [Kinds][Types]int64
	fresh  []finding           // of this window, unordered
	kept   [Kinds][Types]int32 // in earlier windows
}

// add counts a finding, and keeps it if it is among the first.
func (f *faults) add(x finding) {
	t := min(int(x.typ), Types-1) // a type that does not exist is counted with the last
	f.counts[x.kind][t]++
	room := f.max - int(f.kept[x.kind][t])
	if room <= 0 {
		return
	}
	n, latest := 0, -1
	for i := range f.fresh {
		if y := &f.fresh[i]; y.kind == x.kind && min(int(y.typ), Types-1) == t {
			n++
			if latest < 0 || y.at > f.fresh[latest].at {
				latest = i
			}
		}
	}
	switch {
	case n < room:
		f.fresh = append(f.fresh, x)
	case x.at < f.fresh[latest].at:
		f.fresh[latest] = x
	}
}

// explainFaults moves the window's findings into the report, with their context.
func (c *checker) explainFaults() {
	c.report.Faults = c.found.counts
	slices.SortFunc(c.found.fresh, func(a, b finding) int {
		if a.at < b.at {
			return -1
		}
		return 1
	})
	for i := range c.found.fresh {
		x := &c.found.fresh[i]
		c.found.kept[x.kind][min(int(x.typ), Types-1)]++
		c.report.First = append(c.report.First, c.explain(x))
	}
	c.found.fresh = c.found.fresh[:0]
}

func (c *checker) explain(x *finding) Fault {
	w := &c.w
	f := Fault{Kind: x.kind, Type: x.typ, Field: x.field, Got: x.got, Want: x.want}
	var b strings.Builder
	if x.answer >= 0 {
		a := w.answers[x.answer]
		f.Given, f.Time = &a, a.Time
	}
	if x.input < 0 {
		c.explainStray(&b, x)
	} else {
		t := w.in[x.input]
		f.Input, f.Time, f.Line = &t, t.Time, c.lineOf(uint32(x.input))
		c.explainExpected(&b, x.typ, uint32(x.input))
	}
	f.Context = b.String()
	return f
}

// explainExpected tells what the answer to input tuple i should be and why.
func (c *checker) explainExpected(b *strings.Builder, typ format.Type, i uint32) {
	w := &c.w
	t := &w.in[i]
	if c.opt.Pace > 0 {
		fmt.Fprintf(b, "due at %d ms\n", c.due(i))
	}
	switch t.Type {
	case format.Position:
		q := &w.quotes[w.ref[i]]
		fmt.Fprintf(b, "right: lav %d, toll %d, alert segment %d\n", q.lav, q.toll, q.alert)
		c.explainVehicle(b, t)
		c.explainSegment(b, t)
		c.explainAccidents(b, t)
	case format.Balance:
		c.explainBalance(b, &w.dues[w.ref[i]], t)
	case format.Expenditure:
		d := c.compare(typ, i, &format.Answer{Type: typ, Value: math.MinInt64, Time: t.Time})
		fmt.Fprintf(b, "right: expenditure %d for vid %d, day %d, xway %d\n", d.list[0].want, t.VID, t.Day, t.Xway)
	}
}

// neighbours is how many reports of a vehicle are shown before and after the one in question.
const neighbours = 5

// explainVehicle shows the vehicle's reports around t on its road in this window.
func (c *checker) explainVehicle(b *strings.Builder, t *format.Tuple) {
	w := &c.w
	g, ok := slices.BinarySearchFunc(w.groups, roadKey(t), func(g group, key uint64) int {
		switch {
		case g.key < key:
			return -1
		case g.key > key:
			return 1
		}
		return 0
	})
	if !ok {
		return
	}
	here := w.groups[g].first
	for here < w.groups[g].end-1 && w.reports[here].Time < t.Time {
		here++
	}
	if k := w.groups[g].before; k >= 0 && here-neighbours < w.groups[g].first {
		v := &c.past.vehicles[k]
		fmt.Fprintf(b, "vehicle before: time %d, lane %d, seg %d, pos %d, %d in a row, quoted %d\n", v.time, v.lane, v.seg, v.pos, v.alike, v.toll)
	}
	for i := max(here-neighbours, w.groups[g].first); i < min(here+neighbours+1, w.groups[g].end); i++ {
		r, s := &w.reports[i], w.trips[i]
		fmt.Fprintf(b, "vehicle: time %d, lane %d, seg %d, pos %d, %d in a row", r.Time, r.Lane, r.Seg, r.Pos, s.alike)
		if s.starts {
			b.WriteString(", starts a trip")
		}
		if s.entered {
			fmt.Fprintf(b, ", enters, quoted %d", c.quoted(i))
		}
		if r.Time == t.Time {
			b.WriteString("   <- here")
		}
		b.WriteByte('\n')
	}
}

// explainSegment shows the statistics that t's notification depends on.
func (c *checker) explainSegment(b *strings.Builder, t *format.Tuple) {
	rows := c.minutesBefore(segmentKeyOf(t))
	if len(rows) == 0 {
		fmt.Fprintf(b, "segment %d/%d/%d has no reports in the five minutes before minute %d\n", t.Xway, t.Dir, t.Seg, minuteOf(t.Time))
	}
	for _, r := range rows {
		fmt.Fprintf(b, "segment %d/%d/%d minute %d: %d vehicles, mean speed %.6f\n",
			t.Xway, t.Dir, t.Seg, keyMinute(r.key), r.vehicles, float64(r.speeds)/float64(r.vehicles)/speedUnit)
	}
}

// explainAccidents shows the accidents in whose scope t's segment lies, if they are in force about its minute.
func (c *checker) explainAccidents(b *strings.Builder, t *format.Tuple) {
	const about = 2 // minutes
	minute := minuteOf(t.Time)
	for _, a := range c.w.onRoad(uint64(t.Xway)<<1 | uint64(t.Dir)) {
		if _, in := ahead(t.Dir, t.Seg, a.segment()); !in || minute < a.from-about || a.to < math.MaxInt && minute > a.to+about {
			continue
		}
		fmt.Fprintf(b, "accident in segment %d, lane %d, pos %d: detected at %d", a.segment(), a.place>>20&7, a.place&0xfffff, a.detected>>32)
		if a.cleared == forever {
			fmt.Fprintf(b, ", in force from minute %d\n", a.from)
		} else {
			fmt.Fprintf(b, ", cleared at %d, in force in minutes %d…%d\n", a.cleared>>32, a.from, a.to)
		}
	}
}

// explainBalance shows the charges that a balance is made of.
func (c *checker) explainBalance(b *strings.Builder, d *due, t *format.Tuple) {
	atLeast := ""
	if d.checkFromBelow {
		atLeast = "at least "
	}
	fmt.Fprintf(b, "right: resulttime %d, balance %s%d for vid %d; %d charged before this stretch\n", t.Time, atLeast, d.now(), t.VID, d.before)
	for _, ch := range slices.Concat(d.recent, d.charges) {
		if int(ch.at>>32) >= int(t.Time)-2*balanceWindow && int(ch.at>>32) <= int(t.Time)+balanceWindow {
			fmt.Fprintf(b, "charge: time %d, %d\n", ch.at>>32, ch.amount)
		}
	}
}

// explainStray shows what there is in the input about an answer that answers nothing.
func (c *checker) explainStray(b *strings.Builder, x *finding) {
	w := &c.w
	a := &w.answers[x.answer]
	key := answerKey(a.Type, a.VID, a.QID, a.Time)
	byVehicle := a.Type == format.Position || a.Type == format.Accident
	shown := 0
	for i := range w.in {
		t := &w.in[i]
		same := t.Type == a.Type && answerKey(a.Type, t.VID, t.QID, t.Time) == key
		if byVehicle {
			d := int(t.Time) - int(a.Time)
			same = t.Type == format.Position && t.VID == a.VID && -gapMax <= d && d <= gapMax
		}
		if same && shown < 2*neighbours {
			fmt.Fprintf(b, "input %d: %s\n", c.lineOf(uint32(i)), describeTuple(t))
			shown++
		}
	}
	if shown == 0 {
		b.WriteString("nothing in the input has to do with it\n")
	}
}

// describeTuple prints an input tuple with the names of its fields.
func describeTuple(t *format.Tuple) string {
	switch t.Type {
	case format.Position:
		return fmt.Sprintf("report time %d, vid %d, spd %d, xway %d, lane %d, dir %d, seg %d, pos %d", t.Time, t.VID, t.Speed, t.Xway, t.Lane, t.Dir, t.Seg, t.Pos)
	case format.Expenditure:
		return fmt.Sprintf("request time %d, vid %d, xway %d, qid %d, day %d", t.Time, t.VID, t.Xway, t.QID, t.Day)
	}
	return fmt.Sprintf("request time %d, vid %d, qid %d", t.Time, t.VID, t.QID)
}

// describeAnswer prints an answer with the names of its fields.
func describeAnswer(a *format.Answer) string {
	switch a.Type {
	case format.Position:
		return fmt.Sprintf("vid %d, time %d, emit %d, lav %d, toll %d", a.VID, a.Time, a.Emit, a.LAV, a.Value)
	case format.Accident:
		return fmt.Sprintf("time %d, emit %d, vid %d, seg %d", a.Time, a.Emit, a.VID, a.Seg)
	case format.Balance:
		return fmt.Sprintf("time %d, emit %d, resulttime %d, qid %d, balance %d", a.Time, a.Emit, a.ResultTime, a.QID, a.Value)
	}
	return fmt.Sprintf("time %d, emit %d, qid %d, value %d", a.Time, a.Emit, a.QID, a.Value)
}
