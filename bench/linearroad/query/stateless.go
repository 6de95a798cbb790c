package query

import (
	"fmt"

	"github.com/fullspate/spate/bench/linearroad/format"
	"github.com/fullspate/spate/engine"
)

// historyOutput is the forwarder's output of a loaded history's rows.
const historyOutput = "history"

// forwarder declares the operator that tells tuples apart by their type. Travel time requests go to a stream of their
// own, to be counted: nobody answers them. Rows of a loaded history come along with the tuples.
func forwarder(g *engine.Graph, tuples engine.Stream[format.Tuple], loaded bool) *engine.Op {
	return engine.Stateless(g, ForwarderID, tuples, func(d *engine.Decl) engine.Handler[format.Tuple] {
		reports := engine.Output[Report](d, "reports")
		balances := engine.Output[Request](d, "balances")
		expenditures := engine.Output[Request](d, "expenditures")
		travels := engine.Output[Request](d, "travels")
		var rows engine.OutputPort[HistoryRow]
		if loaded {
			rows = engine.Output[HistoryRow](d, historyOutput)
		}
		// Room for what is being emitted, so that it need not be allocated. Reports, of which there are many, are filled in
		// field by field: a literal is put together elsewhere and copied, and the copy waits for its pieces.
		report, request, row := new(Report), new(Request), new(HistoryRow)
		return func(c *engine.Ctx, t *format.Tuple) {
			if t.Type == format.Position {
				report.VID, report.Pos, report.Time, report.Xway = t.VID, t.Pos, t.Time, t.Xway
				report.Speed, report.Lane, report.Dir, report.Seg = t.Speed, t.Lane, t.Dir, t.Seg
				reports.Emit(c, report)
				return
			}
			if t.Type == rowType && loaded {
				*row = HistoryRow{VID: t.VID, Toll: t.Pos, Line: t.QID, Xway: t.Xway, Day: t.Day}
				rows.Emit(c, row)
				return
			}
			*request = Request{VID: t.VID, QID: t.QID, Time: t.Time, Xway: t.Xway, Day: t.Day, Type: t.Type}
			switch t.Type {
			case format.Balance:
				balances.Emit(c, request)
			case format.Expenditure:
				expenditures.Emit(c, request)
			case format.TravelTime:
				travels.Emit(c, request)
			default:
				c.Fail(fmt.Errorf("tuple of type %d, want 0, 2, 3 or 4", t.Type))
			}
		}
	})
}

// collector declares the toll collector: every notice is a toll notification, and those with an accident ahead are
// alerts too.
func collector(g *engine.Graph, notices engine.Stream[Notice]) *engine.Op {
	return engine.Stateless(g, CollectorID, notices, func(d *engine.Decl) engine.Handler[Notice] {
		tolls := engine.Output[Notice](d, "tolls")
		alerts := engine.Output[Notice](d, "alerts")
		return func(c *engine.Ctx, n *Notice) {
			tolls.Emit(c, n)
			if n.Alert != NoAlert {
				alerts.Emit(c, n)
			}
		}
	})
}
