package network

import (
	"errors"
	"fmt"
	"math/bits"

	"github.com/fullspate/spate/bench/draw"
)

// Input describes what the source makes. The zero value of a field stands for that of Defaults.
type Input struct {
	Seed    uint64 `json:"seed"`
	Rate    int    `json:"rate"`    // tuples per second of input, of all splits together, 5…RateMax
	Seconds int    `json:"seconds"` // of input, 1…86,400
	Keys    int    `json:"keys"`    // 1…100,000,000, each as frequent as any other
}

// RateMax is the largest rate: with a rate that fits into the sequence numbers of a millisecond, τ has the tuple's own time.
const RateMax = 16_000_000

// filled returns the input with defaults where nothing is set.
func (in Input) filled(k Kind) Input {
	standard := Defaults(k).Input
	if in.Seed == 0 {
		in.Seed = standard.Seed
	}
	for _, f := range []struct {
		field    *int
		standard int
	}{{&in.Rate, standard.Rate}, {&in.Seconds, standard.Seconds}, {&in.Keys, standard.Keys}} {
		if *f.field == 0 {
			*f.field = f.standard
		}
	}
	return in
}

// check reports every field that is out of range.
func (in Input) check() error {
	var faults []error
	for _, f := range []struct {
		name            string
		value, min, max int
	}{{"Rate", in.Rate, 5, RateMax}, {"Seconds", in.Seconds, 1, 86_400}, {"Keys", in.Keys, 1, 100_000_000}} {
		if f.value < f.min || f.value > f.max {
			faults = append(faults, fmt.Errorf("%s is %d, want %d…%d", f.name, f.value, f.min, f.max))
		}
	}
	return errors.Join(faults...)
}

// split is one part of an input. Its numbers below drawn have keys that are drawn, and fill the seconds of the input; those
// from there to end have one key each, from first on, and come after them.
type split struct {
	rate       int64 // tuples per second
	drawn, end int64
	first      uint64
	keys, seed uint64
	mark       int64 // a number that is to be told, besides those from drawn on; −1: none
}

// The splits of keyed and hops have rates of 4 : 1.
const (
	share = 4
	whole = 5
)

// splits spreads the input over the splits of a benchmark. warm is in seconds.
func (in Input) splits(k Kind, warm int) []split {
	rates := []int64{int64(in.Rate)}
	if k != Hop {
		major := int64(in.Rate) * share / whole
		rates = []int64{major, int64(in.Rate) - major}
	}
	list := make([]split, len(rates))
	for i, rate := range rates {
		n := rate * int64(in.Seconds)
		list[i] = split{rate: rate, drawn: n, end: n, keys: uint64(in.Keys), seed: uint64(draw.Seed(in.Seed, uint64(i))), mark: -1}
	}
	if k == Keyed {
		major := int64(in.Keys) * share / whole
		list[0].end += major
		list[0].mark = int64(warm) * list[0].rate
		list[1].end += int64(in.Keys) - major
		list[1].first = uint64(major)
	}
	return list
}

// millis is the time of a number, in ms.
func (s *split) millis(number int64) int64 { return number * 1000 / s.rate }

// begin is the first number whose time is not before ms.
func (s *split) begin(ms int64) int64 { return (ms*s.rate + 999) / 1000 }

// key is the key of a number.
func (s *split) key(number int64) uint64 {
	if number >= s.drawn {
		return s.first + uint64(number-s.drawn)
	}
	return s.draw(number)
}

// golden is 2⁶⁴ divided by the golden ratio, made odd: its multiples are spread evenly, and none is near those before it.
const golden = 0x9e3779b97f4a7c15

// draw is the key of a number below drawn: a multiple of golden, scaled down to the keys that there are. So keys come up in an
// order that no cache foresees, each as often as any other, and cost next to nothing.
func (s *split) draw(number int64) uint64 { return scale(s.seed+uint64(number)*golden, s.keys) }

// scale maps a fraction of 2⁶⁴ to 0…n−1.
func scale(fraction, n uint64) uint64 {
	high, _ := bits.Mul64(fraction, n)
	return high
}

// make makes a tuple that is not told.
func (s *split) make(t *Tuple, number int64) {
	t.Key, t.Number = s.draw(number), uint64(number)
	t.sign()
}

// makeTold makes a tuple that is told.
func (s *split) makeTold(t *Tuple, number int64) {
	t.Key, t.Number = s.key(number), uint64(number)|tell
	t.sign()
}

// last is the time of the last tuple of all splits, in ms.
func last(splits []split) (ms int64) {
	for i := range splits {
		ms = max(ms, splits[i].millis(splits[i].end-1))
	}
	return ms
}

// from is how many tuples there are from a second on.
func from(splits []split, second int) (n int64) {
	for i := range splits {
		n += splits[i].end - int64(second)*splits[i].rate
	}
	return n
}
