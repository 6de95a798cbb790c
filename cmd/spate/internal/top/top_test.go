package top

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	tea "github.com/charmbracelet/bubbletea"
	"github.com/charmbracelet/x/ansi"
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
		j.Tasks = append(j.Tasks, api.Task{Operator: op, Worker: "w1"})
	}
	return j, nil
}

func (s source) Metrics(_ context.Context, id string) (api.Metrics, error) {
	return api.Metrics{Job: id}, nil
}

// watching is a model that has taken its first look, on a terminal of the given size.
func watching(t *testing.T, width, height int) *model {
	t.Helper()
	m := &model{ctx: t.Context(), Config: Config{Source: source{}, Interval: time.Second}}
	m.Update(tea.WindowSizeMsg{Width: width, Height: height})
	m.Update(m.Init()())
	return m
}

// press presses keys, and says whether the last one ends the program.
func press(m *model, keys ...tea.KeyMsg) bool {
	var cmd tea.Cmd
	for _, k := range keys {
		_, cmd = m.Update(k)
	}
	return cmd != nil
}

func letter(r rune) tea.KeyMsg { return tea.KeyMsg{Type: tea.KeyRunes, Runes: []rune{r}} }

func TestScreenFitsTheTerminal(t *testing.T) {
	m := watching(t, 40, 12)
	lines := strings.Split(ansi.Strip(m.View()), "\n")
	if len(lines) != 12 {
		t.Fatalf("%d lines, want 12", len(lines))
	}
	for _, line := range lines {
		if ansi.StringWidth(line) > 40 {
			t.Errorf("line of %d columns: %q", ansi.StringWidth(line), line)
		}
	}
	if !strings.HasPrefix(lines[0], "cluster c1") || !strings.HasPrefix(lines[11], "q quit") {
		t.Errorf("the screen is\n%s", strings.Join(lines, "\n"))
	}
	for range 100 {
		press(m, tea.KeyMsg{Type: tea.KeyDown})
	}
	if end := ansi.Strip(m.View()); !strings.Contains(end, "op29") || strings.Contains(end, "cluster c1") {
		t.Errorf("scrolled to the end:\n%s", end)
	}
	for range 100 {
		press(m, tea.KeyMsg{Type: tea.KeyUp})
	}
	if top := ansi.Strip(m.View()); !strings.Contains(top, "cluster c1") {
		t.Errorf("scrolled back:\n%s", top)
	}
	if tiny := watching(t, 1, 1).View(); strings.Count(tiny, "\n") > 0 {
		t.Errorf("on one line: %q", tiny)
	}
}

func TestKeys(t *testing.T) {
	m := watching(t, 100, 50)
	if s := m.View(); !strings.Contains(s, "job j2") || !strings.Contains(s, "OPERATOR") {
		t.Errorf("at first:\n%s", s)
	}
	press(m, letter('t'))
	if s := m.View(); !strings.Contains(s, "TASK ") || strings.Contains(s, "OPERATOR") {
		t.Errorf("with tasks:\n%s", s)
	}
	press(m, tea.KeyMsg{Type: tea.KeyTab})
	m.Update(m.take())
	if s := m.View(); !strings.Contains(s, "job j1") {
		t.Errorf("the next job:\n%s", s)
	}
	press(m, tea.KeyMsg{Type: tea.KeyShiftTab})
	m.Update(m.take())
	if s := m.View(); !strings.Contains(s, "job j2") {
		t.Errorf("the job before:\n%s", s)
	}
	for _, k := range []tea.KeyMsg{letter('q'), {Type: tea.KeyEsc}, {Type: tea.KeyCtrlC}} {
		if !press(m, k) {
			t.Errorf("%v does not end it", k)
		}
	}
}

// TestPause: no look is taken, and the screen says so.
func TestPause(t *testing.T) {
	m := watching(t, 100, 50)
	press(m, tea.KeyMsg{Type: tea.KeySpace})
	if s := m.View(); !strings.Contains(s, "paused at ") {
		t.Errorf("paused:\n%s", s)
	}
	m.Source = source{errors.New("was looked at")}
	m.Interval = 0
	if _, cmd := m.Update(due{}); cmd() != (due{}) {
		t.Error("a look was taken")
	}
}

// TestSilentCoordinator: the last look stays on the screen, with a warning, also when it is scrolled.
func TestSilentCoordinator(t *testing.T) {
	m := watching(t, 100, 10)
	m.Source = source{errors.New("connection refused")}
	m.Update(m.take())
	press(m, tea.KeyMsg{Type: tea.KeyDown})
	if s := ansi.Strip(m.View()); !strings.Contains(s, "no answer since ") || !strings.Contains(s, "connection refused") || !strings.Contains(s, "w1") {
		t.Errorf("without an answer:\n%s", s)
	}
	m.Source = source{}
	m.Update(m.take())
	if s := m.View(); strings.Contains(s, "no answer") {
		t.Errorf("with an answer again:\n%s", s)
	}
	never := &model{ctx: t.Context(), Config: Config{Source: source{errors.New("nobody there")}, Interval: time.Second}}
	never.Update(never.take())
	if s := never.View(); !strings.Contains(s, "nobody there") {
		t.Errorf("never an answer:\n%s", s)
	}
}

// TestLateLook: one of a job that is not wanted any more is not shown.
func TestLateLook(t *testing.T) {
	m := watching(t, 100, 50)
	late := m.take().(looked)
	press(m, tea.KeyMsg{Type: tea.KeyTab})
	m.Update(m.take())
	late.look.Job.Graph = "late"
	m.Update(late)
	if s := m.View(); strings.Contains(s, "late") {
		t.Errorf("a look that came late is shown:\n%s", s)
	}
}

// TestRunEndsWithItsContext, and says why that has ended.
func TestRunEndsWithItsContext(t *testing.T) {
	why := errors.New("enough")
	ctx, cancel := context.WithCancelCause(t.Context())
	var screen bytes.Buffer
	c := Config{Source: ending{cancel, why}, Interval: time.Millisecond, Screen: &screen}
	if err := Run(ctx, c); !errors.Is(err, why) {
		t.Errorf("ended with %v", err)
	}
}

// ending ends the context once it is looked at.
type ending struct {
	cancel context.CancelCauseFunc
	why    error
}

func (e ending) Cluster(context.Context) (api.Cluster, error) {
	e.cancel(e.why)
	return api.Cluster{}, nil
}
func (ending) Workers(context.Context) ([]api.Worker, error)        { return nil, nil }
func (ending) Jobs(context.Context) ([]api.JobSummary, error)       { return nil, nil }
func (ending) Look(context.Context, string) (api.Job, error)        { return api.Job{}, nil }
func (ending) Metrics(context.Context, string) (api.Metrics, error) { return api.Metrics{}, nil }

var _ look.Source = ending{}
