package query

import (
	"time"

	"github.com/fullspate/spate/bench/linearroad/history"
	"github.com/fullspate/spate/engine"
)

// spent is what a vehicle paid on a day on an expressway, 8 bytes.
type spent struct {
	Toll int64
}

// spentKey is where the toll of a day and expressway is among those of a vehicle.
func spentKey(day uint8, xway uint16) uint64 { return uint64(day)<<16 | uint64(xway) }

// expenditure declares the operator that answers daily expenditure requests from the history. Where that is loaded, its
// rows precede the run and lie in the operator's state.
func expenditure(g *engine.Graph, requests engine.Stream[Request], cfg Config) *engine.Op {
	return engine.Operator(g, ExpenditureID, func(d *engine.Decl) {
		answers := engine.Output[ExpenditureAnswer](d, "answers")
		answer := new(ExpenditureAnswer) // room for what is being emitted
		reply := func(c *engine.Ctx, r *Request, toll int64) {
			*answer = ExpenditureAnswer{Toll: toll, VID: r.VID, QID: r.QID, Time: r.Time, Xway: r.Xway, Day: r.Day}
			answers.Emit(c, answer)
		}
		if cfg.Loaded == nil {
			engine.KeyedInput(d, requests, (*Request).vehicle, func(c *engine.Ctx, r *Request) {
				if cfg.BuiltIn == nil {
					reply(c, r, 0)
					return
				}
				reply(c, r, cfg.BuiltIn(r.VID, r.Day, r.Xway))
			})
			return
		}
		rows := engine.Table[spent](d, "history")
		engine.KeyedInput(d, *cfg.Loaded, func(r *history.Row) uint64 { return uint64(r.VID) }, func(c *engine.Ctx, r *history.Row) {
			row, _ := rows.Upsert(c, spentKey(r.Day, r.Xway))
			row.Toll = int64(r.Toll)
		})
		engine.KeyedInput(d, requests, (*Request).vehicle, func(c *engine.Ctx, r *Request) {
			toll := int64(0)
			if row := rows.Get(c, spentKey(r.Day, r.Xway)); row != nil {
				toll = row.Toll
			}
			reply(c, r, toll)
		})
	})
}

// rowsPerMilli is how many rows of a loaded history go into a millisecond of logical time: fewer than the sequence of a
// logical time holds.
const rowsPerMilli = 16_000

// HistorySpan returns how much logical time the rows of a loaded history take. The run's second 0 must come after it:
// see Config.Origin.
func HistorySpan(rows int64) time.Duration {
	return time.Duration(rows/rowsPerMilli+1) * time.Millisecond
}
