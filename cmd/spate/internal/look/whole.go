package look

import (
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/fullspate/spate/cmd/spate/internal/report"
)

// Title is a line about the cluster.
func (l *Look) Title() string {
	c := &l.Cluster
	parts := []string{
		"cluster " + abbreviated(c.ID), fmt.Sprintf("coordinator %d, up %s", c.Epoch, span(l.At.Sub(c.Started))),
		"workers: " + counts(c.Workers), "jobs: " + counts(c.Jobs),
	}
	return strings.Join(parts, " · ")
}

// abbreviated is the beginning of an id that is long.
func abbreviated(id string) string { return id[:min(len(id), 8)] }

// counts lists how many there are of each state.
func counts[S ~string](by map[S]int) string {
	var parts []string
	for _, state := range slices.Sorted(maps.Keys(by)) {
		if by[state] > 0 {
			parts = append(parts, fmt.Sprintf("%d %s", by[state], state))
		}
	}
	if len(parts) == 0 {
		return "none"
	}
	return strings.Join(parts, ", ")
}

// WorkersTable has a row for each worker.
func (l *Look) WorkersTable() *Table {
	t := &Table{Head: []string{"WORKER", "STATE", " PID", "ADDRESS", " LOOPS", " TASKS", " CPU", " RSS", " LATE", " HEARD"}}
	for i := range l.Workers {
		w := &l.Workers[i]
		state := string(w.State)
		switch {
		case w.Drain != nil && w.Drain.Done:
			state += ", drained"
		case w.Drain != nil:
			state += ", draining"
		}
		t.add(w.ID, state, strconv.Itoa(w.PID), w.Address, strconv.Itoa(w.Loops), strconv.Itoa(len(w.Tasks)),
			percent(w.CPUCores), report.Bytes(w.RSSBytes), millis(w.LateMS), span(l.At.Sub(w.Heard))+" ago")
	}
	return t
}

// JobsTable has a row for each job, the youngest first.
func (l *Look) JobsTable() *Table {
	t := &Table{Head: []string{"JOB", "PROGRAM", "STATE", " WORKERS", " TASKS", "SUBMITTED", " TOOK", "FAILURE"}}
	for i := range slices.Backward(l.Jobs) {
		j := &l.Jobs[i]
		failure := ""
		if j.Failure != nil {
			failure = Short(j.Failure.Message)
		}
		t.add(j.ID, j.Graph, string(j.State), strconv.Itoa(len(j.Workers)), strconv.Itoa(j.TaskCount),
			j.Submitted.Local().Format(time.DateTime), span(ran(l.At, j.Started, j.Ended)), failure)
	}
	return t
}

// ran is for how long something has been going on, or went on.
func ran(now time.Time, from, to *time.Time) time.Duration {
	switch {
	case from == nil:
		return 0
	case to == nil:
		return now.Sub(*from)
	}
	return to.Sub(*from)
}

// shortMax is how much of a text fits into a row, in characters.
const shortMax = 80

// Short is as much of a text as fits into a row.
func Short(text string) string {
	line, _, _ := strings.Cut(text, "\n")
	if runes := []rune(line); len(runes) > shortMax {
		return string(runes[:shortMax-1]) + "…"
	}
	return line
}

// span is a duration as precise as people want it.
func span(d time.Duration) string {
	switch d = max(d, 0); {
	case d < 10*time.Second:
		return d.Round(time.Millisecond).String()
	case d < time.Hour:
		return d.Round(100 * time.Millisecond).String()
	}
	return d.Round(time.Second).String()
}

func millis(ms float64) string { return report.Number(ms) + " ms" }

func percent(share float64) string { return strconv.FormatFloat(100*share, 'f', 0, 64) + " %" }
