package ft_test

import (
	"math/rand/v2"
	"slices"
	"testing"

	"github.com/fullspate/spate/ft"
	"github.com/fullspate/spate/wire"
)

func TestChoose(t *testing.T) {
	// A source feeds a counter, which feeds a sink.
	lines := func(sink ...ft.Candidate) []ft.Line {
		return []ft.Line{
			{Consumers: []int{1}, Candidates: []ft.Candidate{{3, 30, []wire.Time{25}}, {2, 20, []wire.Time{15}}}},
			{Consumers: []int{2}, Candidates: []ft.Candidate{{7, 25, []wire.Time{20}}, {6, 15, []wire.Time{10}}}},
			{Candidates: sink},
		}
	}
	tests := []struct {
		name string
		sink []ft.Candidate
		want []uint64
	}{
		{"all of the newest", []ft.Candidate{{9, 20, nil}, {8, 10, nil}}, []uint64{3, 7, 9}},
		{"the sink's newest is lost, and so is everybody's", []ft.Candidate{{8, 10, nil}}, []uint64{2, 6, 8}},
		{"the sink has nothing", nil, []uint64{0, 0, 0}},
		{"the sink is ahead", []ft.Candidate{{9, 99, nil}}, []uint64{3, 7, 9}},
	}
	for _, tt := range tests {
		if got := ft.Choose(lines(tt.sink...)); !slices.Equal(got, tt.want) {
			t.Errorf("%s: %v, want %v", tt.name, got, tt.want)
		}
	}
}

// TestChooseAgainstAllChoices compares with the best of all that there are, in small graphs.
func TestChooseAgainstAllChoices(t *testing.T) {
	for seed := range uint64(2000) {
		r := rand.New(rand.NewPCG(seed, 9))
		lines := randomLines(r)
		got := ft.Choose(lines)
		if !sound(lines, got) {
			t.Fatalf("seed %d: %v violates a log of %+v", seed, got, lines)
		}
		each(lines, func(choice []uint64) {
			for n := range choice {
				if newer(lines[n], choice[n], got[n]) {
					t.Fatalf("seed %d: %v, but %v is newer for task %d of %+v", seed, got, choice, n, lines)
				}
			}
		})
	}
}

// randomLines makes a graph of up to four tasks, of which the lower feed the higher.
func randomLines(r *rand.Rand) []ft.Line {
	lines := make([]ft.Line, 1+r.IntN(4))
	for u := range lines {
		for d := u + 1; d < len(lines); d++ {
			if r.IntN(2) == 0 {
				lines[u].Consumers = append(lines[u].Consumers, d)
			}
		}
		for gen := range uint64(r.IntN(4)) {
			c := ft.Candidate{Generation: gen + 1, Position: wire.Time(r.IntN(10))}
			for range lines[u].Consumers {
				c.Trims = append(c.Trims, wire.Time(r.IntN(10)))
			}
			lines[u].Candidates = append(lines[u].Candidates, c)
		}
	}
	return lines
}

// at is a candidate by its generation; 0 is the beginning.
func at(l ft.Line, gen uint64) ft.Candidate {
	for _, c := range l.Candidates {
		if c.Generation == gen {
			return c
		}
	}
	return ft.Candidate{Trims: make([]wire.Time, len(l.Consumers))}
}

func newer(l ft.Line, a, b uint64) bool {
	x, y := at(l, a), at(l, b)
	return x.Position > y.Position || x.Position == y.Position && a > b
}

func sound(lines []ft.Line, choice []uint64) bool {
	for u, l := range lines {
		for log, d := range l.Consumers {
			if at(l, choice[u]).Trims[log] > at(lines[d], choice[d]).Position {
				return false
			}
		}
	}
	return true
}

// each calls fn with every choice that violates nothing.
func each(lines []ft.Line, fn func(choice []uint64)) {
	choice := make([]uint64, len(lines))
	var rest func(n int)
	rest = func(n int) {
		if n == len(lines) {
			if sound(lines, choice) {
				fn(choice)
			}
			return
		}
		for gen := range uint64(len(lines[n].Candidates) + 1) {
			choice[n] = gen
			rest(n + 1)
		}
	}
	rest(0)
}

func TestCandidateOf(t *testing.T) {
	c := ft.CandidateOf(ft.Info{Generation: 2, Position: 8, Logs: []ft.LogInfo{{Trim: 3}, {Trim: 4}}})
	if c.Generation != 2 || c.Position != 8 || !slices.Equal(c.Trims, []wire.Time{3, 4}) {
		t.Errorf("%+v", c)
	}
}
