package network

import (
	"fmt"

	"github.com/fullspate/spate/engine"
)

// The ids of sources, operators and sinks, for engine.Config.Parallelism and Pins.
const (
	TuplesID   = "tuples"   // source of all three
	ArrivalsID = "arrivals" // sink of hop and hops
	CounterID  = "counter"  // of keyed
	CountsID   = "counts"   // sink of keyed
	FirstID    = "first"    // of hops
	SecondID   = "second"   // of hops
)

// build declares a benchmark's query in g, with sinks that tell all.
func build(g *engine.Graph, k Kind, splits []split, all *sinks) {
	tuples := source(g, splits)
	switch k {
	case Keyed:
		counter := engine.Keyed(g, CounterID, tuples, (*Tuple).key, count)
		engine.Sink(g, CountsID, engine.From[Count](counter, "counts"), all.openCounts)
	case Hops:
		first := engine.Keyed(g, FirstID, tuples, (*Tuple).key, passOn)
		counted := engine.From[Counted](first, "counted")
		second := engine.Keyed(g, SecondID, counted, func(t *Counted) uint64 { return t.Key }, compare)
		engine.Sink(g, ArrivalsID, engine.From[Tuple](second, "tuples"), all.openArrivals)
	default:
		engine.Sink(g, ArrivalsID, tuples, all.openArrivals)
	}
}

// count counts tuples by key, and tells the count where that is asked for.
func count(d *engine.Decl) engine.Handler[Tuple] {
	counts := engine.Value[uint64](d, "counts")
	out := engine.Output[Count](d, "counts")
	engine.Ahead(d, 0, func(b engine.Batch[Tuple]) {
		for i := range b.Len() {
			counts.Touch(b.Hash(i))
		}
	})
	return func(c *engine.Ctx, t *Tuple) {
		verify(c, t)
		n, _ := counts.Upsert(c)
		*n++
		if t.Number&tell != 0 {
			out.Emit(c, &Count{t.Key, *n})
		}
	}
}

// passOn counts tuples by key, and sends each along with the count.
func passOn(d *engine.Decl) engine.Handler[Tuple] {
	counts := engine.Value[uint64](d, "counts")
	out := engine.Output[Counted](d, "counted")
	return func(c *engine.Ctx, t *Tuple) {
		verify(c, t)
		n, _ := counts.Upsert(c)
		*n++
		out.Emit(c, &Counted{*t, *n})
	}
}

// compare counts tuples by key again, sees to it that it comes to the same, and sends them along.
func compare(d *engine.Decl) engine.Handler[Counted] {
	counts := engine.Value[uint64](d, "counts")
	out := engine.Output[Tuple](d, "tuples")
	return func(c *engine.Ctx, t *Counted) {
		verify(c, &t.Tuple)
		n, _ := counts.Upsert(c)
		if *n++; *n != t.Nth {
			c.Fail(fmt.Errorf("number %d is tuple %d of key %d, but was tuple %d in the operator before", t.Number, *n, t.Key, t.Nth))
		}
		out.Emit(c, &t.Tuple)
	}
}

// drop does nothing with tuples: what is left is the cost of the source.
func drop(*engine.Decl) engine.Handler[Tuple] { return func(*engine.Ctx, *Tuple) {} }
