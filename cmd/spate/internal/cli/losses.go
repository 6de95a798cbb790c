package cli

import (
	"fmt"
	"io"
	"time"

	"github.com/fullspate/spate/cmd/spate/internal/look"
	"github.com/fullspate/spate/engine/coordinator"
	"github.com/fullspate/spate/engine/coordinator/api"
)

// writeLosses prints what a failed job has lost with workers.
func writeLosses(w io.Writer, losses []coordinator.Loss) {
	for _, l := range losses {
		writeLoss(w, api.LossOf(l))
	}
}

// writeLoss prints what a job has lost with a worker: when, and how far each task had come as far as is known.
func writeLoss(w io.Writer, l api.Loss) {
	after := time.Duration(l.AfterMS * float64(time.Millisecond)).Round(time.Millisecond)
	fmt.Fprintf(w, "lost         worker %s, pid %d, %s: %s\n", l.Worker, l.PID, l.Address, l.Reason)
	fmt.Fprintf(w, "             heard last at %s, given up %v later, and with it\n", l.Heard.Local().Format("15:04:05.000"), after)
	tasks := &look.Table{Head: []string{"", ""}}
	for _, t := range l.Tasks {
		position := "position unknown"
		if t.Position != nil {
			position = "at " + *t.Position
		}
		tasks.Rows = append(tasks.Rows, []string{fmt.Sprintf("%s/%d", t.Operator, t.Task), position})
	}
	for _, line := range tasks.Lines()[1:] {
		fmt.Fprintf(w, "             %s\n", line)
	}
}
