package query

import (
	"cmp"
	"slices"
	"time"

	"github.com/fullspate/spate/bench/linearroad/format"
	"github.com/fullspate/spate/engine"
	"github.com/fullspate/spate/partition"
)

// The operators' ids, as they stand in statistics and in the parallelism that is asked for.
const (
	FeederID      = "feeder"
	ForwarderID   = "forwarder"
	CalculatorID  = "calculator"
	CollectorID   = "collector"
	AssessmentID  = "assessment"
	AccountID     = "account"
	ExpenditureID = "expenditure"
)

// Config says what the query computes with.
type Config struct {
	Rules  Rules
	Origin time.Duration // logical time of second 0, whole seconds; negative if the run begins later than that
	// Roads is how the work is spread over the roads: see RoadWeights. Nil where that is not known.
	Roads []partition.Weight
	// The history is either loaded, from a file of this name whose rows a FileInput feeds before the tuples, or built in, a
	// pure function that gives 0 where there is no row. Without either it is empty.
	Loaded  string
	BuiltIn func(vid uint32, day uint8, xway uint16) (toll int64)
}

// Streams are the query's results, each in order of the input that caused it.
type Streams struct {
	Tolls        engine.Stream[Notice]            // toll notifications
	Alerts       engine.Stream[Notice]            // accident alerts
	Balances     engine.Stream[BalanceAnswer]     //
	Expenditures engine.Stream[ExpenditureAnswer] //
	Travels      engine.Stream[Request]           // travel time requests, which nobody answers
	Activity     engine.Stream[Activity]          // a record for each road and minute
	Totals       engine.Stream[Total]             // a record for each bucket of accounts and minute with answers
}

// Build adds the query behind the data feeder to a graph: forwarder, toll calculator, toll collector, toll assessment,
// balance account, daily expenditure.
func Build(g *engine.Graph, tuples engine.Stream[format.Tuple], cfg Config) Streams {
	fwd := forwarder(g, tuples, cfg.Loaded != "")
	calc := tollCalculator(g, engine.From[Report](fwd, "reports"), cfg)
	coll := collector(g, engine.From[Notice](calc, "notices"))
	assess := assessment(g, engine.From[Charge](calc, "charges"), engine.From[Request](fwd, "balances"))
	acc := balanceAccount(g, engine.From[BalanceAnswer](assess, "answers"), cfg.Origin)
	var rows engine.Stream[HistoryRow]
	if cfg.Loaded != "" {
		rows = engine.From[HistoryRow](fwd, historyOutput)
	}
	exp := expenditure(g, engine.From[Request](fwd, "expenditures"), rows, cfg)
	return Streams{
		Tolls:        engine.From[Notice](coll, "tolls"),
		Alerts:       engine.From[Notice](coll, "alerts"),
		Balances:     engine.From[BalanceAnswer](acc, "answers"),
		Expenditures: engine.From[ExpenditureAnswer](exp, "answers"),
		Travels:      engine.From[Request](fwd, "travels"),
		Activity:     engine.From[Activity](calc, "activity"),
		Totals:       engine.From[Total](acc, "totals"),
	}
}

// RoadWeights says how the work of the operators keyed by road, and of the sinks of what the calculator emits, is spread
// over their keys: alike over both directions of each of so many expressways. A hundred hashed keys cut in the middle of
// the key space leave one half with up to 60 % of them.
func RoadWeights(xways int) []partition.Weight {
	weights := make([]partition.Weight, 2*xways)
	for road := range weights {
		h := partition.HashUint64(uint64(road))
		weights[road] = partition.Weight{Range: partition.Range{First: h, Last: h}, Weight: 1}
	}
	slices.SortFunc(weights, func(a, b partition.Weight) int { return cmp.Compare(a.Range.First, b.Range.First) })
	return weights
}
