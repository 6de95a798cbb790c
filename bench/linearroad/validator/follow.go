package validator

import (
	"fmt"
	"math"
	"slices"

	"github.com/fullspate/spate/bench/linearroad/format"
)

// feed is input of one expressway that was handed over and not validated yet.
type feed struct {
	tuples  []format.Tuple
	runs    []run // cover tuples; first is not used
	second  int   // everything before it is there
	usedIn  int   // how many of tuples the minute that is being checked has taken
	usedRun int   // and of runs
}

// waiting is an answer whose minute is not checked yet.
type waiting struct {
	answer     format.Answer
	disordered bool // it came before answers to an earlier minute
}

// follower is the validator's goroutine of an online validation: it gathers input and answers by minutes, and checks a
// minute when every tap, and every feed, has passed it.
type follower struct {
	o       *Online
	c       *checker
	start   int         // first second that is not checked yet
	answers [][]waiting // by tap, in order
	passed  []int       // by tap: its promise
	feeds   []feed      // by place in the sample; unused if the input is generated
	waiting int         // answers and tuples in those
	failure string      // why validation was given up
}

func newFollower(o *Online) *follower {
	f := &follower{o: o, c: newChecker(o.opt.Options), start: o.opt.From, feeds: make([]feed, len(o.opt.Sample))}
	f.c.online, f.c.elsewhere = true, o.opt.Elsewhere
	f.c.report.Sample = slices.Clone(o.opt.Sample)
	return f
}

// follow works until the run is over and returns the report.
func (f *follower) follow() *Report {
	for m := range f.o.work {
		f.take(m)
		for f.failure == "" && f.canCheck(f.minuteEnd()) {
			f.checkMinute(f.minuteEnd())
		}
	}
	for f.failure == "" && f.start < f.lastSecond() {
		f.checkMinute(f.minuteEnd())
	}
	r := f.c.report
	if f.failure == "" && f.leftOver() {
		f.checkMinute(math.MaxInt)
	}
	if f.failure != "" {
		r.Failures = append(r.Failures, "validation was given up: "+f.failure)
	}
	r.finish(f.o.opt.Require)
	return r
}

// minuteEnd returns the first second behind the minute that is next to be checked.
func (f *follower) minuteEnd() int { return (f.start/60 + 1) * 60 }

// lastSecond returns the first second behind all input.
func (f *follower) lastSecond() int {
	if f.o.opt.Generate != nil {
		return f.o.opt.To
	}
	last := 0
	for i := range f.feeds {
		last = max(last, f.feeds[i].second+1)
	}
	return min(last, f.o.opt.To)
}

// leftOver tells whether there are answers behind the last input.
func (f *follower) leftOver() bool {
	return slices.ContainsFunc(f.answers, func(a []waiting) bool { return len(a) > 0 })
}

// take adds what a message brings to what waits.
func (f *follower) take(m message) {
	if m.feed >= 0 {
		f.takeInput(m)
	}
	if m.tap >= 0 {
		for len(f.answers) <= m.tap {
			f.answers = append(f.answers, nil)
			f.passed = append(f.passed, f.o.opt.From)
		}
		if m.second >= 0 {
			f.passed[m.tap] = m.second
		}
		if f.failure == "" && m.answers != nil {
			f.hold(len(m.answers), int(m.answers[0].Time), "answers")
			for i := range m.answers {
				f.answers[m.tap] = append(f.answers[m.tap], waiting{answer: m.answers[i]})
			}
		}
		if m.answers != nil {
			f.o.giveBack(m.answers)
		}
	}
}

func (f *follower) takeInput(m message) {
	if f.failure != "" {
		return
	}
	in := &f.feeds[m.feed]
	second := int(m.run.time)
	f.hold(len(m.tuples), second, "input")
	if second < in.second {
		f.failure = fmt.Sprintf("input of expressway %d goes back from second %d to %d", m.run.xway, in.second, second)
		return
	}
	in.second = second
	in.tuples = append(in.tuples, m.tuples...)
	if m.run.n > 0 {
		in.runs = append(in.runs, m.run)
	}
}

// hold counts what has come, and gives up when too much waits for the minute that is next.
func (f *follower) hold(n, second int, what string) {
	f.waiting += n
	if f.waiting > f.o.opt.WaitingMax && f.failure == "" {
		f.failure = fmt.Sprintf("%s of second %d came while the taps or the input had not yet passed second %d, and more than %d answers and tuples wait",
			what, second, f.minuteEnd(), f.o.opt.WaitingMax)
	}
}

