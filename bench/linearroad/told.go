package linearroad

import (
	"errors"

	"github.com/fullspate/spate/bench/linearroad/query"
	"github.com/fullspate/spate/bench/linearroad/validator"
	"github.com/fullspate/spate/bench/measure"
	"github.com/fullspate/spate/engine"
)

// What each process has to tell of its part of a run, by name.
const (
	answersResult    = measure.AnswersResult // answers
	activityResult   = "activity"            // tally
	validationResult = "validation"          // *validator.Report
	skippedResult    = "skipped"             // skipped
	historyResult    = "history"             // query.Loaded
)

// tell declares what both programs have to tell.
func tell(env *engine.Env, ms *meters, t *tally) {
	env.Result(answersResult, ms.tell)
	env.Result(activityResult, func() (any, error) { return t, nil })
}

// answers are counts by type of answer, named as in JSON.
type answers map[string]counted

// counted is what there was to count of a type of answer.
type counted struct {
	Answers   int64              `json:"answers"`
	AboveZero int64              `json:"above_zero"`         // those whose toll or balance is above 0
	Response  *measure.Responses `json:"response,omitempty"` // nil without a pace
}

// add adds counts of a type of answer. What they hold is taken.
func (a answers) add(name string, c counted) {
	sum := a[name]
	sum.Answers += c.Answers
	sum.AboveZero += c.AboveZero
	if sum.Response == nil {
		sum.Response = c.Response
	} else if c.Response != nil {
		sum.Response.Merge(c.Response)
	}
	a[name] = sum
}

func (a *answers) merge(o answers) error {
	if *a == nil {
		*a = make(answers)
	}
	for name, c := range o {
		a.add(name, c)
	}
	return nil
}

// responses are the response times by type of answer; nil without a pace.
func (a answers) responses() map[string]*measure.Responses {
	var all map[string]*measure.Responses
	for name, c := range a {
		if c.Response == nil {
			continue
		}
		if all == nil {
			all = make(map[string]*measure.Responses)
		}
		all[name] = c.Response
	}
	return all
}

// merge adds what another process counted. Each of the sinks has one task, so that only one process has anything to say of
// vehicles.
func (t *tally) merge(o tally) error {
	t.Charges += o.Charges
	t.Accidents += o.Accidents
	t.NonZeroBalances += o.NonZeroBalances
	t.BalanceTotal += o.BalanceTotal
	t.Unanswered += o.Unanswered
	t.Vehicles = max(t.Vehicles, o.Vehicles)
	return nil
}

// skipped is what was passed over of an input.
type skipped struct {
	Lines int64  `json:"lines"`
	First string `json:"first,omitempty"` // what was wrong with the first of them
}

func skippedBy(in *query.FileInput) skipped {
	lines, first := in.Skipped()
	if first == nil {
		return skipped{Lines: lines}
	}
	return skipped{Lines: lines, First: first.Error()}
}

// merge adds what another process passed over; one of them has the source.
func (s *skipped) merge(o skipped) error {
	s.Lines += o.Lines
	if s.First == "" {
		s.First = o.First
	}
	return nil
}

// mergeLoaded adds what another process loaded; one of them has the source.
func mergeLoaded(into *query.Loaded, one query.Loaded) error {
	into.Rows += one.Rows
	into.Seconds += one.Seconds
	return nil
}

// mergeReports takes the report of the one process that has one.
func mergeReports(into **validator.Report, one *validator.Report) error {
	if *into != nil && one != nil {
		return errors.New("two processes validated, each with a part of the answers: all sinks with answers belong into one")
	}
	if one != nil {
		*into = one
	}
	return nil
}

// outcome is what all processes together had to tell.
type outcome struct {
	answers answers
	tally   tally
	report  *validator.Report // nil where nothing was validated
	skipped skipped
	loaded  query.Loaded
}

func outcomeOf(results []engine.Result) (o outcome, err error) {
	var errs [5]error
	o.answers, errs[0] = measure.Gather(results, answersResult, (*answers).merge)
	o.tally, errs[1] = measure.Gather(results, activityResult, (*tally).merge)
	o.report, errs[2] = measure.Gather(results, validationResult, mergeReports)
	o.skipped, errs[3] = measure.Gather(results, skippedResult, (*skipped).merge)
	o.loaded, errs[4] = measure.Gather(results, historyResult, mergeLoaded)
	return o, errors.Join(errs[:]...)
}
