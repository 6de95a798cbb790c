package top

import (
	"fmt"
	"time"

	"github.com/gdamore/tcell/v2"

	"github.com/fullspate/spate/cmd/spate/internal/look"
)

// model is what there is to be shown, and how.
type model struct {
	job         string     // that is asked for; empty for the youngest
	now, before *look.Look // between the two there are rates; nil at first
	err         error      // of the last look
	heard       time.Time  // when the coordinator answered last
	paused      bool
	tasks       bool // single tasks instead of operators
	offset      int  // lines that are scrolled away
	page        int  // lines that were shown
}

// looked is a look that was taken, for the job that was asked for then.
type looked struct {
	job  string
	look *look.Look
	err  error
}

// see takes a look over, unless another job has been asked for since.
func (m *model) see(l looked) {
	if m.err = l.err; l.err != nil || l.job != m.job {
		return
	}
	m.heard = l.look.At
	m.before, m.now = m.now, l.look
}

// key does what a key stands for, and says whether it ends the watch.
func (m *model) key(key tcell.Key, letter rune) (over bool) {
	switch key {
	case tcell.KeyEscape, tcell.KeyCtrlC:
		return true
	case tcell.KeyTab, tcell.KeyRight:
		m.turn(1)
	case tcell.KeyBacktab, tcell.KeyLeft:
		m.turn(-1)
	case tcell.KeyDown:
		m.offset++
	case tcell.KeyUp:
		m.offset--
	case tcell.KeyPgDn:
		m.offset += m.page
	case tcell.KeyPgUp:
		m.offset -= m.page
	case tcell.KeyRune:
		switch letter {
		case 'q':
			return true
		case 't':
			m.tasks = !m.tasks
		case ' ':
			m.paused = !m.paused
		}
	}
	return false
}

// turn goes to another job, which is shown from the next look on.
func (m *model) turn(by int) {
	if m.now == nil || m.now.Job == nil {
		return
	}
	jobs, current := m.now.Jobs, m.job
	if current == "" {
		current = m.now.Job.ID
	}
	for i := range jobs {
		if jobs[i].ID == current {
			m.job = jobs[(i+by+len(jobs))%len(jobs)].ID
			m.offset = 0
			return
		}
	}
}

// line is a line of the screen.
type line struct {
	text string
	kind kind
}

// kind says how a line stands out.
type kind uint8

const (
	plain kind = iota
	head
	faint
	alarm
)

// keysLine explains the keys.
const keysLine = "q quit   tab next job   t tasks/operators   space pause   ↑↓ scroll"

// screen is what is shown on so many lines: how fresh it is, as much as there is room for, and the keys.
func (m *model) screen(height int) []line {
	lines, body := m.status(), m.body()
	m.page = max(height-len(lines)-1, 0)
	m.offset = max(min(m.offset, len(body)-m.page), 0)
	lines = append(lines, body[m.offset:min(m.offset+m.page, len(body))]...)
	return append(lines, line{keysLine, faint})
}

// status says whether what is shown is fresh, if there is anything to be said about that.
func (m *model) status() []line {
	switch {
	case m.now == nil && m.err == nil:
		return []line{{"…", plain}}
	case m.now == nil:
		return []line{{m.err.Error(), alarm}}
	case m.err != nil:
		return []line{{fmt.Sprintf("no answer since %s: %v", m.heard.Local().Format(time.TimeOnly), m.err), alarm}}
	case m.paused:
		return []line{{"paused at " + m.heard.Local().Format(time.TimeOnly), alarm}}
	}
	return nil
}

// eventsShown are the last things that have happened to the job.
const eventsShown = 5

// body is the cluster and its job.
func (m *model) body() []line {
	l := m.now
	if l == nil {
		return nil
	}
	lines := append([]line{{l.Title(), head}}, section(l.WorkersTable())...)
	if l.Job == nil {
		return append(lines, line{}, line{"no job so far", plain})
	}
	lines = append(lines, line{}, line{look.JobTitle(l.Job, l.At), head})
	if f := l.Job.Failure; f != nil {
		lines = append(lines, line{look.Short(f.Message), alarm})
	}
	counters := l.OperatorsTable()
	if m.tasks {
		counters = l.TasksTable()
	}
	for _, t := range []*look.Table{counters, l.LinksTable(m.before), l.EventsTable(eventsShown)} {
		lines = append(lines, section(t)...)
	}
	return lines
}

// section is a table with an empty line before it; nothing if it has no rows.
func section(t *look.Table) []line {
	if len(t.Rows) == 0 {
		return nil
	}
	lines := []line{{}}
	for i, text := range t.Lines() {
		k := plain
		if i == 0 {
			k = head
		}
		lines = append(lines, line{text, k})
	}
	return lines
}
