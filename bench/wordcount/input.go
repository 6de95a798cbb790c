package wordcount

import (
	"errors"
	"fmt"

	"github.com/fullspate/spate/bench/draw"
)

// InputConfig describes an input. The zero value of a field stands for its default.
type InputConfig struct {
	Seed       uint64 `json:"seed,omitempty"`
	Rate       int    `json:"rate,omitempty"`       // fragments per second over all splits, 1…10,000,000; default 1,000
	Seconds    int    `json:"seconds,omitempty"`    // of input, 1…86,400; default 60
	Vocabulary int    `json:"vocabulary,omitempty"` // words that occur, 1…1,000,000; default 10,000
	Splits     int    `json:"splits,omitempty"`     // independent parts of the input, 1…4,095; default 4
}

// WindowMillis is the length of a window.
const WindowMillis = 30_000

// Sizes in bytes.
const (
	FragmentText = 140 // as in the paper
	WordMax      = 15
)

// Fragment is one input record: a piece of text.
type Fragment struct {
	Used uint32 // bytes of Text that hold words, 0…FragmentText; the rest is zero
	Text [FragmentText]byte
}

// Words returns the text of a fragment. A Used beyond the end means all of it.
func (f *Fragment) Words() []byte { return f.Text[:min(f.Used, FragmentText)] }

// Input makes the fragments that a InputConfig describes.
type Input struct {
	cfg        InputConfig
	vocabulary []string
	zipf       *draw.Zipf
}

// NewInput returns the input for cfg, or an error that names every field out of range.
func NewInput(cfg InputConfig) (*Input, error) {
	cfg = cfg.filled()
	if err := cfg.check(); err != nil {
		return nil, err
	}
	in := &Input{cfg: cfg, vocabulary: make([]string, cfg.Vocabulary), zipf: draw.NewZipf(cfg.Vocabulary)}
	for rank := range in.vocabulary {
		in.vocabulary[rank] = spell(rank)
	}
	return in, nil
}

// filled returns the configuration with defaults where nothing is set.
func (c InputConfig) filled() InputConfig {
	for _, f := range []struct {
		field    *int
		standard int
	}{{&c.Rate, 1000}, {&c.Seconds, 60}, {&c.Vocabulary, 10_000}, {&c.Splits, 4}} {
		if *f.field == 0 {
			*f.field = f.standard
		}
	}
	return c
}

// check reports every field that is out of range.
func (c *InputConfig) check() error {
	var faults []error
	for _, f := range []struct {
		name       string
		value, max int
	}{{"Rate", c.Rate, 10_000_000}, {"Seconds", c.Seconds, 86_400}, {"Vocabulary", c.Vocabulary, 1_000_000}, {"Splits", c.Splits, 4095}} {
		if f.value < 1 || f.value > f.max {
			faults = append(faults, fmt.Errorf("word count: %s is %d, want 1…%d", f.name, f.value, f.max))
		}
	}
	return errors.Join(faults...)
}

// Config returns the configuration with its defaults filled in.
func (in *Input) Config() InputConfig { return in.cfg }

// Len returns the number of fragments in a split, 0…Splits−1. The splits take turns.
func (in *Input) Len(split int) int64 {
	all := int64(in.cfg.Rate) * int64(in.cfg.Seconds)
	return (all - int64(split) + int64(in.cfg.Splits) - 1) / int64(in.cfg.Splits)
}

// millis returns the time of record i of a split.
func (in *Input) millis(split int, i int64) int64 {
	return (i*int64(in.cfg.Splits) + int64(split)) * 1000 / int64(in.cfg.Rate)
}

// Fragment makes record i of a split, 0…Len(split)−1, in place and returns its time in ms. Times do not go back within a
// split, and 0 ≤ ms < 1000·Seconds.
func (in *Input) Fragment(split int, i int64, f *Fragment) (ms int64) {
	s := draw.Seed(in.cfg.Seed, uint64(split), uint64(i))
	*f = Fragment{}
	for {
		word := in.vocabulary[in.zipf.Rank(&s)]
		at := int(f.Used)
		if at > 0 {
			at++ // the space before it
		}
		if at+len(word) > FragmentText {
			break
		}
		if at > 0 {
			f.Text[at-1] = ' '
		}
		copy(f.Text[at:], word)
		f.Used = uint32(at + len(word))
	}
	return in.millis(split, i)
}

// syllables are all pairs of these, so that frequent words are short: 100 of one syllable, 10,000 of two, and so on.
const (
	consonants = "bcdfghjklmnpqrstvwyz"
	vowels     = "aeiou"
)

// spell returns the word of a rank, different for all ranks.
func spell(rank int) string {
	var word []byte
	for n := rank + 1; n > 0; n /= len(consonants) * len(vowels) {
		n--
		word = append(word, consonants[n/len(vowels)%len(consonants)], vowels[n%len(vowels)])
	}
	return string(word)
}
