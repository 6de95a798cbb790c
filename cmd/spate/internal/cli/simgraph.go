package cli

import (
	"math/rand/v2"
	"time"

	"github.com/fullspate/spate/engine"
	"github.com/fullspate/spate/engine/sim"
)

// simTuple is what the graphs of simulations work on.
type simTuple struct{ Key, Value uint64 }

func (t *simTuple) key() uint64 { return t.Key }

// simGraphs are the graphs that can be simulated.
var simGraphs = map[string]func() sim.Build{"diamond": simDiamond, "chain": simChain}

// simInput is the input of a simulation: splits with few keys, in which many records share a millisecond.
func simInput(splits, records int) (all [][]engine.Record[simTuple]) {
	r := rand.New(rand.NewPCG(7, 7))
	for range splits {
		rows, ms := make([]engine.Record[simTuple], records), int64(0)
		for i := range rows {
			ms += int64(r.IntN(3))
			rows[i] = engine.Record[simTuple]{Millis: ms, Value: simTuple{r.Uint64N(23), r.Uint64()}}
		}
		all = append(all, rows)
	}
	return all
}

// simFold is an operator whose results show every change of order: each is a hash of all before it of its key.
func simFold(g *engine.Graph, id string, in ...engine.Stream[simTuple]) engine.Stream[simTuple] {
	op := engine.Operator(g, id, func(d *engine.Decl) {
		last := engine.Value[simTuple](d, "last")
		out := engine.Output[simTuple](d, "out")
		late := engine.Timer(d, "late", func(c *engine.Ctx) {
			if s := last.Get(c); s != nil {
				out.Emit(c, &simTuple{s.Key + 1, s.Value * 3})
				last.Delete(c)
			}
		})
		for port, stream := range in {
			engine.KeyedInput(d, stream, (*simTuple).key, func(c *engine.Ctx, v *simTuple) {
				s, _ := last.Upsert(c)
				s.Key, s.Value = v.Key, (s.Value^v.Value^uint64(port))*0x9E3779B97F4A7C15+uint64(c.Time())
				out.Emit(c, &simTuple{s.Value % 17, s.Value})
				if s.Value>>60 == 0 {
					late.Set(c, c.NextMultiple(16*time.Millisecond))
				}
			})
		}
	})
	return engine.From[simTuple](op, "out")
}

// simDiamond parts in one operator and meets in another.
func simDiamond() sim.Build {
	rows := simInput(3, 60)
	return func() *engine.Graph {
		g := engine.NewGraph("diamond")
		fan := simFold(g, "fan", engine.SliceSource(g, "in", rows...))
		left, right := simFold(g, "left", fan), simFold(g, "right", fan)
		engine.SinkFunc(g, "out", simFold(g, "join", left, right), func(*engine.Ctx, *simTuple) {})
		return g
	}
}

// simChain is one operator behind another.
func simChain() sim.Build {
	rows := simInput(2, 100)
	return func() *engine.Graph {
		g := engine.NewGraph("chain")
		first := simFold(g, "first", engine.SliceSource(g, "in", rows...))
		engine.SinkFunc(g, "out", simFold(g, "second", first), func(*engine.Ctx, *simTuple) {})
		return g
	}
}
