package cli

import (
	"fmt"
	"io"
	"text/tabwriter"
	"time"

	"github.com/fullspate/spate/engine/coordinator"
)

// writeLosses prints what a job has lost with workers: who, when, and how far each task had come as far as is known.
func writeLosses(w io.Writer, losses []coordinator.Loss) {
	for _, l := range losses {
		fmt.Fprintf(w, "lost         worker %s, pid %d, %s: %s\n", l.Worker, l.PID, l.Addr, l.Reason)
		fmt.Fprintf(w, "             heard last at %s, given up %v later, and with it\n",
			l.Heard.Local().Format("15:04:05.000"), l.After.Round(time.Millisecond))
		t := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
		for _, task := range l.Tasks {
			position := "position unknown"
			if task.Reported {
				position = "at " + task.Position.String()
			}
			fmt.Fprintf(t, "               %s/%d\t%s\n", task.Operator, task.Task, position)
		}
		t.Flush() // as w does: who prints to a terminal cannot do better than try
	}
}
