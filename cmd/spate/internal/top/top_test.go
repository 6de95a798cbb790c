package top

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/gdamore/tcell/v2"
	"go.uber.org/goleak"

	"github.com/fullspate/spate/cmd/spate/internal/look"
	"github.com/fullspate/spate/engine/coordinator"
	"github.com/fullspate/spate/engine/coordinator/api"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// source has two jobs, the second of which is the younger one.
type source struct{ err error }

func (s source) Cluster(context.Context) (api.Cluster, error) { return api.Cluster{ID: "c1"}, s.err }
func (s source) Workers(context.Context) ([]api.Worker, error) {
	return []api.Worker{{ID: "w1", State: coordinator.WorkerReady}}, nil
}

func (s source) Jobs(context.Context) ([]api.JobSummary, error) {
	return []api.JobSummary{{ID: "j1", State: coordinator.Running}, {ID: "j2", State: coordinator.Running}}, nil
}

func (s source) Look(_ context.Context, id string) (api.Job, error) {
	j := api.Job{JobSummary: api.JobSummary{ID: id, Graph: "words", State: coordinator.Running}}
	for i := range 30 {
		op := fmt.Sprintf("op%d", i)
		j.Operators = append(j.Operators, api.Operator{ID: op, Host: op})
		j.Tasks = append(j.Tasks, api.Task{Operator: op, Worker: "w1", Latency: &api.Latency{Count: 1, P50: 2, P95: 3, P99: 5, Max: 9}})
	}
	return j, nil
}

func (s source) Metrics(_ context.Context, id string) (api.Metrics, error) {
	return api.Metrics{Job: id}, nil
}

// fresh is a look at the job that the model asks for.
func fresh(t *testing.T, m *model) looked {
	t.Helper()
	l, err := look.Take(t.Context(), source{}, m.job)
	if err != nil {
		t.Fatal(err)
	}
	return looked{m.job, l, nil}
}

// watching is a model that has seen a look.
func watching(t *testing.T) *model {
	t.Helper()
	m := new(model)
	m.see(fresh(t, m))
	return m
}

// text is what a screen of so many lines shows.
func text(m *model, height int) string {
	var b strings.Builder
	for _, l := range m.screen(height) {
		b.WriteString(l.text + "\n")
	}
	return b.String()
}

func TestScreenFitsTheTerminal(t *testing.T) {
	m := watching(t)
	lines := strings.Split(text(m, 12), "\n")
	if len(lines) != 13 || !strings.HasPrefix(lines[0], "cluster c1") || !strings.HasPrefix(lines[11], "q quit") {
		t.Errorf("the screen is\n%s", strings.Join(lines, "\n"))
	}
	for range 100 {
		m.key(tcell.KeyDown, 0)
	}
	if end := text(m, 12); !strings.Contains(end, "op29") || strings.Contains(end, "cluster c1") {
		t.Errorf("scrolled to the end:\n%s", end)
	}
	for range 10 {
		m.key(tcell.KeyPgUp, 0)
	}
	if top := text(m, 12); !strings.Contains(top, "cluster c1") {
		t.Errorf("scrolled back:\n%s", top)
	}
	if tiny := text(m, 1); tiny != keysLine+"\n" {
		t.Errorf("on one line: %q", tiny)
	}
}

func TestKeys(t *testing.T) {
	m := watching(t)
	if s := text(m, 50); !strings.Contains(s, "job j2") || !strings.Contains(s, "OPERATOR") || !strings.Contains(s, "2 ms  5 ms  9 ms") {
		t.Errorf("at first:\n%s", s)
	}
	m.key(tcell.KeyRune, 't')
	if s := text(m, 50); !strings.Contains(s, "TASK ") || strings.Contains(s, "OPERATOR") {
		t.Errorf("with tasks:\n%s", s)
	}
	m.key(tcell.KeyTab, 0)
	m.see(fresh(t, m))
	if s := text(m, 50); !strings.Contains(s, "job j1") {
		t.Errorf("the next job:\n%s", s)
	}
	m.key(tcell.KeyBacktab, 0)
	m.see(fresh(t, m))
	if s := text(m, 50); !strings.Contains(s, "job j2") {
		t.Errorf("the job before:\n%s", s)
	}
	m.key(tcell.KeyRune, ' ')
	if s := text(m, 50); !strings.Contains(s, "paused at ") {
		t.Errorf("paused:\n%s", s)
	}
	if !m.key(tcell.KeyRune, 'q') || !m.key(tcell.KeyEscape, 0) || !m.key(tcell.KeyCtrlC, 0) || m.key(tcell.KeyRune, 'x') {
		t.Error("q, escape and ctrl-c are to end it, and nothing else")
	}
}

