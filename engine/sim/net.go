package sim

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"strings"

	"github.com/fullspate/spate/buffers"
	"github.com/fullspate/spate/engine/deploy"
	wirelink "github.com/fullspate/spate/engine/link"
	"github.com/fullspate/spate/engine/link/pipe"
	"github.com/fullspate/spate/engine/task"
)

// network is what connects the workers of a schedule that has several: for each pair of them two real links, and between
// these a pipe that delivers bytes late and in pieces, and that breaks.
type network struct {
	w     *world
	spans []*span
	cuts  int // that may still happen
}

// span is the connection between two workers.
type span struct {
	workers [2]int
	ends    [2]*spanEnd
}

// spanEnd is a worker's end of a span.
type spanEnd struct {
	net  *network
	span *span
	side int
	link *wirelink.Link
	conn *pipe.End // nil while the connection is broken, as far as this end knows
}

// span is the connection between two workers, made if it is not there.
func (net *network) span(a, b int) *span {
	if a > b {
		a, b = b, a
	}
	for _, s := range net.spans {
		if s.workers == [2]int{a, b} {
			return s
		}
	}
	s := &span{workers: [2]int{a, b}}
	for side := range s.ends {
		s.ends[side] = &spanEnd{net: net, span: s, side: side, link: wirelink.New(wirelink.Config{
			Pool: net.w.pool, Owner: "received", Peer: fmt.Sprintf("worker %d", s.workers[1-side]),
			Window: int64(net.w.nature.window), PendingBytesMax: pick(net.w.rand, 1, 1<<10, 64<<10), TurnBytes: pick(net.w.rand, 1, 1<<10, 1<<20),
		})}
	}
	net.spans = append(net.spans, s)
	return s
}

// end is the end of the connection to the worker there that is on the worker here.
func (net *network) end(here, there int) *spanEnd {
	s := net.span(here, there)
	if s.workers[0] == here {
		return s.ends[0]
	}
	return s.ends[1]
}

// feed makes the feed of a channel that crosses workers.
func (net *network) feed(dl deploy.Link, from, to *node) task.Feed {
	port := net.w.plan.Units[dl.To.Unit].Host().Ports[dl.Port]
	net.end(from.worker, to.worker).link.Send(dl.Channel, dl.From.Number, logOf(dl))
	f := net.end(to.worker, from.worker).link.Receive(dl.Channel, dl.From.Number, wirelink.ChannelSpec{
		Stream: port.Stream, PayloadSize: port.PayloadSize,
	})
	to.remote = append(to.remote, f)
	return f
}

// logOf is the sending end of a channel.
func logOf(dl deploy.Link) *buffers.Log {
	for _, e := range dl.From.Logs {
		if e.Channel == dl.Channel {
			return e.Log
		}
	}
	panic(fmt.Sprintf("BUG: channel %d is not sent by task %d", dl.Channel, dl.From.Number))
}

// connect gives a span a fresh connection.
func (net *network) connect(s *span) {
	p := pipe.New()
	p.A.Kernel, p.B.Kernel = pick(net.w.rand, 256, 4<<10, 1<<20), pick(net.w.rand, 256, 4<<10, 1<<20)
	for side, conn := range []*pipe.End{p.A, p.B} {
		e := s.ends[side]
		e.link.Detach()
		e.conn = conn
		e.link.Attach(conn)
	}
}

// done says that everything has been said and heard.
func (net *network) done() bool {
	for _, s := range net.spans {
		for _, e := range s.ends {
			if !e.link.Done() {
				return false
			}
		}
	}
	return true
}

// act has something happen to a connection. It says whether anything moved.
func (net *network) act(r *rand.Rand) (bool, error) {
	if len(net.spans) == 0 {
		return false, nil
	}
	s := net.spans[r.IntN(len(net.spans))]
	e := s.ends[r.IntN(2)]
	switch {
	case e.conn == nil:
		net.connect(s)
		return true, nil
	case net.cuts > 0 && r.IntN(100) == 0:
		net.cuts--
		net.w.report.Cuts++
		e.hangUp()
		if r.IntN(2) == 0 {
			s.ends[1-e.side].hangUp()
		}
		return true, nil
	case r.IntN(2) == 0:
		return e.flush()
	}
	n := 1 + r.IntN(4096)
	if r.IntN(4) == 0 {
		n = 1 << 30
	}
	return e.deliver(n)
}

// flush sends what there is to send.
func (e *spanEnd) flush() (bool, error) {
	if e.conn == nil {
		return false, nil
	}
	moved, _, err := e.link.Flush()
	return moved, err
}

// deliver lets bytes arrive that the end has written.
func (e *spanEnd) deliver(n int) (bool, error) {
	far := e.span.ends[1-e.side]
	if e.conn == nil || far.conn == nil || e.conn.Deliver(n) == 0 {
		return false, nil
	}
	for _, n := range e.net.w.nodes {
		if n.worker == e.span.workers[far.side] {
			n.idle = false
		}
	}
	return true, far.link.Traffic()
}

// hangUp loses the end's connection. What was under way is lost.
func (e *spanEnd) hangUp() {
	e.link.Detach()
	e.conn = nil
}

// sweep makes everything arrive that can.
func (net *network) sweep() error {
	for _, s := range net.spans {
		if s.ends[0].conn == nil || s.ends[1].conn == nil {
			net.connect(s)
			net.w.moves++
		}
		for _, e := range s.ends {
			sent, err := e.flush()
			arrived, err2 := e.deliver(1 << 30)
			if err := errors.Join(err, err2); err != nil {
				return err
			}
			if sent || arrived {
				net.w.moves++
			}
		}
	}
	return nil
}

func (net *network) close() {
	for _, s := range net.spans {
		for _, e := range s.ends {
			e.link.Close()
		}
	}
}

// dump shows the connections.
func (net *network) dump(b *strings.Builder) {
	for _, s := range net.spans {
		for side, e := range s.ends {
			fmt.Fprintf(b, "worker %d → worker %d: connected %v, done %v, %+v\n", s.workers[side], s.workers[1-side], e.conn != nil, e.link.Done(), e.link.Stats())
		}
	}
}
