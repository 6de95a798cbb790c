package report

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"os"
	"slices"
	"strings"
	"text/tabwriter"
)

// Result is any benchmark's result as read back from its JSON.
type Result struct {
	Origin
	Settings map[string]any
	Spread   map[string]Spread
	Valid    bool // the answers were right
}

// ReadFile reads a result. The error names the file and says what of a result it lacks.
func ReadFile(name string) (*Result, error) {
	data, err := os.ReadFile(name)
	if err != nil {
		return nil, err
	}
	r, err := Parse(data)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", name, err)
	}
	return r, nil
}

// Parse reads a result from its JSON.
func Parse(data []byte) (*Result, error) {
	var head struct {
		Origin
		Settings []string          `json:"settings"`
		Spread   map[string]Spread `json:"spread"`
		Valid    *bool             `json:"valid"`
	}
	members := map[string]any{}
	if err := errors.Join(strictly(data, &head), strictly(data, &members)); err != nil {
		return nil, fmt.Errorf("not the JSON of a benchmark: %w", err)
	}
	switch {
	case !strings.HasPrefix(head.Schema, "spate.bench."):
		return nil, fmt.Errorf("schema is %q, want that of a benchmark, spate.bench.…", head.Schema)
	case len(head.Spread) == 0 || head.Valid == nil:
		return nil, errors.New(`members "spread" and "valid" of a benchmark's result are missing`)
	}
	r := &Result{Origin: head.Origin, Spread: head.Spread, Settings: map[string]any{}, Valid: *head.Valid}
	for _, name := range head.Settings {
		r.Settings[name] = members[name]
	}
	return r, nil
}

// strictly decodes one JSON value and nothing after it.
func strictly(data []byte, v any) error {
	d := json.NewDecoder(bytes.NewReader(data))
	if err := d.Decode(v); err != nil {
		return err
	}
	if _, err := d.Token(); err != io.EOF {
		return fmt.Errorf("more text after the result, at byte %d", d.InputOffset())
	}
	return nil
}

// Comparison is two results side by side.
type Comparison struct {
	Schema   string   `json:"schema"` // spate.compare/1
	A        Origin   `json:"a"`
	B        Origin   `json:"b"`
	Warnings []string `json:"warnings"` // why the numbers may not be comparable
	Rows     []Row    `json:"rows"`
}

// Row is one measure in both results.
type Row struct {
	Metric string   `json:"metric"`
	A      Spread   `json:"a"`
	B      Spread   `json:"b"`
	Ratio  *float64 `json:"ratio"`   // B's median divided by A's; null if A's is 0
	Clear  bool     `json:"clear"`   // no run of one lies among the runs of the other
	Better string   `json:"verdict"` // better or worse (B than A), same, or differs for a measure that should not
}

// Compare puts b beside a. It refuses results of different benchmarks.
func Compare(a, b *Result) (*Comparison, error) {
	if a.Schema != b.Schema {
		return nil, fmt.Errorf("results of different benchmarks: %s and %s", a.Schema, b.Schema)
	}
	c := &Comparison{Schema: "spate.compare/1", A: a.Origin, B: b.Origin, Warnings: warnings(a, b), Rows: []Row{}}
	for _, metric := range slices.Sorted(maps.Keys(a.Spread)) {
		sb, ok := b.Spread[metric]
		if !ok {
			continue
		}
		c.Rows = append(c.Rows, compareOne(metric, a.Spread[metric], sb))
	}
	slices.SortStableFunc(c.Rows, func(x, y Row) int { return rank(x.Metric) - rank(y.Metric) })
	return c, nil
}

func compareOne(metric string, a, b Spread) Row {
	r := Row{Metric: metric, A: a, B: b, Clear: a.Max < b.Min || b.Max < a.Min, Better: "same"}
	if a.Median != 0 {
		ratio := b.Median / a.Median
		r.Ratio = &ratio
	}
	switch {
	case a.Median == b.Median:
	case direction(metric) == 0:
		r.Better = "differs"
	case (b.Median > a.Median) == (direction(metric) > 0):
		r.Better = "better"
	default:
		r.Better = "worse"
	}
	return r
}

// direction is 1 where more is better, −1 where less is, and 0 where the input decides.
func direction(metric string) int {
	switch {
	case strings.HasSuffix(metric, "_per_s"):
		return 1
	case metric == "seconds", strings.HasPrefix(metric, "response_ms."), strings.Contains(metric, "_bytes"),
		strings.HasPrefix(metric, "allocs_per_"), strings.HasPrefix(metric, "cpu_ns_per_"):
		return -1
	}
	return 0
}

// rank puts rates first, then all else that can be better or worse, then what the input decides.
func rank(metric string) int { return []int{1, 2, 0}[direction(metric)+1] }

func warnings(a, b *Result) []string {
	found := []string{}
	if a.Machine != b.Machine {
		found = append(found, fmt.Sprintf("machines differ: %s and %s", a.Machine, b.Machine))
	}
	names := map[string]bool{}
	for name := range a.Settings {
		names[name] = true
	}
	for name := range b.Settings {
		names[name] = true
	}
	for _, name := range slices.Sorted(maps.Keys(names)) {
		if va, vb := fmt.Sprint(a.Settings[name]), fmt.Sprint(b.Settings[name]); va != vb {
			found = append(found, fmt.Sprintf("%s differs: %s and %s", name, va, vb))
		}
	}
	for _, r := range []struct {
		side  string
		valid bool
	}{{"A", a.Valid}, {"B", b.Valid}} {
		if !r.valid {
			found = append(found, fmt.Sprintf("the answers of %s were wrong", r.side))
		}
	}
	return found
}

// Text prints the comparison as a table.
func (c *Comparison) Text(w io.Writer) error {
	for _, side := range []struct {
		name string
		o    Origin
	}{{"A", c.A}, {"B", c.B}} {
		fmt.Fprintf(w, "%s  %s, commit %s, %s, %s\n", side.name, side.o.Version, short(side.o.Commit), side.o.Go, side.o.Machine)
	}
	for _, warning := range c.Warnings {
		fmt.Fprintf(w, "warning: %s\n", warning)
	}
	fmt.Fprintln(w)
	t := tabwriter.NewWriter(w, 0, 0, 2, ' ', tabwriter.AlignRight)
	fmt.Fprintln(t, "measure\tA\t\tB\t\tB/A\t\t")
	for _, r := range c.Rows {
		verdict := r.Better
		if (verdict == "better" || verdict == "worse") && !r.Clear {
			verdict = "within spread"
		}
		ratio := "–"
		if r.Ratio != nil {
			ratio = fmt.Sprintf("%.3f", *r.Ratio)
		}
		fmt.Fprintf(t, "%s\t%s\t±%.1f %%\t%s\t±%.1f %%\t%s\t%s\t\n", r.Metric,
			Number(r.A.Median), 100*r.A.Relative(), Number(r.B.Median), 100*r.B.Relative(), ratio, verdict)
	}
	return t.Flush()
}

// short cuts a commit to the length people read.
func short(commit string) string {
	const hash = 12
	revision, suffix, _ := strings.Cut(commit, "+")
	if len(revision) > hash {
		revision = revision[:hash]
	}
	if suffix != "" {
		suffix = "+" + suffix
	}
	return revision + suffix
}
