package validator

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"testing"

	"github.com/fullspate/spate/bench/linearroad/format"
)

var synthOptions = Options{History: synthHistory, Pace: 4, Xways: synthXways, Carried: true}

// planted is what must be found of a planted fault: exactly these, no more.
type planted struct {
	kind      Kind
	typ       format.Type
	field     string
	got, want int64
}

// requireFaults fails unless the report has exactly the given faults.
func requireFaults(t *testing.T, r *Report, want ...planted) {
	t.Helper()
	left := slices.Clone(want)
	for i := range r.First {
		f := &r.First[i]
		p := planted{f.Kind, f.Type, f.Field, f.Got, f.Want}
		k := slices.Index(left, p)
		if k < 0 {
			t.Errorf("found %+v, which was not planted", p)
			continue
		}
		left = slices.Delete(left, k, k+1)
		if f.Context == "" || f.Input == nil && f.Given == nil {
			t.Errorf("fault without context: %v", f)
		}
	}
	for _, p := range left {
		t.Errorf("planted %+v, which was not found", p)
	}
	if r.FaultCount() != int64(len(want)) {
		t.Errorf("%d faults, want %d", r.FaultCount(), len(want))
	}
	if t.Failed() {
		t.Logf("%v", r)
	}
}

// mutation spoils the answer at index k and returns what is to be found.
type mutation struct {
	name  string
	types []format.Type
	spoil func(all []format.Answer, k int) ([]format.Answer, []planted)
}

// wrong is a mutation of a field that is no part of an answer's key.
func wrong(field string, change func(a *format.Answer) (got, want int64), types ...format.Type) mutation {
	return mutation{"wrong " + field, types, func(all []format.Answer, k int) ([]format.Answer, []planted) {
		got, want := change(&all[k])
		return all, []planted{{Wrong, all[k].Type, field, got, want}}
	}}
}

// wrongKey is a mutation of a field that says what an answer is for.
func wrongKey(field string, change func(a *format.Answer), types ...format.Type) mutation {
	return mutation{"wrong key " + field, types, func(all []format.Answer, k int) ([]format.Answer, []planted) {
		change(&all[k])
		return all, []planted{{kind: Missing, typ: all[k].Type}, {kind: Extra, typ: all[k].Type}}
	}}
}

func emitted(name string, ms func(typ format.Type) int64, kind Kind, found bool) mutation {
	return mutation{name, everyType, func(all []format.Answer, k int) ([]format.Answer, []planted) {
		all[k].Emit += ms(all[k].Type) - 3 // right answers come 3 ms after they are due
		if !found {
			return all, nil
		}
		p := planted{kind: kind, typ: all[k].Type, field: "emit", got: ms(all[k].Type)}
		if kind == Late {
			p.want = limits[all[k].Type]
		}
		return all, []planted{p}
	}}
}

var (
	everyType = []format.Type{format.Position, format.Accident, format.Balance, format.Expenditure}
	onRoad    = []format.Type{format.Position, format.Accident}
	requested = []format.Type{format.Balance, format.Expenditure}
)

