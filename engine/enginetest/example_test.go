package enginetest_test

import (
	"fmt"
	"time"

	"github.com/fullspate/spate/engine"
	"github.com/fullspate/spate/engine/enginetest"
)

type Click struct{ User uint64 }

type Visit struct{ User, Clicks uint64 }

// visits is the operator under test: it counts the clicks of a user until there were none for ten seconds.
func visits(g *engine.Graph, clicks engine.Stream[Click]) engine.Stream[Visit] {
	op := engine.Keyed(g, "visits", clicks, func(c *Click) uint64 { return c.User }, func(d *engine.Decl) engine.Handler[Click] {
		open := engine.Value[Visit](d, "open")
		out := engine.Output[Visit](d, "visits")
		quiet := engine.Timer(d, "quiet", func(c *engine.Ctx) {
			out.Emit(c, open.Get(c))
			open.Delete(c)
		})
		return func(c *engine.Ctx, click *Click) {
			v, _ := open.Upsert(c)
			v.User, v.Clicks = click.User, v.Clicks+1
			quiet.Set(c, c.Now()+10*time.Second)
		}
	})
	return engine.From[Visit](op, "visits")
}

// An operator is tested with its input and a sink around it. In a test, Check takes the place of Try.
func Example() {
	build := func() *engine.Graph {
		g := engine.NewGraph("visits")
		clicks := enginetest.Feed(g, "clicks", enginetest.Every(4*time.Second, Click{1}, Click{2}, Click{1}, Click{1}, Click{2}))
		enginetest.Collect(g, "out", visits(g, clicks))
		return g
	}
	got, err := enginetest.Try(build, enginetest.Schedules(50))
	for _, v := range enginetest.Results[Visit](got.Want, "out") {
		fmt.Println(v.At, v.Value)
	}
	fmt.Println(err)
	// Output:
	// 14s {2 1}
	// 22s {1 3}
	// 26s {2 1}
	// <nil>
}
