package top

import (
	"context"
	"slices"
	"time"

	tea "github.com/charmbracelet/bubbletea"

	"github.com/fullspate/spate/cmd/spate/internal/look"
)

// model is what is on the screen. Bubbletea calls its methods from one goroutine; what they return as commands runs on others.
type model struct {
	Config
	ctx           context.Context
	now, before   *look.Look // of before there are rates; both nil at first
	err           error      // of the last look
	heard         time.Time  // when the coordinator answered last
	paused        bool
	tasks         bool // single tasks instead of operators
	width, height int
	offset        int // lines that are scrolled away
}

// looked is a look that was taken, for the job that was asked for then.
type looked struct {
	job  string
	look *look.Look
	err  error
}

// due says that it is time for the next look.
type due struct{}

// Init takes the first look.
func (m *model) Init() tea.Cmd { return m.take }

// take looks at the cluster, on a goroutine of its own.
func (m *model) take() tea.Msg {
	ctx, cancel := context.WithTimeout(m.ctx, max(2*m.Interval, lookTimeout))
	defer cancel()
	l, err := look.Take(ctx, m.Source, m.Job)
	return looked{m.Job, l, err}
}

// lookTimeout is how long an answer is waited for, at least.
const lookTimeout = 3 * time.Second

func (m *model) next() tea.Cmd {
	return tea.Tick(m.Interval, func(time.Time) tea.Msg { return due{} })
}

// Update takes what has happened.
func (m *model) Update(msg tea.Msg) (tea.Model, tea.Cmd) {
	switch msg := msg.(type) {
	case tea.WindowSizeMsg:
		m.width, m.height = msg.Width, msg.Height
	case due:
		if m.paused {
			return m, m.next()
		}
		return m, m.take
	case looked:
		m.see(msg)
		return m, m.next()
	case tea.KeyMsg:
		return m, m.key(msg.String())
	}
	return m, nil
}

// see takes a look over, unless another job has been asked for since.
func (m *model) see(l looked) {
	if m.err = l.err; l.err != nil || l.job != m.Job {
		return
	}
	m.heard = l.look.At
	m.before, m.now = m.now, l.look
}

// key does what a key stands for.
func (m *model) key(name string) tea.Cmd {
	switch name {
	case "q", "esc", "ctrl+c":
		return tea.Quit
	case "t":
		m.tasks = !m.tasks
	case " ", "p":
		m.paused = !m.paused
	case "tab", "right", "l":
		m.turn(1)
	case "shift+tab", "left", "h":
		m.turn(-1)
	case "down", "j":
		m.offset++
	case "up", "k":
		m.offset--
	case "pgdown":
		m.offset += m.height / 2
	case "pgup":
		m.offset -= m.height / 2
	}
	return nil
}

// turn goes to another job, which is shown from the next look on.
func (m *model) turn(by int) {
	if m.now == nil || m.now.Job == nil {
		return
	}
	jobs := m.now.Jobs
	current := m.Job
	if current == "" {
		current = m.now.Job.ID
	}
	for i := range jobs {
		if jobs[i].ID == current {
			m.Job = jobs[(i+by+len(jobs))%len(jobs)].ID
			m.offset = 0
			return
		}
	}
}

// View is the screen.
func (m *model) View() string { return m.screen() }

// clamp keeps the offset within what there is.
func (m *model) clamp(lines, room int) int {
	m.offset = max(min(m.offset, lines-room), 0)
	return m.offset
}

// window is the part of the lines that is shown.
func (m *model) window(lines []string, room int) []string {
	from := m.clamp(len(lines), room)
	return slices.Clone(lines[from:min(from+max(room, 0), len(lines))])
}
