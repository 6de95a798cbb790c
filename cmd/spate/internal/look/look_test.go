package look

import (
	"context"
	"errors"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/fullspate/spate/engine/control"
	"github.com/fullspate/spate/engine/coordinator"
	"github.com/fullspate/spate/engine/coordinator/api"
)

func TestEventLine(t *testing.T) {
	e := api.Event{At: noon.Local(), Kind: coordinator.WorkerLost, Worker: "w1", TookMS: 212.4, Text: "a\nb"}
	if got, want := EventLine(e), e.At.Format("15:04:05.000")+"  worker_lost              w1  212 ms  a b"; got != want {
		t.Errorf("got %q, want %q", got, want)
	}
}

var noon = time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)

// source answers with what it has.
type source struct {
	jobs []api.JobSummary
	job  api.Job
	err  error
}

func (s *source) Cluster(context.Context) (api.Cluster, error)   { return api.Cluster{ID: "c"}, nil }
func (s *source) Workers(context.Context) ([]api.Worker, error)  { return nil, nil }
func (s *source) Jobs(context.Context) ([]api.JobSummary, error) { return s.jobs, nil }
func (s *source) Look(_ context.Context, id string) (api.Job, error) {
	s.job.ID = id
	return s.job, s.err
}
func (s *source) Metrics(context.Context, string) (api.Metrics, error) {
	return api.Metrics{Job: s.job.ID}, nil
}

func TestTakeChoosesTheJob(t *testing.T) {
	jobs := []api.JobSummary{{ID: "j1", State: coordinator.Running}, {ID: "j2", State: coordinator.Running}, {ID: "j3", State: coordinator.Failed}}
	for _, tt := range []struct {
		jobs     []api.JobSummary
		id, want string
	}{{nil, "", ""}, {jobs, "", "j2"}, {jobs[2:], "", "j3"}, {jobs, "j1", "j1"}, {nil, "j9", "j9"}} {
		l, err := Take(t.Context(), &source{jobs: tt.jobs}, tt.id)
		if err != nil {
			t.Fatal(err)
		}
		got := ""
		if l.Job != nil {
			got = l.Job.ID
		}
		if got != tt.want || (l.Metrics != nil) != (tt.want != "") {
			t.Errorf("of %d jobs, asked for %q: %q, want %q", len(tt.jobs), tt.id, got, tt.want)
		}
	}
	fault := errors.New("no such job")
	if _, err := Take(t.Context(), &source{err: fault}, "j1"); !errors.Is(err, fault) {
		t.Errorf("%v, want %v", err, fault)
	}
}

// task is a task at a position in milliseconds; without one at the end of its input.
func task(operator string, n int, worker string, ms uint64, fused bool) api.Task {
	t := api.Task{Operator: operator, Task: n, Worker: worker, Fused: fused, RateIn: 1000.4, RateOut: 10, TrueRate: 5000, Busy: 0.25,
		QueueBytes: 1024, StateBytes: 2048, FrontierLagMS: 3}
	if operator == "count" {
		t.Latency = &api.Latency{Count: 10, P50: float64(1 + n), P95: 5, P99: float64(7 - n), Max: 1234}
	}
	if text := "∞"; !fused {
		if t.Position = &text; ms > 0 {
			text = time.Duration(ms * uint64(time.Millisecond)).String()
			t.PositionMS = &ms
		}
	}
	return t
}

// sample is a look at a job of two operators, one of them fused, on two workers.
func sample() *Look {
	started := noon.Add(-time.Minute)
	j := api.Job{
		JobSummary: api.JobSummary{ID: "j1", Graph: "words", State: coordinator.Running, Workers: []string{"w1", "w2"}, Started: &started},
		Config:     api.JobConfig{Pace: 2},
		Operators:  []api.Operator{{ID: "in", Host: "in"}, {ID: "split", Host: "in"}, {ID: "count", Host: "count"}},
		Tasks: []api.Task{
			task("in", 0, "w1", 2000, false), task("split", 0, "w1", 0, true),
			task("count", 0, "w1", 1500, false), task("count", 1, "w2", 1900, false),
		},
		Events: []api.Event{
			{At: noon, Kind: coordinator.JobSubmitted, Text: "words"},
			{At: noon, Kind: coordinator.JobStarted, TookMS: 4.5, Text: strings.Repeat("x", 500) + "\nmore"},
		},
	}
	link := control.LinkReport{Peer: "w2", BytesOut: 5000, TuplesOut: 100, Starved: 7, Broken: 1}
	return &Look{
		At: noon, Job: &j, Jobs: []api.JobSummary{j.JobSummary}, Cluster: api.Cluster{ID: "0123456789abcdef", Epoch: 3, Started: started,
			Workers: map[coordinator.WorkerState]int{coordinator.WorkerReady: 2}, Jobs: map[coordinator.State]int{coordinator.Running: 1, coordinator.Failed: 0}},
		Metrics: &api.Metrics{Job: "j1", Workers: []api.WorkerMetrics{{Worker: "w1", ElapsedMS: 1000, Links: []control.LinkReport{link}}, {Worker: "w2", ElapsedMS: 1000}}},
		Workers: []api.Worker{{ID: "w1", State: coordinator.WorkerReady, PID: 7, Address: "tcp://h:1", Loops: 2, CPUCores: 1.5, RSSBytes: 1 << 20, LateMS: 2.25, Heard: noon.Add(-time.Second)}},
	}
}

