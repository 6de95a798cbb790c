package recovery

import (
	"encoding/binary"
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/fullspate/spate/bench/draw"
	"github.com/fullspate/spate/bench/measure"
	"github.com/fullspate/spate/bench/wordcount"
	"github.com/fullspate/spate/engine"
)

// arrivals is the sink of one process: it has one task.
type arrivals struct {
	pace float64

	mu   sync.Mutex
	sink *arrival // guarded by mu; nil as long as none was opened
}

func (a *arrivals) open(engine.SinkPart) (engine.SinkWriter[Count], error) {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.sink = &arrival{pace: a.pace, counts: map[cell]uint64{}}
	return a.sink, nil
}

// tell is called after the sink has ended.
func (a *arrivals) tell() (any, error) {
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.sink == nil {
		return told{}, nil
	}
	for c, n := range a.sink.counts {
		a.sink.totals.add(c, n)
	}
	line, err := a.sink.line.pack()
	return told{Totals: a.sink.totals, Began: a.sink.began, Line: line}, err
}

// told is what the process with the sink has to tell.
type told struct {
	Totals Totals    `json:"totals"`
	Began  time.Time `json:"began"` // when the job's clock was 0
	Line   []byte    `json:"line"`  // packed
}

// merge takes what the one process tells that had the sink.
func (t *told) merge(o told) error {
	if o.Line != nil {
		*t = o
	}
	return nil
}

// cell is a word in a window.
type cell struct {
	word wordcount.Word
	end  int64
}

// Totals stand for all counts of a run at the ends of their windows: equal ones have the same Totals, others in all likelihood
// not.
type Totals struct {
	Counts int64  `json:"counts"` // words in windows
	Words  uint64 `json:"words"`  // that were counted
	Sum    uint64 `json:"sum"`    // of hashes of word, window and count
}

func (t *Totals) add(c cell, n uint64) {
	t.Counts++
	t.Words += n
	var text [16]byte
	text[0] = c.word.Length
	copy(text[1:], c.word.Letters[:])
	s := draw.Seed(binary.LittleEndian.Uint64(text[:8]), binary.LittleEndian.Uint64(text[8:]), uint64(c.end), n)
	t.Sum += s.Next()
}

// arrival is the sink's task: it notes when each count arrives, and sees to it that each follows the one before. Its memory is
// the only place where that is, so its worker is not to be lost.
type arrival struct {
	measure.Volatile
	pace   float64
	line   Timeline
	began  time.Time // the least that was seen
	counts map[cell]uint64
	totals Totals
}

// Write takes a count.
func (a *arrival) Write(c *engine.Ctx, v *Count) {
	elapsed := c.Elapsed()
	at := time.Duration(float64(c.Now()) / a.pace)
	if at <= elapsed { // else the end of the input has brought it about before it was due
		if fresh := a.line.add(Mark{Due: at, Took: elapsed - at, Count: 1}); fresh {
			// The loop has read the clock before it began to work: what comes out is too late, and the least comes closest.
			if b := time.Now().Add(-elapsed); a.began.IsZero() || b.Before(a.began) {
				a.began = b
			}
		}
	}
	key := cell{v.Word, v.End}
	if v.Final == 1 {
		if n := a.counts[key]; n != v.Times {
			c.Fail(fmt.Errorf("%v occurred %d times before %d ms, of which %d were told", &v.Word, v.Times, v.End, n))
		}
		delete(a.counts, key)
		a.totals.add(key, v.Times)
		return
	}
	n := a.counts[key] + 1
	if n != v.Times {
		c.Fail(fmt.Errorf("the count of %v before %d ms is %d, and was %d", &v.Word, v.End, v.Times, n-1))
	}
	a.counts[key] = n
}

// Restore fails: what has arrived is told from memory.
func (a *arrival) Restore([]byte) error {
	return errors.New("the worker with the sink was lost, and with it what had arrived: want it to outlive the run")
}

// reference are the totals of the right answers.
func reference(in Input) (t Totals, err error) {
	if in.Load > 0 {
		counts := make([]uint64, in.Words)
		for n := range in.records() {
			counts[in.rank(n)]++
		}
		for rank, n := range counts {
			t.add(cell{word: spell(uint64(rank))}, n)
		}
		return t, nil
	}
	text, err := in.text()
	if err != nil {
		return t, err
	}
	for _, f := range wordcount.Reference(text) {
		t.add(cell{f.Word, f.WindowEnd}, f.Count)
	}
	return t, nil
}
