package measure

import (
	"fmt"
	"slices"
	"strings"
)

// firstMax is how many differences are kept to be shown: enough to see a pattern.
const firstMax = 10

// Check is what comparing the answers of a run with a reference came to.
type Check struct {
	Answers int      `json:"answers"`
	Missing int      `json:"missing"` // in the reference only
	Extra   int      `json:"extra"`   // not in the reference, or given more than once
	Wrong   int      `json:"wrong"`   // differ from the reference
	First   []string `json:"first"`   // differences, ten at most
}

// Valid says whether there was an answer at all, and every one was right.
func (c *Check) Valid() bool { return c.Answers > 0 && c.Missing+c.Extra+c.Wrong == 0 }

// String tells people how the check went, with the first differences in lines of their own.
func (c *Check) String() string {
	if c.Valid() {
		return fmt.Sprintf("%d answers, all right", c.Answers)
	}
	head := fmt.Sprintf("%d answers: %d missing, %d too many, %d wrong", c.Answers, c.Missing, c.Extra, c.Wrong)
	return strings.Join(append([]string{head}, c.First...), "\n")
}

func (c *Check) differ(counter *int, format string, args ...any) {
	*counter++
	if len(c.First) < firstMax {
		c.First = append(c.First, fmt.Sprintf(format, args...))
	}
}

// Compare checks got against want. Want is sorted by order and has one answer to each question; got is taken and sorted.
func Compare[A comparable](got, want []A, order func(a, b A) int) Check {
	slices.SortFunc(got, order)
	c := Check{Answers: len(got)}
	for len(got) > 0 || len(want) > 0 {
		side := 0
		switch {
		case len(want) == 0:
			side = -1
		case len(got) == 0:
			side = 1
		default:
			side = order(got[0], want[0])
		}
		switch {
		case side < 0:
			c.differ(&c.Extra, "too many: %v", show(&got[0]))
			got = got[1:]
		case side > 0:
			c.differ(&c.Missing, "missing: %v", show(&want[0]))
			want = want[1:]
		default:
			if got[0] != want[0] {
				c.differ(&c.Wrong, "wrong: %v; right: %v", show(&got[0]), show(&want[0]))
			}
			got, want = got[1:], want[1:]
		}
	}
	return c
}

// show returns what prints an answer best: answers have their String method on the pointer.
func show[A any](a *A) any {
	if s, ok := any(a).(fmt.Stringer); ok {
		return s
	}
	return *a
}
