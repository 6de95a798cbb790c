package recovery

import (
	"errors"
	"fmt"

	"github.com/fullspate/spate/bench/draw"
	"github.com/fullspate/spate/bench/measure"
	"github.com/fullspate/spate/bench/wordcount"
	"github.com/fullspate/spate/engine"
)

// Input describes the input of the query.
type Input struct {
	Seed    uint64 `json:"seed"`
	Rate    int    `json:"rate"`    // fragments per second, or words if Load is set; 1…10,000,000
	Seconds int    `json:"seconds"` // of input, more than Load, up to 86,400
	Words   int    `json:"words"`   // that occur: 1…1,000,000, with Load 1…100,000,000
	// Load, if set, makes the input a dictionary: in its first Load seconds each word comes once, and then words come one by one,
	// each as often as any other, and are counted for good, with EntryBytes of state for each.
	Load int `json:"load"`
}

// EntryBytes is the state of a word of a dictionary: so much that a GiB is loaded in seconds.
const EntryBytes = 256

// The splits of the source: the paper has one source of fragments, and so have we, in parts as a generator makes them.
const splits = 4

func (in Input) check() error {
	var errs []error
	for _, f := range []struct {
		name            string
		value, min, max int
	}{
		{"Rate", in.Rate, 1, 10_000_000}, {"Seconds", in.Seconds, in.Load + 1, 86_400}, {"Words", in.Words, 1, in.wordsMax()},
		{"Load", in.Load, 0, 86_399},
	} {
		if f.value < f.min || f.value > f.max {
			errs = append(errs, fmt.Errorf("recovery: %s is %d, want %d…%d", f.name, f.value, f.min, f.max))
		}
	}
	return errors.Join(errs...)
}

func (in Input) wordsMax() int {
	if in.Load > 0 {
		return 100_000_000
	}
	return 1_000_000
}

// text is the input as fragments of text.
func (in Input) text() (*wordcount.Input, error) {
	return wordcount.NewInput(wordcount.InputConfig{
		Seed: in.Seed, Rate: in.Rate, Seconds: in.Seconds, Vocabulary: in.Words, Splits: splits,
	})
}

// records is how many words the dictionary's input has.
func (in Input) records() int64 {
	return int64(in.Words) + int64(in.Seconds-in.Load)*int64(in.Rate)
}

// millis is the time of a dictionary's word.
func (in Input) millis(n int64) int64 {
	if n < int64(in.Words) {
		return n * int64(in.Load) * 1000 / int64(in.Words)
	}
	return int64(in.Load)*1000 + (n-int64(in.Words))*1000/int64(in.Rate)
}

// rank says which word of the dictionary is the n-th of its input, 0…Words−1.
func (in Input) rank(n int64) uint64 {
	if n < int64(in.Words) {
		return uint64(n)
	}
	s := draw.Seed(in.Seed, uint64(n))
	return s.Below(uint64(in.Words))
}

// spell is a word of the dictionary, as long as all others.
func spell(rank uint64) (w wordcount.Word) {
	const letters = 8
	w.Length = letters
	for i := range letters {
		w.Letters[letters-1-i] = 'a' + byte(rank&15)
		rank >>= 4
	}
	return w
}

// dictionary declares a source of a dictionary's words.
func (in Input) dictionary(g *engine.Graph) engine.Stream[wordcount.Word] {
	all := in.records()
	at := func(split int, i int64) int64 { return i*splits + int64(split) }
	return measure.Source(g, SourceID, measure.Generator[wordcount.Word]{
		Splits: splits,
		Len:    func(split int) int64 { return (all - int64(split) + splits - 1) / splits },
		Make: func(split int, i int64, w *wordcount.Word) int64 {
			n := at(split, i)
			*w = spell(in.rank(n))
			return in.millis(n)
		},
		Millis: func(split int, i int64) int64 { return in.millis(at(split, i)) },
	})
}
