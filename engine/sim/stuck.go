package sim

import (
	"fmt"
	"strings"

	"github.com/fullspate/spate/wire"
)

// StuckError says that a schedule came to a point from which nothing can move before the input has ended.
type StuckError struct {
	Picture string // of all tasks: positions, holds, frontiers, logs
}

// Error shows the picture.
func (e *StuckError) Error() string {
	return "stuck: nothing can move and not all tasks are done\n" + e.Picture
}

// String names the link by its ends.
func (l *link) String() string { return fmt.Sprintf("%v→%v:%d", l.from, l.to, l.port) }

func (w *world) dump() string {
	var b strings.Builder
	for _, n := range w.nodes {
		fmt.Fprintf(&b, "%v at %v", n, n.t.Position())
		if n.durable != nil {
			fmt.Fprintf(&b, ", durable %v", n.durable.Position)
		}
		for _, is := range []struct {
			on   bool
			word string
		}{{n.down, "down"}, {n.done, "done"}, {n.held, "held"}, {n.asked, "asked"}, {n.trimming, "trimming"}, {n.freeze != nil, "freezing"}} {
			if is.on {
				b.WriteString(", " + is.word)
			}
		}
		b.WriteByte('\n')
		for _, l := range n.in {
			fmt.Fprintf(&b, "  ← %v: frontier %v, from %v, %d lent, %d delivered, %d in flight", l, l.front, l.start, len(l.lent), len(l.ready), len(l.flight))
			if l.cursor == nil {
				b.WriteString(", cut")
			}
			b.WriteByte('\n')
		}
		if n.down {
			continue
		}
		for _, e := range n.t.Logs {
			state := ""
			if e.Log.Full() {
				state = ", full"
			} else if e.Log.HalfFull() {
				state = ", half full"
			}
			front := e.Log.Frontier().String()
			if e.Log.Frontier() == wire.TimeMax {
				front = "∞"
			}
			fmt.Fprintf(&b, "  → %v:%d: log of %d bytes%s, trimmed to %v, frontier %s\n", w.node(e.To), e.Port, e.Log.Bytes(), state, e.Log.TrimPoint(), front)
		}
	}
	if w.net != nil {
		w.net.dump(&b)
	}
	return b.String()
}
