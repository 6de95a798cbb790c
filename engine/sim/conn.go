package sim

import (
	"errors"
	"slices"

	"github.com/fullspate/spate/buffers"
	wirelink "github.com/fullspate/spate/engine/link"
	"github.com/fullspate/spate/engine/link/pipe"
)

// end is a worker's end of what is between it and another.
type end struct {
	m    *member
	far  int // index of the other worker
	link *wirelink.Link
	conn *pipe.End // nil while there is no connection, as far as this end knows
	pipe *pipe.Pipe
}

// to is the worker's end of what is between it and another, made if it is not there.
func (m *member) to(far int) *end {
	for _, e := range m.links {
		if e.far == far {
			return e
		}
	}
	c := m.c
	e := &end{m: m, far: far, link: wirelink.New(wirelink.Config{
		Pool: c.pool, Owner: "received", Peer: hostOf(far).Worker, Window: int64(c.nature.window), Durable: true,
		EarlyMax: c.plan.Channels(), PendingBytesMax: pick(c.rand, 1, 1<<10, 64<<10), TurnBytes: pick(c.rand, 1, 1<<10, 1<<20),
	})}
	m.links = append(m.links, e)
	c.ends = append(c.ends, e)
	return e
}

// opposite is the other end, nil if there is none that would take a connection: that worker is not there, has not followed the
// same order, or has given this one up.
func (e *end) opposite() *end {
	far := e.m.c.members[e.far]
	if far == nil || far.life == dead || far.order.Epoch != e.m.order.Epoch {
		return nil
	}
	for _, o := range far.links {
		if o.far == e.m.index {
			return o
		}
	}
	return nil
}

// carry has something happen to a connection.
func (c *crew) carry() error {
	if len(c.ends) == 0 {
		return nil
	}
	e := c.ends[c.rand.IntN(len(c.ends))]
	for i := 0; i < tries && e.quiet(); i++ {
		e = c.ends[c.rand.IntN(len(c.ends))]
	}
	switch {
	case e.conn == nil:
		return e.connect()
	case e.m.life != dead && c.rand.IntN(2) == 0:
		return e.flush()
	case e.m.life == dead && c.rand.IntN(20) == 0:
		e.broken()
		return nil
	}
	n := 1 + c.rand.IntN(2048)
	if c.rand.IntN(4) == 0 {
		n = 1 << 30
	}
	return e.deliver(n)
}

// quiet says that nothing would come of carrying.
func (e *end) quiet() bool {
	return e.m.life == dead && e.conn == nil
}

// connect makes a connection, if the other end takes it.
func (e *end) connect() error {
	o := e.opposite()
	if o == nil || e.m.life == dead || !slices.Contains(e.m.links, e) {
		return nil
	}
	p, c := pipe.New(), e.m.c
	p.A.Kernel, p.B.Kernel = pick(c.rand, 256, 4<<10, 1<<20), pick(c.rand, 256, 4<<10, 1<<20)
	o.hangUp()
	for _, x := range []struct {
		e    *end
		conn *pipe.End
	}{{e, p.A}, {o, p.B}} {
		x.e.conn, x.e.pipe = x.conn, p
		x.e.link.Attach(x.conn)
	}
	c.moves++
	return nil
}

// peer is the end of the same connection, nil if it has been hung up there.
func (e *end) peer() *end {
	for _, o := range e.m.c.ends {
		if o != e && o.pipe == e.pipe && o.conn != nil {
			return o
		}
	}
	return nil
}

// flush sends what there is to send.
func (e *end) flush() error {
	if e.conn == nil || !e.m.started {
		return nil
	}
	moved, _, err := e.link.Flush()
	if moved {
		e.m.c.moves++
	}
	return e.judge(err)
}

// deliver lets bytes arrive that the end has written.
func (e *end) deliver(n int) error {
	o := e.peer()
	if o == nil || e.conn.Deliver(n) == 0 {
		return nil
	}
	o.m.stir()
	return o.judge(o.link.Traffic())
}

// judge closes the connection after an error, as a worker does.
func (e *end) judge(err error) error {
	if err == nil {
		return nil
	}
	if e.m.c.chance(50) { // what was said of the error reaches the other end, or not
		if o := e.peer(); o != nil && e.conn.Deliver(1<<30) > 0 {
			_ = o.link.Traffic() // it is the end of that, too
		}
	}
	e.broken()
	if trimmed := (*buffers.TrimmedError)(nil); errors.As(err, &trimmed) {
		return e.m.c.guard.failed(e.m, err)
	}
	if fault := (*wirelink.FaultError)(nil); errors.As(err, &fault) {
		return nil
	}
	return err
}

// broken ends a connection at both ends.
func (e *end) broken() {
	if o := e.peer(); o != nil {
		o.hangUp()
	}
	e.hangUp()
	e.m.c.moves++
}

// hangUp loses the end's connection. What was under way is lost.
func (e *end) hangUp() {
	if e.conn == nil {
		return
	}
	e.conn, e.pipe = nil, nil
	if e.m.life != dead {
		e.link.Detach()
	}
}

// lose gives up the connections to workers that are gone. What they brought can be consumed still.
func (m *member) lose(gone []int) {
	m.links = slices.DeleteFunc(m.links, func(e *end) bool {
		if !slices.Contains(gone, e.far) {
			return false
		}
		e.broken()
		e.link.Abandon()
		m.lost = append(m.lost, e)
		return true
	})
}

// forgetLost gives back what is left of connections to workers that are gone, once it is consumed.
func (m *member) forgetLost() {
	m.lost = slices.DeleteFunc(m.lost, func(e *end) bool {
		if !e.link.Released() {
			return false
		}
		e.link.Close()
		return true
	})
}

// carryAll makes everything arrive that can.
func (c *crew) carryAll() error {
	c.ends = slices.DeleteFunc(c.ends, func(e *end) bool { return e.conn == nil && !slices.Contains(e.m.links, e) })
	for i := 0; i < len(c.ends); i++ {
		e := c.ends[i]
		var errs []error
		if e.conn == nil {
			errs = append(errs, e.connect())
		}
		if e.m.life != dead {
			errs = append(errs, e.flush())
		}
		if e.conn != nil {
			errs = append(errs, e.deliver(1<<30))
		}
		if err := errors.Join(errs...); err != nil {
			return err
		}
		if e.conn != nil && (e.m.life == dead || e.peer() == nil) {
			e.broken()
		}
	}
	return nil
}
