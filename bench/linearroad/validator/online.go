package validator

import (
	"errors"
	"fmt"
	"slices"
	"sync"

	"github.com/fullspate/spate/bench/linearroad/format"
)

// OnlineOptions says what is validated while a run goes on, in addition to Options.
type OnlineOptions struct {
	Options
	Sample []uint16 // the expressways that are validated, all of their input and answers; see Sample
	To     int      // first second of input that is not in the run; 0 means 10800. The run starts at Options.From
	// Generate appends the tuples of a second of an expressway in order of input, from generated traffic, which gives
	// the same again. It is called on the validator's goroutine, for each expressway with consecutive seconds. Where it
	// is nil the run hands its input over by Online.Input.
	Generate func(xway uint16, second int, dst []format.Tuple) []format.Tuple
	// Asked tells whether an answer of type 2, 3 or 4 is to a request among the lines of a sampled expressway, which
	// the answer's VID or QID may tell. nil asks Answer.Xway. It is called on the goroutines of taps.
	Asked func(a *format.Answer) bool
	// Elsewhere tells whether a vehicle may be charged on an expressway that is not sampled. The balances of such a
	// vehicle cannot be known here: they are checked to be no less than what the sample charged, and counted in
	// Report.BalancesPartly. nil means that no vehicle is.
	Elsewhere func(vid uint32) bool
	// WaitingMax is how many answers and tuples of input may wait for the slowest tap before the validator gives up, so
	// that memory stays bounded even if a tap never advances; 0 means 4 million, some 200 MB.
	WaitingMax int
}

// waitingDefault is well above what a run has in flight: with all of it sampled, and a tap that is told of its progress four
// times a second, it takes ten million answers a second.
const waitingDefault = 4 << 20

// Validate reports everything that is wrong with the options at once.
func (o *OnlineOptions) Validate() error {
	errs := []error{o.Options.Validate()}
	if len(o.Sample) == 0 {
		errs = append(errs, errors.New("the sample is empty, want at least one expressway"))
	}
	for i, x := range o.Sample {
		if x > format.XwayMax || i > 0 && x <= o.Sample[i-1] {
			errs = append(errs, fmt.Errorf("the sample is %v, want ascending expressways up to %d", o.Sample, format.XwayMax))
			break
		}
	}
	if o.To != 0 && (o.To <= o.From || o.To > format.TimeMax+1) {
		errs = append(errs, fmt.Errorf("to is %d, want a second after from (%d) and up to %d", o.To, o.From, format.TimeMax+1))
	}
	if o.Pace > 0 && o.Xways == 0 {
		errs = append(errs, errors.New("xways is 0 in a paced run: want the load factor, since a sample of a file cannot tell when its lines were due"))
	}
	if o.WaitingMax < 0 {
		errs = append(errs, fmt.Errorf("at most %d answers wait, want at least 0", o.WaitingMax))
	}
	return errors.Join(errs...)
}

// chunkAnswers is how many answers are handed over at once: 40 KiB, and a hand-over costs about 100 ns.
const chunkAnswers = 1024

// chunkTuples is how many input tuples are handed over at once: 24 KiB.
const chunkTuples = 1024

// handOverMax is how many chunks may wait for the validator before a tap or an input blocks: some 2.5 MB.
const handOverMax = 64

// message is what taps and feeds tell the validator's goroutine.
type message struct {
	tap     int             // of answers and of second
	answers []format.Answer // a chunk, given back by Online.giveBack
	second  int             // the tap's promise; −1 for none
	feed    int             // of tuples and run, −1 for none
	tuples  []format.Tuple  // taken
	run     run             // of tuples; n = 0 for a promise only
}

// Online validates a sample of whole expressways while a run goes on: see the package's comment.
type Online struct {
	opt      OnlineOptions
	sampled  [(format.XwayMax + 1) / 64]uint64
	feedOf   map[uint16]int // sampled expressway → its place in the sample
	work     chan message
	free     chan []format.Answer
	finished chan *Report

	mu   sync.Mutex
	taps []*Tap // guarded by mu
	open int    // taps that are not closed; guarded by mu
	over bool   // work is closed; guarded by mu
}

// NewOnline starts the validator's goroutine, which does all heavy work. It ends by itself after the last tap has been
// closed, or in Finish.
func NewOnline(opt OnlineOptions) (*Online, error) {
	if err := opt.Validate(); err != nil {
		return nil, fmt.Errorf("options of an online validation: %w", err)
	}
	if opt.To == 0 {
		opt.To = format.TimeMax + 1
	}
	if opt.WaitingMax == 0 {
		opt.WaitingMax = waitingDefault
	}
	o := &Online{
		opt:      opt,
		feedOf:   make(map[uint16]int),
		work:     make(chan message, handOverMax),
		free:     make(chan []format.Answer, handOverMax),
		finished: make(chan *Report, 1),
	}
	for i, x := range opt.Sample {
		o.sampled[x/64] |= 1 << (x % 64)
		o.feedOf[x] = i
	}
	go func() {
		o.finished <- newFollower(o).follow()
	}()
	return o, nil
}

