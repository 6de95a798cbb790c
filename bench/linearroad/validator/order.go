package validator

import (
	"slices"
	"sort"
)

// placed is an answer and the place in the input of what it answers.
type placed struct {
	input  int32
	answer int32
}

// checkOrder finds answers that stand out of order: in each stretch that has one order, and for each type, those
// outside of the longest subsequence that is in order of input. Fewer could not be moved to put the rest in order.
func (c *checker) checkOrder() {
	w := &c.w
	for _, i := range w.misplaced {
		if w.answered[i] >= 0 {
			c.reportDisordered(placed{input: w.answered[i], answer: i})
		}
	}
	first := int32(0)
	for _, end := range w.lanes {
		for t := range c.want {
			order := c.order[:0]
			sorted := true
			for i := first; i < end; i++ {
				if int(w.answers[i].Type) != t || w.answered[i] < 0 {
					continue
				}
				if _, known := slices.BinarySearch(w.misplaced, i); known {
					continue
				}
				p := placed{input: w.answered[i], answer: i}
				sorted = sorted && (len(order) == 0 || order[len(order)-1].input <= p.input)
				order = append(order, p)
			}
			c.order = order
			if !sorted {
				c.reportDisorder(order)
			}
		}
		first = end
	}
}

func (c *checker) reportDisorder(order []placed) {
	inOrder := longestInOrder(order)
	for k, p := range order {
		if !inOrder[k] {
			c.reportDisordered(p)
		}
	}
}

func (c *checker) reportDisordered(p placed) {
	t, a := &c.w.in[p.input], &c.w.answers[p.answer]
	c.found.add(finding{
		kind: Disordered, typ: a.Type, at: momentOf(t.Time, uint32(p.input)), input: p.input, answer: p.answer,
	})
}

// longestInOrder marks the members of one longest subsequence of non-decreasing input (patience sorting).
func longestInOrder(order []placed) []bool {
	tails := make([]int, 0, len(order)) // tails[n] ends the subsequence of length n+1 that ends lowest
	before := make([]int, len(order))   // the member before, −1 for the first
	for k, p := range order {
		n := sort.Search(len(tails), func(i int) bool { return order[tails[i]].input > p.input })
		before[k] = -1
		if n > 0 {
			before[k] = tails[n-1]
		}
		if n == len(tails) {
			tails = append(tails, k)
		} else {
			tails[n] = k
		}
	}
	member := make([]bool, len(order))
	if len(tails) > 0 {
		for k := tails[len(tails)-1]; k >= 0; k = before[k] {
			member[k] = true
		}
	}
	return member
}
