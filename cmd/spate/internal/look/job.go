package look

import (
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/fullspate/spate/cmd/spate/internal/report"
	"github.com/fullspate/spate/engine/control"
	"github.com/fullspate/spate/engine/coordinator/api"
)

// JobTitle is a line about a job.
func JobTitle(j *api.Job, now time.Time) string {
	line := fmt.Sprintf("job %s · %s · %s", j.ID, j.Graph, j.State)
	if j.Started != nil {
		line += fmt.Sprintf(" · %s on %s", span(ran(now, j.Started, j.Ended)), strings.Join(j.Workers, ", "))
	}
	if j.Config.Pace > 0 {
		line += fmt.Sprintf(" · pace %g", j.Config.Pace)
	}
	return line
}

// sums are the counters of several tasks.
type sums struct {
	tasks          int
	in, out, truth float64      // tuples per second
	busy           float64      // of the busiest
	queue, state   int64        // bytes
	lag            float64      // ms, of the one that has most to catch up
	latency        *api.Latency // of the slowest, by each quantile; nil if none was taken
	behind         time.Duration
	paced          bool // behind is known
	position       *uint64
	positionText   string // of the last; empty if none has reported
}

func (s *sums) add(l *Look, t *api.Task) {
	s.tasks++
	s.in, s.out, s.truth = s.in+t.RateIn, s.out+t.RateOut, s.truth+t.TrueRate
	s.busy, s.lag = max(s.busy, t.Busy), max(s.lag, t.FrontierLagMS)
	s.queue, s.state = s.queue+t.QueueBytes, s.state+t.StateBytes
	if d, ok := l.behind(t); ok {
		s.behind, s.paced = max(s.behind, d), true
	}
	s.slowest(t.Latency)
	if t.Position == nil {
		return
	}
	if first := s.positionText == ""; first || t.PositionMS != nil && (s.position == nil || *t.PositionMS < *s.position) {
		s.position, s.positionText = t.PositionMS, *t.Position
	}
}

// slowest takes over what is slower in l.
func (s *sums) slowest(l *api.Latency) {
	switch {
	case l == nil:
	case s.latency == nil:
		c := *l
		s.latency = &c
	default:
		c := s.latency
		c.P50, c.P95, c.P99, c.Max = max(c.P50, l.P50), max(c.P95, l.P95), max(c.P99, l.P99), max(c.Max, l.Max)
	}
}

// counterHead are the columns of sums.
var counterHead = []string{" IN/s", " OUT/s", " TRUE/s", " BUSY", " QUEUE", " STATE", " LAG", " BEHIND",
	" P50", " P99", " MAX", " POSITION"}

// latencies are the cells of the latency.
func (s *sums) latencies() []string {
	if s.latency == nil {
		return []string{"", "", ""}
	}
	return []string{millis(s.latency.P50), millis(s.latency.P99), millis(s.latency.Max)}
}

// cells are the sums as they are shown. What runs within another operator's tasks has rates of its own and nothing else.
func (s *sums) cells(fused bool) []string {
	rates := []string{report.Number(round(s.in)), report.Number(round(s.out))}
	if fused {
		return append(rates, slices.Repeat([]string{""}, len(counterHead)-len(rates))...)
	}
	behind := ""
	if s.paced {
		behind = span(s.behind)
	}
	work := append(rates, report.Number(round(s.truth)), percent(s.busy), report.Bytes(s.queue), report.Bytes(s.state),
		millis(s.lag), behind)
	return append(append(work, s.latencies()...), s.positionText)
}

// round drops what is less than a tuple per second: nobody looks for it.
func round(rate float64) float64 { return float64(int64(rate + 0.5)) }

// OperatorsTable has a row for each operator, what feeds others first.
func (l *Look) OperatorsTable() *Table {
	t := &Table{Head: append([]string{"OPERATOR", " TASKS"}, counterHead...)}
	for _, op := range l.Job.Operators {
		var s sums
		for i := range l.Job.Tasks {
			if task := &l.Job.Tasks[i]; task.Operator == op.ID {
				s.add(l, task)
			}
		}
		name := op.ID
		if op.Host != op.ID {
			name += " (in " + op.Host + ")"
		}
		t.add(append([]string{name, strconv.Itoa(s.tasks)}, s.cells(op.Host != op.ID)...)...)
	}
	return t
}

// TasksTable has a row for each task.
func (l *Look) TasksTable() *Table {
	t := &Table{Head: append([]string{"TASK", "WORKER", " LOOP"}, counterHead...)}
	for i := range l.Job.Tasks {
		task := &l.Job.Tasks[i]
		var s sums
		s.add(l, task)
		name := fmt.Sprintf("%s/%d", task.Operator, task.Task)
		if task.Role == api.Mute {
			name += " (mute)"
		}
		cells := []string{name, task.Worker, strconv.Itoa(task.Loop)}
		t.add(append(cells, s.cells(task.Fused)...)...)
	}
	return t
}

// LinksTable has a row for each direction between two workers. Rates are since an earlier look at the same job, or since its
// start if there is none.
func (l *Look) LinksTable(before *Look) *Table {
	t := &Table{Head: []string{"FROM", "TO", " SENT", " BYTES/s", " TUPLES/s", " WAITED", " BROKEN"}}
	for i := range l.Metrics.Workers {
		w := &l.Metrics.Workers[i]
		for _, link := range w.Links {
			was, elapsed := before.link(l.Job.ID, w.Worker, link.Peer)
			dt := (w.ElapsedMS - elapsed) / 1000
			t.add(w.Worker, link.Peer, report.Bytes(int64(link.BytesOut)), rate(link.BytesOut, was.BytesOut, dt),
				rate(link.TuplesOut, was.TuplesOut, dt), strconv.FormatUint(link.Starved, 10), strconv.FormatUint(link.Broken, 10))
		}
	}
	return t
}

// link is what a worker had sent to another one, and for how many milliseconds the job had been running then; nothing if l is
// nil or of another job.
func (l *Look) link(job, worker, peer string) (control.LinkReport, float64) {
	if l == nil || l.Job == nil || l.Job.ID != job {
		return control.LinkReport{}, 0
	}
	for i := range l.Metrics.Workers {
		if w := &l.Metrics.Workers[i]; w.Worker == worker {
			for _, link := range w.Links {
				if link.Peer == peer {
					return link, w.ElapsedMS
				}
			}
		}
	}
	return control.LinkReport{}, 0
}

func rate(now, before uint64, dt float64) string {
	if dt <= 0 || now < before {
		return "–"
	}
	return report.Number(round(float64(now-before) / dt))
}

// EventLine is an event on a line of its own, in full.
func EventLine(e api.Event) string {
	line := fmt.Sprintf("%s  %-23s", e.At.Local().Format("15:04:05.000"), e.Kind)
	if e.Worker != "" {
		line += "  " + e.Worker
	}
	if e.TookMS > 0 {
		line += "  " + millis(e.TookMS)
	}
	if e.Text != "" {
		line += "  " + strings.ReplaceAll(e.Text, "\n", " ")
	}
	return strings.TrimRight(line, " ")
}

// EventsTable has the job's last events, at most n.
func (l *Look) EventsTable(n int) *Table {
	t := &Table{Head: []string{"TIME", "EVENT", "WORKER", " TOOK", "TEXT"}}
	events := l.Job.Events
	for _, e := range events[max(len(events)-n, 0):] {
		took := ""
		if e.TookMS > 0 {
			took = millis(e.TookMS)
		}
		t.add(e.At.Local().Format("15:04:05.000"), string(e.Kind), e.Worker, took, Short(e.Text))
	}
	return t
}
