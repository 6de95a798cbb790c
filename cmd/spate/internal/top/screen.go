package top

import (
	"fmt"
	"strings"
	"time"

	"github.com/charmbracelet/lipgloss"
	"github.com/charmbracelet/x/ansi"

	"github.com/fullspate/spate/cmd/spate/internal/look"
)

var (
	headStyle  = lipgloss.NewStyle().Bold(true)
	faintStyle = lipgloss.NewStyle().Faint(true)
	alarmStyle = lipgloss.NewStyle().Bold(true).Foreground(lipgloss.Color("1"))
)

// keysLine explains the keys.
const keysLine = "q quit   tab next job   t tasks/operators   space pause   ↑↓ scroll"

// screen is what is shown: how fresh it is, as much as there is room for, and the keys in the last line.
func (m *model) screen() string {
	lines, body := m.status(), m.body()
	room := m.height - len(lines) - 1
	if m.height == 0 { // before the terminal has told
		room = len(body)
	}
	lines = append(append(lines, m.window(body, room)...), faintStyle.Render(keysLine))
	if m.width > 0 {
		for i := range lines {
			lines[i] = ansi.Truncate(lines[i], m.width, "…")
		}
	}
	return strings.Join(lines, "\n")
}

// status says whether what is shown is fresh.
func (m *model) status() []string {
	switch {
	case m.now == nil && m.err == nil:
		return []string{"…"}
	case m.now == nil:
		return []string{alarmStyle.Render(m.err.Error())}
	case m.err != nil:
		return []string{alarmStyle.Render(fmt.Sprintf("no answer since %s: %v", m.heard.Local().Format(time.TimeOnly), m.err))}
	case m.paused:
		return []string{alarmStyle.Render("paused at " + m.heard.Local().Format(time.TimeOnly))}
	}
	return nil
}

// body is the cluster and its job.
func (m *model) body() []string {
	l := m.now
	if l == nil {
		return nil
	}
	lines := []string{headStyle.Render(l.Title())}
	lines = append(lines, section(l.WorkersTable())...)
	if l.Job == nil {
		return append(lines, "", "no job so far")
	}
	lines = append(lines, "", headStyle.Render(look.JobTitle(l.Job, l.At)))
	if f := l.Job.Failure; f != nil {
		lines = append(lines, alarmStyle.Render(look.Short(f.Message)))
	}
	counters := l.OperatorsTable()
	if m.tasks {
		counters = l.TasksTable()
	}
	lines = append(lines, section(counters)...)
	lines = append(lines, section(l.LinksTable(m.before))...)
	return append(lines, section(l.EventsTable(eventsShown))...)
}

// eventsShown are the last things that have happened to the job.
const eventsShown = 5

// section is a table with an empty line before it; nothing if it has no rows.
func section(t *look.Table) []string {
	if len(t.Rows) == 0 {
		return nil
	}
	lines := t.Lines()
	lines[0] = headStyle.Render(lines[0])
	return append([]string{""}, lines...)
}
