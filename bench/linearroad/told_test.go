package linearroad

import (
	"encoding/json"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/fullspate/spate/bench/linearroad/format"
	"github.com/fullspate/spate/bench/linearroad/validator"
	"github.com/fullspate/spate/bench/measure"
	"github.com/fullspate/spate/engine"
)

// resultOf is what a process tells under a name.
func resultOf(t *testing.T, worker, name string, v any) engine.Result {
	t.Helper()
	data, err := json.Marshal(v)
	if err != nil {
		t.Fatal(err)
	}
	return engine.Result{Worker: worker, Name: name, Data: data}
}

// someResponses are so many response times.
func someResponses(n int) *measure.Responses {
	r := measure.NewResponses()
	for i := range n {
		r.Record(time.Duration(i*i) * time.Millisecond)
	}
	return r
}

// aReport has a fault, so that nothing in it is zero but what JSON leaves out on both sides.
func aReport(t *testing.T) *validator.Report {
	t.Helper()
	input := []format.Tuple{{Type: format.Position, VID: 107, Time: 3, Speed: 32, Seg: 10, Pos: 53320}}
	answers := []format.Answer{{Type: format.Position, VID: 107, Time: 3, LAV: -1, Value: 7}, {Type: format.Accident, VID: 9, Time: 5}}
	r, err := validator.Validate(input, answers, validator.Options{Pace: 1, Require: validator.CoverAll})
	if err != nil {
		t.Fatal(err)
	}
	if r.FaultCount() < 2 || len(r.Failures) == 0 || len(r.First) < 2 || r.First[0].Context == "" || r.Response[0].Count == 0 {
		t.Fatalf("the report has too little to lose:\n%v", r)
	}
	return r
}

func TestOutcome(t *testing.T) {
	report := aReport(t)
	results := []engine.Result{
		resultOf(t, "w1", answersResult, answers{"0": {Answers: 3, AboveZero: 2, Response: someResponses(3)}, "1": {Answers: 1}}),
		resultOf(t, "w1", activityResult, &tally{Activity: Activity{Accidents: 1, Charges: 2}, Vehicles: 70}),
		resultOf(t, "w1", inputResult, fed{}),
		resultOf(t, "w1", validationResult, (*validator.Report)(nil)),
		resultOf(t, "w2", "of no interest", 17),
		resultOf(t, "w2", answersResult, answers{"0": {Answers: 10, AboveZero: 1, Response: someResponses(10)}, "2": {Answers: 4}}),
		resultOf(t, "w2", activityResult, &tally{Activity: Activity{NonZeroBalances: 3, BalanceTotal: -4, Unanswered: 5}}),
		resultOf(t, "w2", inputResult, fed{Reports: 9, Skipped: 2, First: "in.dat:2"}),
		resultOf(t, "w2", validationResult, report),
	}
	o, err := outcomeOf(results)
	if err != nil {
		t.Fatal(err)
	}
	all := someResponses(3)
	all.Merge(someResponses(10))
	if got := o.answers.responses(); len(got) != 1 || !reflect.DeepEqual(got["0"].Times(), all.Times()) || got["0"].Count() != 13 {
		t.Errorf("response times %+v", got)
	}
	a := o.answers
	if a["0"].Answers != 13 || a["0"].AboveZero != 3 || a["1"].Answers != 1 || a["2"].Answers != 4 {
		t.Errorf("answers %+v", a)
	}
	want := tally{Activity: Activity{Accidents: 1, Charges: 2, NonZeroBalances: 3, BalanceTotal: -4, Unanswered: 5}, Vehicles: 70}
	if o.tally != want || o.fed != (fed{9, 2, "in.dat:2"}) {
		t.Errorf("%+v, %+v", o.tally, o.fed)
	}
	if !reflect.DeepEqual(o.report, report) || o.report.String() != report.String() {
		t.Errorf("the report came back as\n%v, was\n%v", o.report, report)
	}

	_, err = outcomeOf(append(results, resultOf(t, "w3", validationResult, report)))
	if err == nil || !strings.Contains(err.Error(), "w3") || !strings.Contains(err.Error(), "two processes") {
		t.Errorf("two reports: %v", err)
	}
	_, err = outcomeOf([]engine.Result{{Worker: "w4", Name: answersResult, Data: json.RawMessage(`{"0": {"response": "AAAA"}}`)}})
	if err == nil || !strings.Contains(err.Error(), "w4") || !strings.Contains(err.Error(), "response times") {
		t.Errorf("a histogram that is none: %v", err)
	}
}
