package task

import (
	"math/rand/v2"
	"slices"
	"testing"
)

func TestDueHeapYieldsInOrder(t *testing.T) {
	rng := rand.New(rand.NewPCG(1, 2))
	for range 200 {
		var h dueHeap
		var want, got []uint64
		for range 1 + rng.IntN(50) {
			if len(h) > 0 && rng.IntN(3) == 0 {
				slices.Sort(want)
				if least := h.pop(); least != want[0] {
					t.Fatalf("popped %d out of %d", least, want)
				}
				want = want[1:]
				continue
			}
			ms := rng.Uint64N(20)
			h.push(ms)
			want = append(want, ms)
		}
		slices.Sort(want)
		for len(h) > 0 {
			got = append(got, h.pop())
		}
		if !slices.Equal(got, want) {
			t.Fatalf("got %d, want %d", got, want)
		}
	}
}
