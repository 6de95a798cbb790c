package query_test

import (
	"cmp"
	"context"
	"fmt"
	"sync"
	"testing"
	"time"

	"github.com/fullspate/spate/bench/linearroad/format"
	"github.com/fullspate/spate/bench/linearroad/history"
	"github.com/fullspate/spate/bench/linearroad/oracle"
	"github.com/fullspate/spate/bench/linearroad/query"
	"github.com/fullspate/spate/bench/linearroad/traffic"
	"github.com/fullspate/spate/engine"
)

const seed = 7

// answers are those of one run, each type in the order in which its single sink task saw them.
type answers [format.TravelTime + 1][]format.Answer

// collect runs the query over a source with sinks that keep everything.
func collect(t testing.TB, cfg query.Config, ec engine.Config, source func(g *engine.Graph) engine.Stream[format.Tuple]) *answers {
	t.Helper()
	got := new(answers)
	g := engine.NewGraph("linearroad")
	s := query.Build(g, source(g), cfg)
	engine.SinkFunc(g, "tolls", s.Tolls, func(_ *engine.Ctx, n *query.Notice) {
		got[format.Position] = append(got[format.Position], n.Answer())
	})
	engine.SinkFunc(g, "alerts", s.Alerts, func(_ *engine.Ctx, n *query.Notice) {
		got[format.Accident] = append(got[format.Accident], n.AlertAnswer())
	})
	engine.SinkFunc(g, "balances", s.Balances, func(_ *engine.Ctx, b *query.BalanceAnswer) {
		got[format.Balance] = append(got[format.Balance], b.Answer())
	})
	engine.SinkFunc(g, "expenditures", s.Expenditures, func(_ *engine.Ctx, e *query.ExpenditureAnswer) {
		got[format.Expenditure] = append(got[format.Expenditure], e.Answer())
	})
	engine.SinkFunc(g, "travels", s.Travels, func(_ *engine.Ctx, r *query.Request) {
		got[format.TravelTime] = append(got[format.TravelTime], format.Answer{Type: format.TravelTime, QID: r.QID})
	})
	engine.SinkFunc(g, "activity", s.Activity, func(*engine.Ctx, *query.Activity) {})
	engine.SinkFunc(g, "totals", s.Totals, func(*engine.Ctx, *query.Total) {})
	if _, err := engine.Run(context.Background(), g, ec); err != nil {
		t.Fatal(err)
	}
	return got
}

// generated runs the query over generated traffic.
func generated(t testing.TB, tc traffic.Config, rules query.Rules, ec engine.Config) *answers {
	t.Helper()
	made := sync.OnceValues(func() (*traffic.Traffic, error) { return traffic.New(tc) })
	origin := -time.Duration(tc.From) * time.Second
	cfg := query.Config{Rules: rules, Origin: origin, BuiltIn: builtIn}
	return collect(t, cfg, ec, func(g *engine.Graph) engine.Stream[format.Tuple] {
		return query.Generated(g, made, tc.Xways, tc.From, cmp.Or(tc.To, traffic.Seconds), origin)
	})
}

func builtIn(vid uint32, day uint8, xway uint16) int64 {
	return int64(history.Toll(seed, vid, day, xway))
}

// expected asks the oracle.
func expected(t testing.TB, tc traffic.Config, rules oracle.Rules) (*answers, oracle.Totals) {
	t.Helper()
	tr, err := traffic.New(tc)
	if err != nil {
		t.Fatal(err)
	}
	o := oracle.New(rules, func(vid uint32, day uint8, xway uint16) (int64, bool) { return builtIn(vid, day, xway), true })
	var xways []*traffic.Xway
	for x := range tc.Xways {
		w := tr.Xway(x)
		w.Seek(tc.From)
		xways = append(xways, w)
	}
	want := new(answers)
	var tuples []format.Tuple
	var all []format.Answer
	for range tr.Config().To - tc.From {
		for _, w := range xways {
			tuples = w.Second(tuples[:0])
			for i := range tuples {
				if tuples[i].Type == format.TravelTime {
					want[format.TravelTime] = append(want[format.TravelTime], format.Answer{Type: format.TravelTime, QID: tuples[i].QID})
				}
				if all, err = o.Feed(all[:0], &tuples[i]); err != nil {
					t.Fatal(err)
				}
				for _, a := range all {
					want[a.Type] = append(want[a.Type], a)
				}
			}
		}
	}
	return want, o.Totals()
}

// compare fails the test at the first difference of each type.
func compare(t *testing.T, got, want *answers) {
	t.Helper()
	for kind := format.Position; kind <= format.TravelTime; kind++ {
		g, w := got[kind], want[kind]
		for i := range max(len(g), len(w)) {
			a, b := "nothing", "nothing"
			if i < len(g) {
				a = line(&g[i])
			}
			if i < len(w) {
				b = line(&w[i])
			}
			if a != b {
				t.Errorf("type %d, answer %d of %d and %d: got %s, want %s", kind, i+1, len(g), len(w), a, b)
				break
			}
		}
	}
}

// line is what there is to compare of an answer.
func line(a *format.Answer) string {
	if a.Type == format.TravelTime {
		return fmt.Sprint("request ", a.QID)
	}
	return string(format.AppendWithoutEmit(nil, a))
}

func TestGeneratedTraffic(t *testing.T) {
	for _, test := range []struct {
		tc    traffic.Config
		rules query.Rules
	}{
		{traffic.Config{Seed: 1, Xways: 2, From: 1100, To: 1700}, query.Paper},
		{traffic.Config{Seed: 2, Xways: 3, From: 9007, To: 9380}, query.Paper},
		{traffic.Config{Seed: 3, Xways: 1, From: 7000, To: 7600, Hostile: true}, query.Official},
		{traffic.Config{Seed: 4, Xways: 1, From: 1100, To: 2200, Hostile: true}, query.Paper},
	} {
		t.Run(fmt.Sprintf("%+v", test.tc), func(t *testing.T) {
			if testing.Short() { // some minutes of it, on one expressway
				test.tc.Xways, test.tc.To = 1, test.tc.From+200
			}
			want, totals := expected(t, test.tc, oracle.Rules(test.rules))
			got := generated(t, test.tc, test.rules, engine.Config{})
			compare(t, got, want)
			t.Logf("%+v", totals)
		})
	}
}
