package topk

import (
	"time"

	"github.com/fullspate/spate/bench/measure"
	"github.com/fullspate/spate/engine"
)

// The ids of source, operators and sink, for engine.Config.Parallelism.
const (
	ViewsID  = "views"
	MapID    = "map"
	ReduceID = "reduce"
	RankID   = "rank"
	PlacesID = "places"
)

// OperatorIDs returns the ids whose parallelism can be set.
func OperatorIDs() []string { return []string{ViewsID, MapID, ReduceID, RankID, PlacesID} }

// window is the length of a window.
const window = WindowMillis * time.Millisecond

// rankAfter is how long after the end of a window it is ranked: its totals come at the end itself, and a timer that is due
// then would come before them.
const rankAfter = time.Millisecond

// Visit is a view as far as it matters.
type Visit struct{ Language Language }

// Opening says that a window will have totals.
type Opening struct{ WindowEnd int64 } // ms

// Total is how often a language was viewed in a window.
type Total struct {
	WindowEnd int64 // ms
	Language  Language
	Views     uint64
}

// Source declares a source of the input's views in a graph that has no other.
func Source(g *engine.Graph, in *Input) engine.Stream[View] {
	return measure.Source(g, ViewsID, measure.Generator[View]{
		Splits: in.cfg.Splits, Len: in.Len, Make: in.View, Millis: in.millis,
	})
}

// Query declares the query: the k languages with the most views in each window. k is 1…RanksMax.
func Query(g *engine.Graph, views engine.Stream[View], k int) engine.Stream[Place] {
	visits := engine.Stateless(g, MapID, views, mapViews)
	language := func(v *Visit) uint64 { return uint64(v.Language) }
	counter := engine.Keyed(g, ReduceID, engine.From[Visit](visits, "visits"), language, reduce)
	openings, totals := engine.From[Opening](counter, "openings"), engine.From[Total](counter, "totals")
	ranker := engine.Operator(g, RankID, func(d *engine.Decl) { rank(d, openings, totals, k) })
	return engine.From[Place](ranker, "places")
}

// mapViews emits the language of each view.
func mapViews(d *engine.Decl) engine.Handler[View] {
	visits := engine.Output[Visit](d, "visits")
	return func(c *engine.Ctx, v *View) {
		language, err := LanguageOf(v.Host[:])
		if err != nil {
			c.Fail(err)
			return
		}
		visits.Emit(c, &Visit{language})
	}
}

// reduce counts the views of each language until the end of the window. It announces each window beforehand, when a
// language is first viewed in it: once the input has ended nobody can set a timer any more, and the totals of the last
// window come only then.
func reduce(d *engine.Decl) engine.Handler[Visit] {
	views := engine.Value[uint64](d, "views")
	openings := engine.Output[Opening](d, "openings")
	totals := engine.Output[Total](d, "totals")
	end := engine.Timer(d, "window end", func(c *engine.Ctx) {
		totals.Emit(c, &Total{WindowEnd: c.Now().Milliseconds(), Language: Language(c.Key()), Views: *views.Get(c)})
		views.Delete(c)
	})
	return func(c *engine.Ctx, _ *Visit) {
		n, counted := views.Upsert(c)
		*n++
		if !counted {
			due := c.NextMultiple(window)
			end.Set(c, due)
			openings.Emit(c, &Opening{due.Milliseconds()})
		}
	}
}

// rank is keyed by window: it keeps the places as totals come, and emits them when all have.
func rank(d *engine.Decl, openings engine.Stream[Opening], totals engine.Stream[Total], k int) {
	rankings := engine.Value[ranking](d, "rankings")
	places := engine.Output[Place](d, "places")
	ready := engine.Timer(d, "ready", func(c *engine.Ctx) {
		r := rankings.Get(c)
		for i := range r.Used {
			at := &r.Places[i]
			places.Emit(c, &Place{WindowEnd: int64(c.Key()), Language: at.Language, Views: at.Views, Rank: i + 1})
		}
		rankings.Delete(c)
	})
	engine.KeyedInput(d, openings, func(o *Opening) uint64 { return uint64(o.WindowEnd) },
		func(c *engine.Ctx, o *Opening) {
			if _, opened := rankings.Upsert(c); !opened {
				ready.Set(c, time.Duration(o.WindowEnd)*time.Millisecond+rankAfter)
			}
		})
	engine.KeyedInput(d, totals, func(t *Total) uint64 { return uint64(t.WindowEnd) },
		func(c *engine.Ctx, t *Total) { rankings.Mut(c).add(standing{t.Language, t.Views}, k) })
}

// ranking is the state of a window: its first places so far, best first.
type ranking struct {
	Used   uint64
	Places [RanksMax]standing
}

// standing is one language's.
type standing struct {
	Language Language
	Views    uint64
}

// before says whether s is placed before t.
func (s standing) before(t standing) bool {
	return s.Views > t.Views || s.Views == t.Views && s.Language < t.Language
}

// add gives s its place, if it is among the first k.
func (r *ranking) add(s standing, k int) {
	at := r.Used
	for at > 0 && s.before(r.Places[at-1]) {
		at--
	}
	if at >= uint64(k) {
		return
	}
	r.Used = min(r.Used+1, uint64(k))
	copy(r.Places[at+1:r.Used], r.Places[at:])
	r.Places[at] = s
}