// Sampled tells whether an expressway is validated. Any goroutine may ask.
func (o *Online) Sampled(xway uint16) bool {
	return xway <= format.XwayMax && o.sampled[xway/64]>>(xway%64)&1 != 0
}

// Tap returns a tap for one goroutine that sees answers. All taps are made before any of them is used, because a minute
// is over when all taps have passed it.
func (o *Online) Tap() *Tap {
	o.mu.Lock()
	defer o.mu.Unlock()
	t := &Tap{o: o, id: len(o.taps), minute: o.opt.From / 60}
	o.taps = append(o.taps, t)
	o.open++
	return t
}

func (o *Online) tapCount() int {
	o.mu.Lock()
	defer o.mu.Unlock()
	return len(o.taps)
}

// Input hands over all tuples of a second of an expressway, in order of input; they are borrowed. Seconds of one
// expressway ascend, and those without tuples may be left out. One goroutine at a time for each expressway. Tuples of
// other expressways are ignored, and so is everything if Generate is set. It blocks while too much waits.
func (o *Online) Input(xway uint16, second int, tuples []format.Tuple) {
	if !o.Sampled(xway) || o.opt.Generate != nil {
		return
	}
	m := message{tap: -1, second: -1, feed: o.feedOf[xway]}
	m.run = run{n: uint32(len(tuples)), xway: int32(xway), time: uint16(second)}
	for {
		n := min(len(tuples), chunkTuples)
		m.tuples = append([]format.Tuple(nil), tuples[:n]...)
		o.work <- m
		m.run.n, tuples = 0, tuples[n:]
		if len(tuples) == 0 {
			return
		}
	}
}

// Finish closes the taps that are open, waits until everything is validated, and returns the report. It is called once,
// after every Observe, Advance, Close and Input has returned. All answers that were not observed by now are missing.
func (o *Online) Finish() *Report {
	o.mu.Lock()
	taps := slices.Clone(o.taps)
	o.mu.Unlock()
	for _, t := range taps {
		t.Close()
	}
	o.end()
	return <-o.finished
}

// end tells the validator's goroutine that nothing comes any more.
func (o *Online) end() {
	o.mu.Lock()
	defer o.mu.Unlock()
	if !o.over {
		o.over = true
		close(o.work)
	}
}

// closeTap counts a tap that has been closed, and tells whether it was the last.
func (o *Online) closeTap() (last bool) {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.open--
	return o.open == 0
}

// Tap takes answers from one goroutine, cheaply: it copies those of sampled expressways, and hands them on in chunks.
type Tap struct {
	o      *Online
	id     int
	minute int // of the last promise that was handed on
	chunk  []format.Answer
	closed bool
}

// Observe takes note of answers, in the order in which they are given out; they are borrowed, and those of expressways
// outside of the sample ignored. It blocks while more than handOverMax chunks wait for the validator.
func (t *Tap) Observe(answers []format.Answer) {
	for i := range answers {
		a := &answers[i]
		if !t.concerns(a) {
			continue
		}
		if t.chunk == nil {
			t.chunk = t.o.emptyChunk()
		}
		t.chunk = append(t.chunk, *a)
		if len(t.chunk) == cap(t.chunk) {
			t.handOver(-1)
		}
	}
}

func (t *Tap) concerns(a *format.Answer) bool {
	if a.Type <= format.Accident || t.o.opt.Asked == nil {
		return t.o.Sampled(a.Xway)
	}
	return t.o.opt.Asked(a)
}

// Advance promises that no answer to input before the given second will be observed on this tap any more. It may be
// called at any time, and costs next to nothing unless a minute is over. Who will observe nothing more closes the tap, so
// that the others are not waited for with their minutes unchecked.
func (t *Tap) Advance(second int) {
	if second/60 > t.minute {
		t.minute = second / 60
		t.handOver(second)
	}
}

// Close promises that nothing more will be observed on this tap. Once all taps are closed the validation comes to its end,
// whether anybody waits for the report or not: input has to be there by then.
func (t *Tap) Close() {
	if t.closed {
		return
	}
	t.closed = true
	t.handOver(format.TimeMax + 1)
	if t.o.closeTap() {
		t.o.end()
	}
}

// handOver gives the chunk, if there is one, and a promise (−1 for none) to the validator.
func (t *Tap) handOver(second int) {
	if t.chunk == nil && second < 0 {
		return
	}
	t.o.work <- message{tap: t.id, answers: t.chunk, second: second, feed: -1}
	t.chunk = nil
}

func (o *Online) emptyChunk() []format.Answer {
	select {
	case c := <-o.free:
		return c[:0]
	default:
		return make([]format.Answer, 0, chunkAnswers)
	}
}

func (o *Online) giveBack(chunk []format.Answer) {
	select {
	case o.free <- chunk:
	default:
	}
}
