package sim

import (
	"fmt"
	"strings"
)

// dump shows all workers, their tasks, links and what is under way.
func (c *crew) dump() string {
	var b strings.Builder
	fmt.Fprintf(&b, "at %v, epoch %d, gone %v, %d errands\n", c.now, c.boss.order.Epoch, c.boss.order.Gone, len(c.errands))
	for i, m := range c.members {
		if m == nil {
			fmt.Fprintf(&b, "w%d is not there yet\n", i)
			continue
		}
		fmt.Fprintf(&b, "%v %v, %v, epoch %d, started %v\n", m, [...]string{"lives", "is a zombie", "is dead"}[m.life], m.where(), m.order.Epoch, m.started)
		if m.life == dead {
			continue
		}
		if m.back != nil {
			fmt.Fprintf(&b, "  brings back %d tasks, has made %d, waits for %d answers\n", len(m.back.tasks), len(m.back.made), m.back.asked)
		}
		if m.taker != nil {
			fmt.Fprintf(&b, "  checkpoints: done %v, %+v\n", m.taker.Done(), m.taker.Stats())
		}
		for _, a := range m.active {
			fmt.Fprintf(&b, "  %v at %v, durable %v, done %v\n", a.id, a.Position(), a.DurableAt(), a.done)
			for _, ch := range a.Channels() {
				fmt.Fprintf(&b, "    ← port %d, up %016x, from %v to %v\n", ch.ID.Port, ch.ID.Up, ch.Start, ch.End)
			}
			for _, e := range a.Logs {
				fmt.Fprintf(&b, "    → channel %d: %d bytes, full %v, trimmed to %v, frontier %v\n", e.Channel, e.Log.Bytes(), e.Log.Full(), e.Log.TrimPoint(), e.Log.Frontier())
			}
		}
		for _, e := range m.links {
			fmt.Fprintf(&b, "  link to w%d: connected %v, done %v, %+v\n", e.far, e.conn != nil, e.link.Done(), e.link.Stats())
		}
	}
	return b.String()
}
