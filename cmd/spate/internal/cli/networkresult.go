package cli

import (
	"fmt"
	"io"

	"github.com/fullspate/spate/bench/measure"
	"github.com/fullspate/spate/bench/network"
	"github.com/fullspate/spate/cmd/spate/internal/report"
)

// networkResult is the result of bench hop, keyed and hops in JSON. The measures are those of the run with the median rate or
// response time.
type networkResult struct {
	report.Origin
	Input       network.Input  `json:"input"`
	Warm        int            `json:"warm"` // seconds of the input that are not measured
	Pace        float64        `json:"pace"` // 0: as fast as possible
	Loops       int            `json:"loops"`
	Workers     int            `json:"workers"` // processes that ran the query, 0: this one
	Network     string         `json:"network"` // that workers were connected by
	Parallelism map[string]int `json:"parallelism"`
	Pins        map[string]int `json:"pins"` // the worker that an operator's tasks were on
	Repeat      int            `json:"repeat"`
	network.Measures
	Valid    bool                     `json:"valid"` // of all runs
	Settings []string                 `json:"settings"`
	Spread   map[string]report.Spread `json:"spread"`
	Runs     []network.Measures       `json:"runs"`
	kind     network.Kind
}

func networkResultOf(r *network.Result) (*networkResult, error) {
	spread, err := report.Spreads(r.Runs)
	c := &r.Config
	return &networkResult{
		Origin: report.OriginOf("spate.bench." + string(c.Kind) + "/1"), Input: c.Input, Warm: c.Warm, Pace: c.Engine.Pace,
		Loops: c.Engine.Loops, Workers: r.Workers, Network: c.Network, Parallelism: c.Engine.Parallelism, Pins: c.Engine.Pins,
		Repeat: len(r.Runs), Measures: *r.Median(), Valid: r.Valid(),
		Settings: []string{"input", "warm", "pace", "loops", "workers", "network", "parallelism", "pins"}, Spread: spread, Runs: r.Runs,
		kind: c.Kind,
	}, err
}

// networkTitles say what the benchmarks do.
var networkTitles = map[network.Kind]string{
	network.Hop:   "One hop of tuples of 40 bytes",
	network.Keyed: "Counting by key, two sources with rates of 4 : 1",
	network.Hops:  "Three hops, two sources with rates of 4 : 1",
}

func (n *networkResult) text(w io.Writer) error {
	fmt.Fprintf(w, "%s, %s\n\n", networkTitles[n.kind], paceText(n.Pace))
	n.Origin.Text(w)
	fmt.Fprintf(w, "settings     %s, seed %d, %s keys, %d runs, %d s warm-up\n\n", places(n.Workers, n.Loops), n.Input.Seed,
		report.Count(n.Input.Keys), n.Repeat, n.Warm)
	rate := n.Spread["tuples_per_s"]
	fmt.Fprintf(w, "throughput   %s tuples/s  ±%.1f %%  (%s … %s)\n", report.Number(rate.Median), 100*rate.Relative(), report.Number(rate.Min), report.Number(rate.Max))
	fmt.Fprintf(w, "measured     %s tuples in %.2f s, the median run\n", report.Count(n.Tuples), n.Seconds)
	n.sockets(w)
	if n.SourcePerS > 0 {
		alone := n.Spread["source_tuples_per_s"]
		fmt.Fprintf(w, "source       %s tuples/s  ±%.1f %%  alone on one loop\n", report.Number(alone.Median), 100*alone.Relative())
	}
	if n.ResponseMS != nil {
		writeResponses(w, "", map[string]measure.Times{network.ArrivalsID: *n.ResponseMS})
	}
	fmt.Fprintf(w, "processor    %s ns per tuple in all processes, %s allocations\n", report.Number(n.CPUPerTuple), report.Number(n.AllocsPerTuple))
	fmt.Fprintf(w, "memory       %s in all processes\n", report.Bytes(n.RSSBytes))
	n.verdict(w)
	return nil
}

// sockets prints what went over sockets.
func (n *networkResult) sockets(w io.Writer) {
	if n.Workers > 0 {
		sent := n.Spread["link_bytes_per_s"]
		fmt.Fprintf(w, "sent         %sB/s  ±%.1f %%  over %s, %s bytes per tuple, each of which went from worker to worker %s times\n",
			report.Number(sent.Median), 100*sent.Relative(), n.Network, report.Number(n.LinkBytesPer), report.Number(n.Crossings))
	}
	if n.BarePerS == 0 {
		return
	}
	bare := n.Spread["bare_bytes_per_s"]
	fmt.Fprintf(w, "bare sender  %sB/s  ±%.1f %%", report.Number(bare.Median), 100*bare.Relative())
	if n.Workers > 0 {
		of := n.Spread["of_bare"]
		fmt.Fprintf(w, ", of which the hop is %.0f %%  (%.0f … %.0f)\n", 100*of.Median, 100*of.Min, 100*of.Max)
		return
	}
	fmt.Fprintf(w, " over %s within this process, where the hop needs no socket\n", n.Network)
}

// verdict prints whether what arrived was right.
func (n *networkResult) verdict(w io.Writer) {
	for i := range n.Runs {
		for _, fault := range n.Runs[i].Faults {
			fmt.Fprintf(w, "wrong        in run %d: %s\n", i+1, fault)
		}
	}
	if n.Valid {
		fmt.Fprintf(w, "validated    every tuple of %d runs, in its order\n", n.Repeat)
	}
}
