package enginetest_test

import (
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/fullspate/spate/engine"
	"github.com/fullspate/spate/engine/enginetest"
	"github.com/fullspate/spate/engine/sim"
	"go.uber.org/goleak"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// clicks is a graph around an operator that is handed clicks of three users.
func clicks(n int, op func(g *engine.Graph, in engine.Stream[Click]) engine.Stream[Visit]) sim.Build {
	return func() *engine.Graph {
		g := engine.NewGraph("clicks")
		var a, b []Click
		for i := range n {
			a, b = append(a, Click{uint64(i) % 3}), append(b, Click{uint64(i) % 2})
		}
		in := enginetest.Feed(g, "clicks", enginetest.Every(3*time.Millisecond, a...), enginetest.Every(2*time.Millisecond, b...))
		enginetest.Collect(g, "out", op(g, in))
		return g
	}
}

func keyed(g *engine.Graph, in engine.Stream[Click], handle func(d *engine.Decl, out engine.OutputPort[Visit]) engine.Handler[Click]) engine.Stream[Visit] {
	op := engine.Keyed(g, "op", in, func(c *Click) uint64 { return c.User }, func(d *engine.Decl) engine.Handler[Click] {
		return handle(d, engine.Output[Visit](d, "out"))
	})
	return engine.From[Visit](op, "out")
}

func TestAGoodOperatorPasses(t *testing.T) {
	want := enginetest.Check(t, clicks(300, visits), enginetest.Schedules(40))
	if n := len(enginetest.Results[Visit](want, "out")); n != 3 {
		t.Errorf("%d visits, want 3", n)
	}
}

func TestBadOperatorsAreFound(t *testing.T) {
	calls := 0
	for name, op := range map[string]func(g *engine.Graph, in engine.Stream[Click]) engine.Stream[Visit]{
		"state in a Go variable": func(g *engine.Graph, in engine.Stream[Click]) engine.Stream[Visit] {
			return keyed(g, in, func(_ *engine.Decl, out engine.OutputPort[Visit]) engine.Handler[Click] {
				n := uint64(0)
				return func(c *engine.Ctx, v *Click) { n++; out.Emit(c, &Visit{v.User, n}) }
			})
		},
		"the wall clock": func(g *engine.Graph, in engine.Stream[Click]) engine.Stream[Visit] {
			return keyed(g, in, func(_ *engine.Decl, out engine.OutputPort[Visit]) engine.Handler[Click] {
				return func(c *engine.Ctx, v *Click) { out.Emit(c, &Visit{v.User, uint64(time.Now().UnixNano())}) }
			})
		},
		"a panic": func(g *engine.Graph, in engine.Stream[Click]) engine.Stream[Visit] {
			return keyed(g, in, func(_ *engine.Decl, out engine.OutputPort[Visit]) engine.Handler[Click] {
				return func(c *engine.Ctx, v *Click) {
					if c.Now() == 90*time.Millisecond {
						panic("at ninety")
					}
					out.Emit(c, &Visit{User: v.User})
				}
			})
		},
	} {
		out, err := enginetest.Try(clicks(100, op), enginetest.Schedules(30))
		var f *enginetest.Failure
		switch {
		case err == nil:
			t.Errorf("%s was not found in %d schedules", name, out.Schedules)
		case name == "a panic":
			if !strings.Contains(err.Error(), "at ninety") || !strings.Contains(err.Error(), `"op"`) {
				t.Errorf("%s: %v", name, err)
			}
		case !errors.As(err, &f) || !strings.Contains(f.Error(), fmt.Sprintf("seed %d", f.Seed)):
			t.Errorf("%s: no seed in %v", name, err)
		}
		calls++
	}
	if calls != 3 {
		t.Errorf("%d operators tried", calls)
	}
}

func TestTheEnvironmentPicksASchedule(t *testing.T) {
	t.Setenv(enginetest.Seed, "17")
	out, err := enginetest.Try(clicks(20, visits), enginetest.Schedules(40))
	if err != nil || out.Schedules != 1 {
		t.Errorf("%v, %d schedules", err, out.Schedules)
	}
	t.Setenv(enginetest.Seed, "x")
	if _, err := enginetest.Try(clicks(20, visits), enginetest.Schedules(40)); err == nil {
		t.Error("a seed that is no number was accepted")
	}
}

// Two operators that draw random numbers get the same whether or not one is fused into the other.
func TestRandomNumbersDoNotDependOnFusing(t *testing.T) {
	enginetest.Check(t, clicks(200, func(g *engine.Graph, in engine.Stream[Click]) engine.Stream[Visit] {
		first := keyed(g, in, func(_ *engine.Decl, out engine.OutputPort[Visit]) engine.Handler[Click] {
			return func(c *engine.Ctx, v *Click) {
				for range 3 {
					out.Emit(c, &Visit{v.User, c.Rand().Uint64()})
				}
			}
		})
		second := engine.Stateless(g, "second", first, func(d *engine.Decl) engine.Handler[Visit] {
			out := engine.Output[Visit](d, "out")
			return func(c *engine.Ctx, v *Visit) { out.Emit(c, &Visit{v.User, v.Clicks ^ c.Rand().Uint64()}) }
		})
		return engine.From[Visit](second, "out")
	}), enginetest.Schedules(30))
}

func TestResultsOfAnotherTypeAreRefused(t *testing.T) {
	want, err := enginetest.Reference(clicks(20, visits))
	if err != nil {
		t.Fatal(err)
	}
	defer func() {
		if recover() == nil {
			t.Error("a Visit was taken for a Click")
		}
	}()
	enginetest.Results[Click](want, "out")
}
