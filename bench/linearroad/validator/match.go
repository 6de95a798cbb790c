package validator

import (
	"slices"

	"github.com/fullspate/spate/bench/linearroad/format"
)

// limits are the longest times in ms that an answer may take, by type (LINEAR_ROAD §8).
var limits = [Types]int64{5_000, 5_000, 5_000, 10_000, 30_000}

// responseMax is the longest response time in ms that a histogram tells from longer ones: a whole run.
const responseMax = 1000 * (format.TimeMax + 1)

// answerKey is what says which input tuple an answer is for. A wrong key therefore shows as one answer that is missing
// and one that is extra (or doubled, if it is another's key).
func answerKey(t format.Type, vid, qid uint32, time uint16) uint64 {
	if t == format.Position || t == format.Accident {
		return uint64(vid)<<16 | uint64(time)
	}
	return uint64(qid)
}

// matchAnswers joins expected and given answers by type and key.
func (c *checker) matchAnswers() {
	w := &c.w
	for t := range c.want {
		c.want[t], c.got[t] = c.want[t][:0], c.got[t][:0]
	}
	for i := range w.in {
		c.expect(uint32(i))
	}
	w.answered = slices.Grow(w.answered[:0], len(w.answers))[:len(w.answers)]
	for i := range w.answers {
		w.answered[i] = -1
		a := &w.answers[i]
		if int(a.Type) >= Types {
			c.found.add(finding{kind: Extra, typ: a.Type, at: momentOf(a.Time, uint32(i)), input: -1, answer: int32(i)})
			continue
		}
		c.countAnswer(a)
		c.got[a.Type] = append(c.got[a.Type], item{answerKey(a.Type, a.VID, a.QID, a.Time), uint32(i)})
	}
	for t := range c.want {
		c.want[t], c.spare = sortItems(c.want[t], c.spare, 0)
		c.got[t], c.spare = sortItems(c.got[t], c.spare, 0)
		c.report.Counts[t].Expected += int64(len(c.want[t]))
		c.report.Counts[t].Answered += int64(len(c.got[t]))
		c.joinType(format.Type(t), c.want[t], c.got[t])
	}
}

// expect adds what input tuple i is to be answered with.
func (c *checker) expect(i uint32) {
	t := &c.w.in[i]
	add := func(typ format.Type) {
		c.want[typ] = append(c.want[typ], item{answerKey(typ, t.VID, t.QID, t.Time), i})
	}
	switch t.Type {
	case format.Position:
		if q := c.w.ref[i]; q >= 0 {
			add(format.Position)
			if c.w.quotes[q].alert >= 0 {
				add(format.Accident)
			}
		}
	case format.Balance, format.Expenditure:
		add(t.Type)
	case format.TravelTime:
		c.report.UnansweredTravelTime++
	}
}

func (c *checker) countAnswer(a *format.Answer) {
	switch {
	case a.Value == 0:
	case a.Type == format.Position:
		c.report.Occurred.TollsAboveZeroAnswered++
	case a.Type == format.Balance:
		c.report.Occurred.NonZeroBalancesAnswered++
	}
}

// joinType walks the expected and the given answers of one type, both sorted by key, and pairs them.
func (c *checker) joinType(t format.Type, want, got []item) {
	for len(want) > 0 || len(got) > 0 {
		nw, ng := 0, 0
		switch {
		case len(got) == 0 || len(want) > 0 && want[0].key < got[0].key:
			nw = groupEnd(want, 0)
		case len(want) == 0 || got[0].key < want[0].key:
			ng = groupEnd(got, 0)
		default:
			nw, ng = groupEnd(want, 0), groupEnd(got, 0)
		}
		if nw == 1 && ng == 1 {
			c.pair(t, want[0].at, got[0].at)
		} else {
			c.pairGroup(t, want[:nw], got[:ng])
		}
		want, got = want[nw:], got[ng:]
	}
}

// pairGroup pairs the answers of one key: those that are right as they are first, then the rest in order. What is left
// over is missing, doubled, or, where nothing is expected, extra.
func (c *checker) pairGroup(t format.Type, want, got []item) {
	const taken = ^uint32(0)
	rest := Extra
	if len(want) > 0 {
		rest = Doubled
	}
	left := len(want)
	for _, exact := range []bool{true, false} {
		for g := range got {
			for w := 0; w < len(want) && left > 0 && got[g].at != taken; w++ {
				if want[w].at == taken || exact && !c.exact(t, want[w].at, got[g].at) {
					continue
				}
				c.pair(t, want[w].at, got[g].at)
				want[w].at, got[g].at = taken, taken
				left--
			}
		}
	}
	for _, w := range want {
		if w.at != taken {
			c.found.add(finding{kind: Missing, typ: t, at: momentOf(c.w.in[w.at].Time, w.at), input: int32(w.at), answer: -1})
		}
	}
	for _, g := range got {
		if g.at != taken {
			a := &c.w.answers[g.at]
			f := finding{kind: rest, typ: t, at: momentOf(a.Time, g.at), input: -1, answer: int32(g.at)}
			c.found.add(f)
		}
	}
}