// canCheck tells whether everything before the given second is there.
func (f *follower) canCheck(end int) bool {
	if f.start >= f.o.opt.To || len(f.passed) < f.o.tapCount() || len(f.passed) == 0 {
		return false
	}
	for _, p := range f.passed {
		if p < end {
			return false
		}
	}
	for i := range f.feeds {
		if f.o.opt.Generate == nil && f.feeds[i].second < end {
			return false
		}
	}
	return true
}

// checkMinute checks what lies before the given second. The last one, with no end, takes all answers that are left.
func (f *follower) checkMinute(end int) {
	w := &f.c.w
	w.end = end
	w.in, w.runs = w.in[:0], w.runs[:0]
	last := min(end, f.o.opt.To)
	for second := f.start; second < last; second++ {
		for i := range f.o.opt.Sample {
			f.gather(i, second)
		}
	}
	if what := f.checkInput(); what != nil {
		f.failure = what.Error()
		return
	}
	f.takeAnswers(end)
	f.c.check()
	f.dropInput()
	f.start = end
}

// takeAnswers moves the answers to what lies before the given second into the window.
func (f *follower) takeAnswers(end int) {
	w := &f.c.w
	w.answers, w.lanes, w.misplaced = w.answers[:0], w.lanes[:0], w.misplaced[:0]
	for tap, all := range f.answers {
		markMisplaced(all, end)
		later := all[:0]
		for _, a := range all {
			if int(a.answer.Time) >= end {
				later = append(later, a)
				continue
			}
			if a.disordered {
				w.misplaced = append(w.misplaced, int32(len(w.answers)))
			}
			w.answers = append(w.answers, a.answer)
		}
		f.answers[tap] = later
		w.lanes = append(w.lanes, int32(len(w.answers)))
	}
	f.waiting -= len(w.answers)
}

// markMisplaced finds answers of a tap that are in no order across the given second: for each type, the fewest without
// which all before that second stand before all others.
func markMisplaced(all []waiting, end int) {
	firstLater := slices.IndexFunc(all, func(a waiting) bool { return int(a.answer.Time) >= end })
	if firstLater < 0 || !slices.ContainsFunc(all[firstLater:], func(a waiting) bool { return int(a.answer.Time) < end }) {
		return
	}
	for typ := range Types {
		// Moving the cut one place on puts one answer before it: a misplaced one if it is of a later minute, and one
		// misplaced less if it is of this.
		cost, best, cut := 0, 0, 0
		for i := range all {
			if int(all[i].answer.Type) != typ {
				continue
			}
			if int(all[i].answer.Time) >= end {
				cost++
			} else {
				cost--
			}
			if cost < best {
				best, cut = cost, i+1
			}
		}
		for i := range all {
			if a := &all[i]; int(a.answer.Type) == typ && (int(a.answer.Time) >= end) == (i < cut) {
				a.disordered = true
			}
		}
	}
}

// gather appends one second of one expressway to the window.
func (f *follower) gather(i, second int) {
	w := &f.c.w
	xway := f.o.opt.Sample[i]
	r := run{first: uint32(len(w.in)), xway: int32(xway), time: uint16(second)}
	if f.o.opt.Generate != nil {
		w.in = f.o.opt.Generate(xway, second, w.in)
		r.n = uint32(len(w.in)) - r.first
	} else {
		in := &f.feeds[i]
		for ; in.usedRun < len(in.runs) && int(in.runs[in.usedRun].time) == second; in.usedRun++ {
			n := in.runs[in.usedRun].n
			w.in = append(w.in, in.tuples[in.usedIn:in.usedIn+int(n)]...)
			in.usedIn += int(n)
			r.n += n
		}
	}
	if r.n > 0 {
		w.runs = append(w.runs, r)
	}
}

// checkInput returns what is wrong with the window's input, as an *InputError.
func (f *follower) checkInput() error {
	w := &f.c.w
	for _, r := range w.runs {
		for i := r.first; i < r.first+r.n; i++ {
			what := checkTuple(&w.in[i])
			if w.in[i].Time != r.time {
				what = fmt.Sprintf("it came with second %d", r.time)
			}
			if what != "" {
				return &InputError{Line: int(i-r.first) + 1, Tuple: w.in[i], What: what}
			}
		}
	}
	return nil
}

// dropInput moves what is left of the feeds to the front of their memory.
func (f *follower) dropInput() {
	for i := range f.feeds {
		in := &f.feeds[i]
		in.tuples = slices.Delete(in.tuples, 0, in.usedIn)
		in.runs = slices.Delete(in.runs, 0, in.usedRun)
		f.waiting -= in.usedIn
		in.usedIn, in.usedRun = 0, 0
	}
}
