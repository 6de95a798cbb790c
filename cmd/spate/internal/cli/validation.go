package cli

import (
	"strconv"

	"github.com/fullspate/spate/bench/linearroad/validator"
)

// validation is a validator's report in JSON. Types of answers are the keys of its maps.
type validation struct {
	Schema   string                      `json:"schema,omitempty"`
	Input    string                      `json:"input,omitempty"`
	Results  string                      `json:"results,omitempty"`
	Skipped  int64                       `json:"skipped_lines,omitempty"`
	Valid    bool                        `json:"valid"`
	Rules    string                      `json:"rules"`
	Tuples   int64                       `json:"tuples"`
	Reports  int64                       `json:"reports"`
	Answers  map[string]answerCount      `json:"answers"`
	Faults   map[string]map[string]int64 `json:"faults"` // by type, then kind
	Occurred occurred                    `json:"occurred"`
	Response map[string]response         `json:"response_ms"`
	First    []fault                     `json:"first"`
	Warnings []string                    `json:"warnings"`
	Failures []string                    `json:"failures"`
}

type answerCount struct {
	Expected int64 `json:"expected"`
	Answered int64 `json:"answered"`
	Correct  int64 `json:"correct"`
}

type occurred struct {
	TollsAboveZero  int64 `json:"tolls_above_zero"`
	Accidents       int64 `json:"accidents"`
	Alerts          int64 `json:"alerts"`
	Charges         int64 `json:"charges"`
	NonZeroBalances int64 `json:"non_zero_balances"`
	UnansweredType4 int64 `json:"unanswered_type4"`
}

// response is how long answers of one type took after their input was due, in milliseconds.
type response struct {
	P50  int64 `json:"p50"`
	P95  int64 `json:"p95"`
	P99  int64 `json:"p99"`
	P999 int64 `json:"p999"`
	Max  int64 `json:"max"`
}

type fault struct {
	Kind    string `json:"kind"`
	Type    int    `json:"type"`
	Field   string `json:"field,omitempty"`
	Got     int64  `json:"got"`
	Want    int64  `json:"want"`
	Time    int    `json:"time"`
	Line    int    `json:"line"` // of the input, 0 if there is none
	What    string `json:"what"`
	Context string `json:"context"`
}

func validationOf(r *validator.Report) *validation {
	v := &validation{
		Valid: r.Valid(), Rules: r.Rules, Tuples: r.Tuples, Reports: r.Reports,
		Answers:  map[string]answerCount{},
		Faults:   map[string]map[string]int64{},
		Response: responsesOf(r),
		First:    []fault{},
		Warnings: append([]string{}, r.Warnings...),
		Failures: append([]string{}, r.Failures...),
		Occurred: occurred{
			TollsAboveZero: r.Occurred.TollsAboveZero, Accidents: r.Occurred.Accidents, Alerts: r.Occurred.Alerts,
			Charges: r.Occurred.Charges, NonZeroBalances: r.Occurred.NonZeroBalances, UnansweredType4: r.UnansweredTravelTime,
		},
	}
	for t, c := range r.Counts {
		if c != (validator.Count{}) {
			v.Answers[strconv.Itoa(t)] = answerCount(c)
		}
	}
	for k := range r.Faults {
		for t, n := range r.Faults[k] {
			if n == 0 {
				continue
			}
			of := v.Faults[strconv.Itoa(t)]
			if of == nil {
				of = map[string]int64{}
				v.Faults[strconv.Itoa(t)] = of
			}
			of[validator.Kind(k).String()] = n
		}
	}
	for i := range r.First {
		f := &r.First[i]
		v.First = append(v.First, fault{Kind: f.Kind.String(), Type: int(f.Type), Field: f.Field, Got: f.Got, Want: f.Want,
			Time: int(f.Time), Line: f.Line, What: f.String(), Context: f.Context})
	}
	return v
}

func responsesOf(r *validator.Report) map[string]response {
	m := map[string]response{}
	for t := range r.Response {
		if q := &r.Response[t]; q.Count > 0 {
			m[strconv.Itoa(t)] = response{P50: q.P50, P95: q.P95, P99: q.P99, P999: q.P999, Max: q.Max}
		}
	}
	return m
}