var mutations = []mutation{
	wrong("lav", func(a *format.Answer) (int64, int64) { a.LAV++; return int64(a.LAV), int64(a.LAV) - 1 }, format.Position),
	wrong("toll", func(a *format.Answer) (int64, int64) { a.Value += 2; return a.Value, a.Value - 2 }, format.Position),
	wrong("seg", func(a *format.Answer) (int64, int64) { a.Seg--; return int64(a.Seg), int64(a.Seg) + 1 }, format.Accident),
	wrong("xway", func(a *format.Answer) (int64, int64) {
		was := a.Xway
		a.Xway = (was + 1) % synthXways
		return int64(a.Xway), int64(was)
	}, onRoad...),
	wrong("dir", func(a *format.Answer) (int64, int64) { a.Dir ^= 1; return int64(a.Dir), int64(a.Dir ^ 1) }, onRoad...),
	wrong("resulttime", func(a *format.Answer) (int64, int64) { a.ResultTime++; return int64(a.ResultTime), int64(a.Time) }, format.Balance),
	wrong("balance", func(a *format.Answer) (int64, int64) { a.Value++; return a.Value, a.Value - 1 }, format.Balance),
	wrong("balance", func(a *format.Answer) (int64, int64) { a.Value--; return a.Value, a.Value + 1 }, format.Balance),
	wrong("expenditure", func(a *format.Answer) (int64, int64) { a.Value++; return a.Value, a.Value - 1 }, format.Expenditure),
	wrong("time", func(a *format.Answer) (int64, int64) { a.Time--; return int64(a.Time), int64(a.Time) + 1 }, requested...),
	wrong("vid", func(a *format.Answer) (int64, int64) { a.VID++; return int64(a.VID), int64(a.VID) - 1 }, requested...),
	wrongKey("vid", func(a *format.Answer) { a.VID += 1e6 }, onRoad...),
	wrongKey("time", func(a *format.Answer) { a.Time ^= 1 }, onRoad...),
	wrongKey("qid", func(a *format.Answer) { a.QID += 1e6 }, requested...),
	{"missing", everyType, func(all []format.Answer, k int) ([]format.Answer, []planted) {
		typ := all[k].Type
		return slices.Delete(all, k, k+1), []planted{{kind: Missing, typ: typ}}
	}},
	{"extra", everyType, func(all []format.Answer, k int) ([]format.Answer, []planted) {
		a := all[k]
		a.VID += 1e6
		a.QID += 1e6
		return slices.Insert(all, k, a), []planted{{kind: Extra, typ: a.Type}}
	}},
	{"extra travel time", everyType, func(all []format.Answer, k int) ([]format.Answer, []planted) {
		a := all[k]
		a.Type = format.TravelTime
		return slices.Insert(all, k, a), []planted{{kind: Extra, typ: a.Type}}
	}},
	{"doubled", everyType, func(all []format.Answer, k int) ([]format.Answer, []planted) {
		return slices.Insert(all, k, all[k]), []planted{{kind: Doubled, typ: all[k].Type}}
	}},
	{"doubled and wrong", []format.Type{format.Position, format.Balance, format.Expenditure}, func(all []format.Answer, k int) ([]format.Answer, []planted) {
		a := all[k]
		a.Value++
		return slices.Insert(all, k, a), []planted{{kind: Doubled, typ: all[k].Type}}
	}},
	{"disordered", everyType, func(all []format.Answer, k int) ([]format.Answer, []planted) {
		typ := all[k].Type
		for n := k + 1; n < len(all) && all[n].Time/60 <= all[k].Time/60+1; n++ {
			if all[n].Type == typ {
				a := all[k]
				return slices.Insert(slices.Delete(all, k, k+1), n, a), []planted{{kind: Disordered, typ: typ}}
			}
		}
		return nil, nil
	}},
	emitted("late", func(t format.Type) int64 { return limits[t] + 1 }, Late, true),
	emitted("just in time", func(t format.Type) int64 { return limits[t] }, Late, false),
	emitted("early", func(format.Type) int64 { return -1 }, Early, true),
	emitted("at once", func(format.Type) int64 { return 0 }, Early, false),
}

// spots returns indexes of answers of a type: the first, the last, and one between.
func spots(answers []format.Answer, typ format.Type, r *rand.Rand) []int {
	var all []int
	for i := range answers {
		if answers[i].Type == typ && answers[i].Time > 0 && answers[i].Time%60 != 0 {
			all = append(all, i)
		}
	}
	return []int{all[0], all[len(all)-1], all[r.IntN(len(all))]}
}

// TestPlanted plants each kind of fault in answers of each type, and requires that exactly it is found: by Validate, and
// online with the input handed over and with the input generated again.
func TestPlanted(t *testing.T) {
	input := synthetic(3, 8)
	answers := answersTo(t, input, synthOptions)
	r := rand.New(rand.NewPCG(5, 5))
	ways := []struct {
		name     string
		validate func(answers []format.Answer) *Report
	}{
		{"whole", func(a []format.Answer) *Report {
			report, err := Validate(input, a, synthOptions)
			if err != nil {
				t.Fatal(err)
			}
			return report
		}},
		{"online", func(a []format.Answer) *Report { return runOnline(t, input, a, onlineOptions(input, false)) }},
		{"generated", func(a []format.Answer) *Report { return runOnline(t, input, a, onlineOptions(input, true)) }},
	}
	for _, way := range ways {
		if report := way.validate(answers); !report.Valid() || report.Occurred.Accidents == 0 || len(report.Warnings) > 0 {
			t.Fatalf("%s: right answers are not valid, or prove too little:\n%v", way.name, report)
		}
	}
	for _, m := range mutations {
		for _, typ := range m.types {
			for _, k := range spots(answers, typ, r) {
				spoilt, want := m.spoil(slices.Clone(answers), k)
				if spoilt == nil {
					continue
				}
				for _, way := range ways {
					t.Run(fmt.Sprintf("%s/%s/type%d/%d", way.name, m.name, typ, k), func(t *testing.T) {
						requireFaults(t, way.validate(spoilt), want...)
					})
				}
			}
		}
	}
}
