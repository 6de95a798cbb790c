package linearroad

import (
	"sync"
	"time"

	"github.com/fullspate/spate/bench/linearroad/format"
	"github.com/fullspate/spate/bench/linearroad/traffic"
	"github.com/fullspate/spate/bench/linearroad/validator"
	"github.com/fullspate/spate/engine"
)

// xwayGroup is how many neighbouring expressways a vehicle may drive on: balances are complete for all of them together.
const xwayGroup = 2

// judge has the answers validated that reach the sinks of one process. The validation starts with the first sink task and
// ends after the last; all of them are opened before any ends.
type judge struct {
	params  *Params
	traffic func() (*traffic.Traffic, error)

	mu     sync.Mutex
	online *validator.Online // nil where no sink has been opened; guarded by mu, like taps
	taps   map[sinkTask]*tap
}

// sinkTask names a task of a sink.
type sinkTask struct {
	id   string
	task int
}

// tap returns the tap of a sink task.
func (j *judge) tap(id string, task int) (*tap, error) {
	j.mu.Lock()
	defer j.mu.Unlock()
	if j.online == nil {
		online, err := j.start()
		if err != nil {
			return nil, err
		}
		j.online, j.taps = online, make(map[sinkTask]*tap)
	}
	t := &tap{online: j.online, tap: j.online.Tap()}
	j.taps[sinkTask{id, task}] = t
	return t, nil
}

// start starts the validation of the sample. It generates the input of the sampled expressways again by itself.
func (j *judge) start() (*validator.Online, error) {
	tr, err := j.traffic()
	if err != nil {
		return nil, err
	}
	p := j.params
	again := make(map[uint16]*traffic.Xway, len(p.Sample))
	for _, x := range p.Sample {
		again[x] = tr.Xway(int(x))
	}
	return validator.NewOnline(validator.OnlineOptions{
		Options: validator.Options{
			Rules: validator.Rules(p.Rules), Pace: p.Pace, From: p.From, Xways: p.Xways, Carried: true,
			History: p.lookup, Require: p.coverage(),
		},
		Sample: p.Sample,
		To:     p.To,
		Generate: func(xway uint16, second int, dst []format.Tuple) []format.Tuple {
			x := again[xway]
			if x.Time() != second {
				x.Seek(second)
			}
			return x.Second(dst)
		},
	})
}

// advance tells the taps how far their tasks have come: some have nothing to answer for long.
func (j *judge) advance(s engine.Stats) {
	j.mu.Lock()
	defer j.mu.Unlock()
	for i := range s.Tasks {
		t := &s.Tasks[i]
		if tap := j.taps[sinkTask{t.Operator, t.Task}]; tap != nil {
			passed := time.Duration(t.Position.Millis())*time.Millisecond - j.params.origin()
			tap.advance(int(min(passed/time.Second, time.Duration(j.params.To))))
		}
	}
}

// tell returns the report of the validation, nil where no answers came by.
func (j *judge) tell() (any, error) {
	j.mu.Lock()
	defer j.mu.Unlock()
	if j.online == nil {
		return (*validator.Report)(nil), nil
	}
	for _, t := range j.taps {
		t.close()
	}
	return j.online.Finish(), nil
}

// tap hands the answers of one sink task to the validator.
type tap struct {
	online *validator.Online

	mu     sync.Mutex // the tap is used by the sink's loop and by those who advance it
	tap    *validator.Tap
	closed bool
	one    [1]format.Answer
}

// observe takes an answer to input of a sampled expressway.
func (t *tap) observe(a format.Answer) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.one[0] = a
	t.tap.Observe(t.one[:])
}

// advance tells the validator that everything before a second has been answered.
func (t *tap) advance(second int) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if !t.closed {
		t.tap.Advance(second)
	}
}

// close tells it that nothing more comes.
func (t *tap) close() {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.closed = true
	t.tap.Close()
}

// Traffic is dense enough for tolls from about the second denseFrom on; they take an LAV of a complete minute, and being
// charged takes a vehicle a segment more. Accidents happen every accidentEvery seconds.
const (
	denseFrom     = 5400
	denseSpan     = 360
	accidentEvery = 1200
)

// coverage is what traffic of this length and density must have had for the run to prove anything.
func (p *Params) coverage() (c validator.Coverage) {
	if p.To-max(p.From, denseFrom) >= denseSpan {
		c |= validator.CoverTolls | validator.CoverCharges
	}
	if p.To-p.From > 2*accidentEvery {
		c |= validator.CoverAccidents
	}
	return c
}