// TestSilentCoordinator: the last look stays on the screen, with a warning, also when it is scrolled.
func TestSilentCoordinator(t *testing.T) {
	m := watching(t)
	m.see(looked{err: errors.New("connection refused")})
	m.key(tcell.KeyDown, 0)
	if s := text(m, 10); !strings.Contains(s, "no answer since ") || !strings.Contains(s, "connection refused") || !strings.Contains(s, "w1") {
		t.Errorf("without an answer:\n%s", s)
	}
	m.see(fresh(t, m))
	if s := text(m, 10); strings.Contains(s, "no answer") {
		t.Errorf("with an answer again:\n%s", s)
	}
	never := new(model)
	if s := text(never, 10); !strings.Contains(s, "…") {
		t.Errorf("before the first answer:\n%s", s)
	}
	never.see(looked{err: errors.New("nobody there")})
	if s := text(never, 10); !strings.Contains(s, "nobody there") {
		t.Errorf("never an answer:\n%s", s)
	}
}

// TestLateLook: one of a job that is not wanted any more is not shown.
func TestLateLook(t *testing.T) {
	m := watching(t)
	late := fresh(t, m)
	m.key(tcell.KeyTab, 0)
	m.see(fresh(t, m))
	late.look.Job.Graph = "late"
	m.see(late)
	if s := text(m, 50); strings.Contains(s, "late") {
		t.Errorf("a look that came late is shown:\n%s", s)
	}
}

// simulated is a terminal in memory.
func simulated(t *testing.T, width, height int) tcell.SimulationScreen {
	t.Helper()
	s := tcell.NewSimulationScreen("UTF-8")
	if err := s.Init(); err != nil {
		t.Fatal(err)
	}
	s.SetSize(width, height)
	return s
}

// drawn are the lines that a terminal shows.
func drawn(s tcell.SimulationScreen) []string {
	cells, width, height := s.GetContents()
	lines := make([]string, height)
	for i := range cells[:width*height] {
		lines[i/width] += string(cells[i].Bytes)
	}
	return lines
}

func TestDraw(t *testing.T) {
	s := simulated(t, 30, 6)
	defer s.Fini()
	w := &watch{Config: Config{Screen: s}, model: *watching(t)}
	w.draw()
	lines := drawn(s)
	if got := lines[0]; !strings.HasPrefix(got, "cluster c1") || !strings.HasSuffix(got, "…") {
		t.Errorf("a line that is too long: %q", got)
	}
	if !strings.HasPrefix(lines[5], "q quit") {
		t.Errorf("the last line: %q", lines[5])
	}
}

// TestRunEndsWithAKey, after the job has been shown.
func TestRunEndsWithAKey(t *testing.T) {
	s := simulated(t, 100, 50)
	c := Config{Source: pressing{s}, Interval: time.Millisecond, Screen: s}
	if err := Run(t.Context(), c); err != nil {
		t.Errorf("ended with %v", err)
	}
}

// pressing has a key pressed whenever it is looked at.
type pressing struct{ screen tcell.SimulationScreen }

func (p pressing) Cluster(ctx context.Context) (api.Cluster, error) {
	p.screen.InjectKey(tcell.KeyRune, 'q', tcell.ModNone)
	return source{}.Cluster(ctx)
}
func (pressing) Workers(ctx context.Context) ([]api.Worker, error)  { return source{}.Workers(ctx) }
func (pressing) Jobs(ctx context.Context) ([]api.JobSummary, error) { return source{}.Jobs(ctx) }
func (pressing) Look(ctx context.Context, id string) (api.Job, error) {
	return source{}.Look(ctx, id)
}
func (pressing) Metrics(ctx context.Context, id string) (api.Metrics, error) {
	return source{}.Metrics(ctx, id)
}

// TestRunEndsWithItsContext, and says why that has ended.
func TestRunEndsWithItsContext(t *testing.T) {
	why := errors.New("enough")
	ctx, cancel := context.WithCancelCause(t.Context())
	cancel(why)
	if err := Run(ctx, Config{Source: source{}, Interval: time.Hour, Screen: simulated(t, 80, 24)}); !errors.Is(err, why) {
		t.Errorf("ended with %v", err)
	}
}
