package validator

import (
	"fmt"
	"math"

	"github.com/fullspate/spate/bench/linearroad/format"
)

// Validate checks the answers to a whole input. It borrows both slices; answers of different types may be mixed in any
// way, but those of each type stand in order of input. An error means that there was nothing to be validated: options
// that make no sense, or an input tuple (an *InputError) that is out of range or earlier than the one before it.
func Validate(input []format.Tuple, answers []format.Answer, opt Options) (*Report, error) {
	if err := opt.Validate(); err != nil {
		return nil, fmt.Errorf("options of a validation: %w", err)
	}
	if len(input) > math.MaxInt32 || len(answers) > math.MaxInt32 {
		return nil, fmt.Errorf("%d tuples and %d answers are more than 2³¹−1 at once: validate online", len(input), len(answers))
	}
	for i := range input {
		what := checkTuple(&input[i])
		if i > 0 && input[i].Time < input[i-1].Time {
			what = fmt.Sprintf("it follows one of time %d", input[i-1].Time)
		}
		if what != "" {
			return nil, &InputError{Line: i + 1, Tuple: input[i], What: what}
		}
	}
	c := newChecker(opt)
	c.w.end = math.MaxInt
	c.w.in, c.w.answers = input, answers
	c.w.lanes = []int32{int32(len(answers))}
	c.w.runs = wholeRuns(input, opt.Xways)
	c.check()
	c.report.finish(opt.Require)
	return c.report, nil
}

// wholeRuns cuts an input into the runs of LINEAR_ROAD §2. In generated traffic a request belongs to the expressway of
// the last report before it in its second, since each expressway's requests follow its reports.
func wholeRuns(input []format.Tuple, xways int) []run {
	var runs []run
	for i := range input {
		t := &input[i]
		last := len(runs) - 1
		same := last >= 0 && runs[last].time == t.Time
		if same && xways > 0 && t.Type == format.Position {
			same = runs[last].xway == int32(t.Xway)
		}
		if same {
			runs[last].n++
			continue
		}
		r := run{first: uint32(i), n: 1, xway: -1, time: t.Time}
		if xways > 0 {
			r.xway = 0
			if t.Type == format.Position || t.Xway != format.NoXway {
				r.xway = int32(t.Xway)
			}
		}
		runs = append(runs, r)
	}
	return runs
}
