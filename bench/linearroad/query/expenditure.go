package query

import (
	"github.com/fullspate/spate/bench/linearroad/history"
	"github.com/fullspate/spate/engine"
)

// spent is what a vehicle paid on a day, and on which expressway, 8 bytes.
type spent struct {
	Toll     uint32
	Xway     uint16
	Reserved uint16
}

// expenditure declares the operator that answers daily expenditure requests from the history. Where that is loaded, its
// rows precede the run and lie in the operator's state.
func expenditure(g *engine.Graph, requests engine.Stream[Request], rows engine.Stream[HistoryRow], cfg Config) *engine.Op {
	return engine.Operator(g, ExpenditureID, func(d *engine.Decl) {
		answers := engine.Output[ExpenditureAnswer](d, "answers")
		answer := new(ExpenditureAnswer) // room for what is being emitted
		reply := func(c *engine.Ctx, r *Request, toll int64) {
			*answer = ExpenditureAnswer{Toll: toll, VID: r.VID, QID: r.QID, Time: r.Time, Xway: r.Xway, Day: r.Day}
			answers.Emit(c, answer)
		}
		if cfg.Loaded == "" {
			engine.KeyedInput(d, requests, (*Request).vehicle, func(c *engine.Ctx, r *Request) {
				if cfg.BuiltIn == nil {
					reply(c, r, 0)
					return
				}
				reply(c, r, cfg.BuiltIn(r.VID, r.Day, r.Xway))
			})
			return
		}
		days := engine.Table[spent](d, "history")
		engine.KeyedInput(d, rows, (*HistoryRow).vehicle, func(c *engine.Ctx, r *HistoryRow) {
			day, twice := days.Upsert(c, uint64(r.Day))
			if twice {
				c.Fail(history.Twice(cfg.Loaded, int(r.Line), r.VID, r.Day))
				return
			}
			*day = spent{Toll: r.Toll, Xway: r.Xway}
		})
		engine.KeyedInput(d, requests, (*Request).vehicle, func(c *engine.Ctx, r *Request) {
			toll := int64(0)
			if day := days.Get(c, uint64(r.Day)); day != nil && day.Xway == r.Xway {
				toll = int64(day.Toll)
			}
			reply(c, r, toll)
		})
	})
}
