package validator

import (
	"cmp"
	"math"
	"slices"
)

// Sample chooses whole expressways of 0…xways−1, sorted: at least the given share of them (0…1) and at least one group.
// A group is that many neighbours from a multiple of it on, all of which are taken or none, so that vehicles that drive
// on several expressways of one group are seen in full; the last group may be smaller, and 1 chooses each expressway by
// itself. The choice is a function of the arguments, and without the salt nobody can tell it.
func Sample(salt uint64, xways, group int, share float64) []uint16 {
	if xways < 1 || group < 1 {
		return nil
	}
	type ticket struct {
		draw  uint64
		first int
	}
	var tickets []ticket
	for first := 0; first < xways; first += group {
		tickets = append(tickets, ticket{scramble(salt ^ scramble(uint64(first))), first})
	}
	slices.SortFunc(tickets, func(a, b ticket) int { return cmp.Compare(a.draw, b.draw) })
	want := max(1, int(math.Ceil(min(share, 1)*float64(xways))))
	var chosen []uint16
	for _, t := range tickets {
		if len(chosen) >= want {
			break
		}
		for x := t.first; x < min(t.first+group, xways); x++ {
			chosen = append(chosen, uint16(x))
		}
	}
	slices.Sort(chosen)
	return chosen
}

// scramble spreads the bits of x over all of a word: multiply and fold with an odd constant, twice.
func scramble(x uint64) uint64 {
	for range 2 {
		x = (x ^ x>>31) * 0x9e3779b97f4a7c15
	}
	return x ^ x>>29
}