func (c *checker) exact(t format.Type, i, answer uint32) bool {
	d := c.compare(t, i, &c.w.answers[answer])
	return d.n == 0
}

// pair takes the answer for input tuple i's and finds what is wrong with it.
func (c *checker) pair(t format.Type, i, answer uint32) {
	w := &c.w
	a := &w.answers[answer]
	w.answered[answer] = int32(i)
	f := finding{kind: Wrong, typ: t, at: momentOf(w.in[i].Time, i), input: int32(i), answer: int32(answer)}
	d := c.compare(t, i, a)
	for _, x := range d.list[:d.n] {
		f.field, f.got, f.want = x.field, x.got, x.want
		c.found.add(f)
	}
	if d.n == 0 {
		c.report.Counts[t].Correct++
		if t == format.Balance && w.dues[w.ref[i]].isStale(a) {
			c.report.StaleBalances++
		}
	}
	if c.opt.Pace == 0 {
		return
	}
	took := a.Emit - c.due(i)
	f.field, f.got = "emit", took
	switch {
	case took < 0:
		f.kind, f.want = Early, 0
		c.found.add(f)
	case took > limits[t]:
		f.kind, f.want = Late, limits[t]
		c.found.add(f)
	}
	r := &c.report.Response[t]
	r.Max = max(r.Max, took)
	// Beyond a whole run every response time is recorded as the longest; Max is exact.
	if err := r.histogram.RecordValue(min(max(took, 0), responseMax)); err != nil {
		panic("BUG: response time outside of the histogram: " + err.Error())
	}
}

// difference is a field of an answer that is not what it should be.
type difference struct {
	field     string
	got, want int64
}

// differences are all of an answer's, of which there are no more than fields compared.
type differences struct {
	list [4]difference
	n    int
}

func (d *differences) field(name string, got, want int64) {
	if got != want {
		d.list[d.n] = difference{name, got, want}
		d.n++
	}
}

// compare returns in what an answer differs from the right one to input tuple i.
func (c *checker) compare(typ format.Type, i uint32, a *format.Answer) differences {
	w := &c.w
	t := &w.in[i]
	var d differences
	switch typ {
	case format.Position, format.Accident:
		q := &w.quotes[w.ref[i]]
		if typ == format.Position {
			d.field("lav", int64(a.LAV), int64(q.lav))
			d.field("toll", a.Value, q.toll)
		} else {
			d.field("seg", int64(a.Seg), int64(q.alert))
		}
		if c.opt.Carried {
			d.field("xway", int64(a.Xway), int64(t.Xway))
			d.field("dir", int64(a.Dir), int64(t.Dir))
		}
		return d
	case format.Balance:
		w.dues[w.ref[i]].compare(t.Time, a, &d)
	case format.Expenditure:
		toll := int64(0)
		if c.opt.History != nil {
			if row, ok := c.opt.History(t.VID, t.Day, t.Xway); ok {
				toll = row
			}
		}
		d.field("expenditure", a.Value, toll)
	}
	d.field("time", int64(a.Time), int64(t.Time))
	if c.opt.Carried {
		d.field("vid", int64(a.VID), int64(t.VID))
	}
	return d
}

// compare adds in what an answer's (resulttime, balance) is not acceptable.
func (b *due) compare(time uint16, a *format.Answer, d *differences) {
	if a.ResultTime > time || int(a.ResultTime) < int(time)-balanceWindow {
		d.field("resulttime", int64(a.ResultTime), int64(time))
		if want := b.now(); a.Value < want || a.Value > want && !b.checkFromBelow {
			d.field("balance", a.Value, want)
		}
		return
	}
	if want := b.atSecond(a.ResultTime); a.Value < want || a.Value > want && !b.checkFromBelow {
		d.field("balance", a.Value, want)
	}
}

// isStale tells whether an acceptable answer is not the one for the moment of the request.
func (b *due) isStale(a *format.Answer) bool {
	return int(a.ResultTime) != int(b.at>>32) || a.Value < b.now()
}
