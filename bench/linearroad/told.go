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
	inputResult      = "input"               // fed
	historyResult    = "history"             // query.Loaded
)

// tell declares what both programs have to tell.
func tell(env *engine.Env, ms *meters, ts *tallies) {
	env.Result(answersResult, ms.tell)
	env.Result(activityResult, ts.tell)
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
	t.TollsAboveZero += o.TollsAboveZero
	t.Vehicles = max(t.Vehicles, o.Vehicles)
	return nil
}

// fed is what a process has read of the input, or an earlier run before it.
type fed struct {
	Reports int64  `json:"reports"`
	Skipped int64  `json:"skipped"`
	First   string `json:"first,omitempty"` // what was wrong with the first line that was skipped
}

func fedBy(in *query.FileInput) fed {
	f := fed{Reports: in.Reports()}
	lines, first := in.Skipped()
	if f.Skipped = lines; first != nil {
		f.First = first.Error()
	}
	return f
}

// merge adds what another process read; one of them has the source.
func (f *fed) merge(o fed) error {
	f.Reports += o.Reports
	f.Skipped += o.Skipped
	if f.First == "" {
		f.First = o.First
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
	fed     fed
	loaded  query.Loaded
}

// reread adds what of the files an earlier run had come to the end of, so that this one has not read it.
func (o *outcome) reread(files *query.FileInput) error {
	if files.History != "" && o.loaded.Rows == 0 {
		if err := files.CountRows(); err != nil {
			return err
		}
		o.loaded.Rows = files.Loaded().Rows
	}
	if o.fed == (fed{}) {
		if err := files.CountTuples(); err != nil {
			return err
		}
		o.fed = fedBy(files)
	}
	return nil
}

func outcomeOf(results []engine.Result) (o outcome, err error) {
	var errs [5]error
	o.answers, errs[0] = measure.Gather(results, answersResult, (*answers).merge)
	o.tally, errs[1] = measure.Gather(results, activityResult, (*tally).merge)
	o.report, errs[2] = measure.Gather(results, validationResult, mergeReports)
	o.fed, errs[3] = measure.Gather(results, inputResult, (*fed).merge)
	o.loaded, errs[4] = measure.Gather(results, historyResult, mergeLoaded)
	return o, errors.Join(errs[:]...)
}
