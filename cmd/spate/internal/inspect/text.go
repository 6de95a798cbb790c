package inspect

import (
	"cmp"
	"fmt"
	"io"
	"text/tabwriter"
	"time"

	"github.com/fullspate/spate/cmd/spate/internal/report"
)

// Text writes the result for people.
func (r *Result) Text(w io.Writer) error {
	fmt.Fprintf(w, "%s: %s of graph %q, made %s", r.Dir, r.Kind, cmp.Or(r.Graph, "?"), r.Created.UTC().Format(time.RFC3339))
	if r.Position != "" {
		fmt.Fprintf(w, ", at %s", r.Position)
	}
	fmt.Fprintln(w)
	for i := range r.Tasks {
		r.Tasks[i].title(w)
		for _, t := range r.Tasks[i].Tables {
			if err := t.text(w); err != nil {
				return err
			}
		}
	}
	return nil
}

// title writes what there is besides tables.
func (t *Task) title(w io.Writer) {
	fmt.Fprintf(w, "\n%s/%d  %v-%v  at %s", t.Operator, t.Index, t.First, t.Last, t.Position)
	if t.Generation > 0 {
		fmt.Fprintf(w, ", generation %d", t.Generation)
	}
	if t.Age != nil {
		fmt.Fprintf(w, ", %s old", report.Seconds(*t.Age))
	}
	if t.Splits > 0 {
		fmt.Fprintf(w, ", %s", report.Plural(t.Splits, "split"))
	}
	if t.MarkBytes > 0 {
		fmt.Fprintf(w, ", a mark of %s", report.Bytes(t.MarkBytes))
	}
	if t.LogBytes > 0 {
		fmt.Fprintf(w, ", %s of output", report.Bytes(t.LogBytes))
	}
	fmt.Fprintln(w)
}

func (t *Table) text(w io.Writer) error {
	fmt.Fprintf(w, "  %s: %s records, %s, %s decompressed\n", t.Name, report.Count(t.Records), report.Bytes(t.Bytes), report.Bytes(t.RawBytes))
	for _, v := range t.Values {
		if v.Sub != nil {
			fmt.Fprintf(w, "    %s: %s\n", v.Sub, v.Value)
			continue
		}
		fmt.Fprintf(w, "    %s\n", v.Value)
	}
	tw := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	for _, p := range t.Heaviest {
		fmt.Fprintf(tw, "    %v-%v\t%s records\t%s\n", p.First, p.Last, report.Count(p.Records), report.Bytes(p.Bytes))
	}
	return tw.Flush()
}
