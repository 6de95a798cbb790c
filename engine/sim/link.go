package sim

import (
	"math/rand/v2"

	"github.com/fullspate/spate/buffers"
	"github.com/fullspate/spate/engine/deploy"
	"github.com/fullspate/spate/engine/internal/mutant"
	"github.com/fullspate/spate/engine/task"
	"github.com/fullspate/spate/wire"
)

// link is a channel's way over the network: it copies frames out of a log and delivers them, and frontiers, in order but
// late and in chunks. It is the consumer's Feed.
type link struct {
	w        *world
	from, to *node
	port     int
	cursor   *buffers.Cursor // nil once the sender is lost

	flight []message // sent, not delivered
	ready  []message // delivered, not taken
	lent   []message // taken, not acknowledged
	start  wire.Time // of the channel
	end    wire.Time // of the channel: where its successor takes over
	front  wire.Time
	polled wire.Time // the last frontier sent
	acked  wire.Time
	told   wire.Time // acknowledgement that the sender has heard of
	eoi    wire.Time
	ending bool
}

// message is a frame or, where data is nil, a frontier.
type message struct {
	data   []byte
	first  int
	last   wire.Time
	front  wire.Time
	eoi    wire.Time
	ending bool
}

// feed makes the link for a channel that is being opened.
func (w *world) feed(dl deploy.Link, cur *buffers.Cursor) task.Feed {
	from, to := w.node(dl.From), w.node(dl.To)
	if from.worker != to.worker {
		cur.Close() // the log is read by the connection's
		return w.net.feed(dl, from, to)
	}
	return w.link(from, to, dl.Port, cur)
}

func (w *world) link(from, to *node, port int, cur *buffers.Cursor) *link {
	l := &link{w: w, from: from, to: to, port: port, cursor: cur, end: wire.TimeMax}
	w.links = append(w.links, l)
	to.in = append(to.in, l)
	return l
}

// begin sets where the link's channel begins.
func (l *link) begin(from wire.Time) {
	l.start, l.end, l.acked, l.told = from, wire.TimeMax, from, from
}

// Poll is the frontier delivered.
func (l *link) Poll() wire.Time { return l.front }

// Ending is the logical end of the input, if that has been delivered.
func (l *link) Ending() (wire.Time, bool) { return l.eoi, l.ending }

// Next takes the next frame delivered.
func (l *link) Next() (buffers.Frame, bool) {
	if len(l.ready) == 0 {
		return buffers.Frame{}, false
	}
	m := l.ready[0]
	l.ready = shift(l.ready, 1)
	l.lent = append(l.lent, m)
	return buffers.Frame{Data: m.data, First: m.first}, true
}

// Ack overwrites what the consumer may not look at any more.
func (l *link) Ack(t wire.Time) {
	l.acked = t
	n := 0
	for n < len(l.lent) && l.lent[n].last < t {
		l.w.release(l.lent[n].data)
		n++
	}
	l.lent = shift(l.lent, n)
}

// Trim has nothing to do: the simulator tells senders itself, when it decides to.
func (l *link) Trim(wire.Time) {}

// HalfFull is not asked: the simulator asks for checkpoints itself.
func (l *link) HalfFull() bool { return false }

// Close ends the link.
func (l *link) Close() { l.drop() }

// Err is never set: what a cursor fails with fails the run.
func (l *link) Err() error { return nil }

// shift drops the first n, in place.
func shift(list []message, n int) []message {
	if n == 0 {
		return list
	}
	rest := copy(list, list[n:])
	clear(list[rest:])
	return list[:rest]
}

// send puts up to n frames on their way, and the frontier once there are no more. It says whether anything was sent.
func (l *link) send(n int) (moved bool, err error) {
	if l.cursor == nil {
		return false, nil
	}
	if l.told != l.acked {
		l.told = l.acked
		l.cursor.Ack(l.acked)
		moved = true
	}
	front := l.cursor.Poll()
	eoi, ending := l.cursor.Ending()
	for range n {
		f, ok := l.cursor.Next()
		if !ok {
			if front > l.polled {
				l.polled, moved = front, true
				l.flight = append(l.flight, message{front: front, eoi: eoi, ending: ending})
			}
			return moved, l.cursor.Err()
		}
		h := wire.HeaderOf(f.Data)
		m := message{data: l.w.room(len(f.Data)), first: f.First, last: h.Last, front: h.Frontier, eoi: eoi, ending: ending}
		copy(m.data, f.Data)
		l.flight = append(l.flight, m)
		moved = true
	}
	return moved, nil
}

// deliver hands over up to n messages. It says whether there were any.
func (l *link) deliver(n int) bool {
	n = min(n, len(l.flight))
	if mutant.Active == mutant.FrontierFirst && n > 0 && n < len(l.flight) {
		l.front = max(l.front, l.flight[n].front)
	}
	for _, m := range l.flight[:n] {
		l.front = max(l.front, m.front)
		if m.ending {
			l.eoi, l.ending = m.eoi, true
		}
		if m.data != nil {
			l.ready = append(l.ready, m)
		}
	}
	l.flight = shift(l.flight, n)
	l.to.idle = l.to.idle && n == 0
	return n > 0
}

// busy says that there is something to send or to deliver.
func (l *link) busy() bool {
	return len(l.flight) > 0 || l.cursor != nil && (l.cursor.Poll() > l.polled || l.told != l.acked)
}

// act sends or delivers a random amount.
func (l *link) act(r *rand.Rand) (bool, error) {
	if len(l.flight) > 0 && r.IntN(2) == 0 {
		return l.deliver(1 + r.IntN(l.w.nature.chunk)), nil
	}
	return l.send(1 + r.IntN(l.w.nature.chunk))
}

// cut ends the link at the sender's loss: what was delivered stays, the rest is gone.
func (l *link) cut() {
	l.cursor = nil
	for _, m := range l.flight {
		if m.data != nil {
			l.w.release(m.data)
		}
	}
	l.flight = l.flight[:0]
}

// drop ends the link at the consumer's loss, or once its channel is over.
func (l *link) drop() {
	if l.cursor != nil {
		l.cursor.Close()
	}
	l.cut()
	for _, list := range [][]message{l.ready, l.lent} {
		for _, m := range list {
			l.w.release(m.data)
		}
	}
	l.ready, l.lent = nil, nil
}

// roomBytes is the size of buffers that are kept for use again.
const roomBytes = 1 << 10

// room is a buffer for a frame, 8-aligned as every allocation of that size.
func (w *world) room(n int) []byte {
	if n > roomBytes {
		return make([]byte, n)
	}
	if k := len(w.rooms); k > 0 {
		b := w.rooms[k-1]
		w.rooms = w.rooms[:k-1]
		return b[:n]
	}
	return make([]byte, n, roomBytes)
}

// release takes a buffer back and makes sure that nobody can go on reading it.
func (w *world) release(b []byte) {
	for i := range b {
		b[i] = 0xCC
	}
	if cap(b) == roomBytes {
		w.rooms = append(w.rooms, b)
	}
}

var _ task.Feed = (*link)(nil)
