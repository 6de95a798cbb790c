package cli

import (
	"fmt"
	"io"
	"maps"
	"slices"
	"strings"
	"text/tabwriter"

	"github.com/fullspate/spate/bench/linearroad"
	"github.com/fullspate/spate/bench/measure"
	"github.com/fullspate/spate/cmd/spate/internal/report"
)

// answerNames are what answers are called by the key of their type.
var answerNames = []struct{ key, name string }{
	{"0", "toll notifications"}, {"1", "accident alerts"}, {"2", "balances"}, {"3", "expenditures"},
}

// writeAnswers prints how many answers a run gave and what there was to tell.
func writeAnswers(w io.Writer, p *linearroad.Performance) {
	var parts []string
	for _, a := range answerNames {
		parts = append(parts, fmt.Sprintf("%s %s", report.Count(p.Answers[a.key]), a.name))
	}
	fmt.Fprintf(w, "answers      %s\n", strings.Join(parts, ", "))
	fmt.Fprintf(w, "unanswered   %s travel time requests\n", report.Count(p.Unanswered))
	fmt.Fprintf(w, "occurred     %s tolls above zero, %s accidents, %s charges, %s balances above zero\n",
		report.Count(p.TollsAboveZero), report.Count(p.Accidents), report.Count(p.Charges), report.Count(p.NonZeroBalances))
}

// places says where a query ran; 0 loops of workers are as many as those have.
func places(workers, loops int) string {
	switch {
	case workers == 0:
		return report.Plural(loops, "loop")
	case loops == 0:
		return report.Plural(workers, "worker")
	case workers == 1:
		return "1 worker of " + report.Plural(loops, "loop")
	}
	return fmt.Sprintf("%s of %s each", report.Plural(workers, "worker"), report.Plural(loops, "loop"))
}

// writeLinks prints what workers sent each other for each of something, if there were any.
func writeLinks(w io.Writer, workers int, bytes float64, each string) {
	if workers > 0 {
		fmt.Fprintf(w, "sent         %s bytes per %s between workers\n", report.Number(bytes), each)
	}
}

// paceText says how fast a benchmark's input was given, and what its result may be called.
func paceText(pace float64) string {
	switch pace {
	case 0:
		return "as fast as possible (a throughput test, not a rating)"
	case 1:
		return "in real time"
	}
	return fmt.Sprintf("%g times as fast as real time (a throughput test, not a rating)", pace)
}

// warmText says of a run that was too short to leave its warm-up out that it was.
func warmText(measured bool) string {
	if measured {
		return ", which was too short to leave the warm-up out"
	}
	return ""
}

// writeResponses prints a table of response times by key, each with a prefix, or nothing if there are none.
func writeResponses(w io.Writer, prefix string, times map[string]measure.Times) {
	if len(times) == 0 {
		return
	}
	t := tabwriter.NewWriter(w, 0, 0, 2, ' ', tabwriter.AlignRight)
	fmt.Fprintln(t, "response in ms\tp50\tp95\tp99\tp99.9\tmax\t")
	for _, key := range slices.Sorted(maps.Keys(times)) {
		q := times[key]
		fmt.Fprintf(t, "%s%s\t%.2f\t%.2f\t%.2f\t%.2f\t%.2f\t\n", prefix, key, q.P50, q.P95, q.P99, q.P999, q.Max)
	}
	t.Flush()
}