// cells are the cells of a table's row.
func cells(t *testing.T, table *Table, row int, want ...string) {
	t.Helper()
	if got := table.Rows[row]; !slices.Equal(got, want) {
		t.Errorf("row %d is\n%q, want\n%q", row, got, want)
	}
	if len(table.Rows[row]) != len(table.Head) {
		t.Errorf("row %d has %d cells, the head %d", row, len(table.Rows[row]), len(table.Head))
	}
}

func TestTablesOfAJob(t *testing.T) {
	l := sample()
	if got, want := JobTitle(l.Job, l.At), "job j1 · words · running · 1m0s on w1, w2 · pace 2"; got != want {
		t.Errorf("title %q, want %q", got, want)
	}
	ops := l.OperatorsTable()
	cells(t, ops, 0, "in", "1", "1000", "10", "5000", "25 %", "1 KiB", "2 KiB", "3 ms", "0s", "", "", "", "2s")
	cells(t, ops, 1, "split (in in)", "1", "1000", "10", "", "", "", "", "", "", "", "", "", "")
	// Of two tasks the sum, the worst, and the position of the last.
	cells(t, ops, 2, "count", "2", "2001", "20", "10 k", "25 %", "2 KiB", "4 KiB", "3 ms", "250ms", "2 ms", "7 ms", "1234 ms", "1.5s")
	cells(t, l.TasksTable(), 3, "count/1", "w2", "0", "1000", "10", "5000", "25 %", "1 KiB", "2 KiB", "3 ms", "50ms", "2 ms", "6 ms", "1234 ms", "1.9s")
	events := l.EventsTable(1)
	if len(events.Rows) != 1 || events.Rows[0][1] != "job_started" || events.Rows[0][3] != "4.50 ms" || len([]rune(events.Rows[0][4])) != shortMax {
		t.Errorf("events %q", events.Rows)
	}
}

// TestPositionsAtTheEnd: infinity is beyond every other position, and unknown is none.
func TestPositionsAtTheEnd(t *testing.T) {
	l := sample()
	l.Job.Tasks[2] = task("count", 0, "w1", 0, false)
	if row := l.OperatorsTable().Rows[2]; row[13] != "1.9s" {
		t.Errorf("one of two tasks at its end: %q", row)
	}
	l.Job.Tasks[3] = task("count", 1, "w2", 0, false)
	if row := l.OperatorsTable().Rows[2]; row[13] != "∞" || row[9] != "" {
		t.Errorf("both tasks at their end: %q", row)
	}
	l.Job.Tasks[3].Position, l.Job.Tasks[2].Position = nil, nil
	if row := l.OperatorsTable().Rows[2]; row[13] != "" {
		t.Errorf("no report so far: %q", row)
	}
}

func TestLinksAreRates(t *testing.T) {
	before, now := sample(), sample()
	w := &now.Metrics.Workers[0]
	w.ElapsedMS, w.Links = 1500, []control.LinkReport{{Peer: "w2", BytesOut: 15000, TuplesOut: 300, Starved: 7, Broken: 1}}
	cells(t, now.LinksTable(nil), 0, "w1", "w2", "14.6 KiB", "10 k", "200", "7", "1")
	cells(t, now.LinksTable(before), 0, "w1", "w2", "14.6 KiB", "20 k", "400", "7", "1")
	cells(t, now.LinksTable(now), 0, "w1", "w2", "14.6 KiB", "–", "–", "7", "1") // nothing was reported meanwhile
	before.Job.ID = "j0"
	cells(t, now.LinksTable(before), 0, "w1", "w2", "14.6 KiB", "10 k", "200", "7", "1")
}

func TestTablesOfTheCluster(t *testing.T) {
	l := sample()
	if got, want := l.Title(), "cluster 01234567 · coordinator 3, up 1m0s · workers: 2 ready · jobs: 1 running"; got != want {
		t.Errorf("title %q, want %q", got, want)
	}
	cells(t, l.WorkersTable(), 0, "w1", "ready", "7", "tcp://h:1", "2", "0", "150 %", "1 MiB", "2.25 ms", "1s ago")
	l.Jobs[0].Failure = &api.Failure{Message: "it broke\nstack"}
	row := l.JobsTable().Rows[0]
	if row[0] != "j1" || row[6] != "1m0s" || row[7] != "it broke" {
		t.Errorf("job %q", row)
	}
}

func TestTablesAlign(t *testing.T) {
	table := &Table{Head: []string{"NAME", " N", "TEXT"}}
	var b strings.Builder
	if err := table.Write(&b); err != nil || b.Len() > 0 {
		t.Errorf("an empty table prints %q, %v", b.String(), err)
	}
	table.add("ä", "1000", "")
	table.add("bcdefg", "2", "x y")
	if err := table.Write(&b); err != nil {
		t.Fatal(err)
	}
	const want = "\nNAME       N  TEXT\nä       1000\nbcdefg     2  x y\n"
	if b.String() != want {
		t.Errorf("printed\n%q, want\n%q", b.String(), want)
	}
}
