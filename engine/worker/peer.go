package worker

import (
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"sync/atomic"
	"time"

	"github.com/fullspate/spate/buffers"
	"github.com/fullspate/spate/engine/auth"
	"github.com/fullspate/spate/engine/control"
	"github.com/fullspate/spate/engine/link"
	"github.com/fullspate/spate/engine/reactor"
	"github.com/fullspate/spate/wire"
)

// peer is a lane's connection to a lane of another worker. It belongs to the lane's reactor.
type peer struct {
	lane    *lane
	far     far
	host    control.Host
	link    *link.Link
	conn    reactor.Conn // nil while there is none
	stirred bool         // the link has heard something, or had more to say, since it was flushed last
	dialing bool
	broken  uint64      // how often the connection was lost
	gone    atomic.Bool // the other worker is lost
}

// note is what a data connection says of itself when it is authenticated.
type note struct {
	Job      string `json:"job"`
	Epoch    uint64 `json:"epoch"`
	Worker   string `json:"worker"` // that dials
	Loop     int    `json:"loop"`
	FarLoop  int    `json:"far_loop"`
	Receiver uint64 `json:"receiver"` // incarnation that is called
}

// Pauses between attempts to dial, and how long one that fails goes on before the coordinator is told.
const (
	dialPauseFirst = 5 * time.Millisecond
	dialPauseMax   = 200 * time.Millisecond
	dialTimeout    = 2 * time.Second
	tellLostAfter  = 100 * time.Millisecond
	tellLostEvery  = time.Second
)

// dial makes the connection, if it is for this end to make it.
func (p *peer) dial() {
	j := p.lane.job
	if p.dialing || p.lane.over || p.conn != nil || p.far.worker < j.self || p.gone.Load() {
		return
	}
	p.dialing = true
	j.dials.Go(func() { p.call() })
}

// call dials until there is a connection or none is wanted any more, on a goroutine of its own.
func (p *peer) call() {
	j := p.lane.job
	since := time.Now()
	tell := since.Add(tellLostAfter)
	for pause := dialPauseFirst; !p.gone.Load(); pause = min(2*pause, dialPauseMax) {
		nc, _, err := j.w.dialData(j.ctx, p.host.Addr, p.hello())
		if err == nil {
			if err = p.lane.reactor.Enroll(nc, p); err == nil {
				return
			}
			nc.Close()
		}
		if now := time.Now(); now.After(tell) {
			tell = now.Add(tellLostEvery)
			j.w.peerLost(j, p.host.Worker, now.Sub(since), err)
		}
		select {
		case <-j.ctx.Done():
			return
		case <-time.After(pause):
		}
	}
}

// hello is what a connection says of itself now.
func (p *peer) hello() auth.Hello {
	j := p.lane.job
	text, err := json.Marshal(note{
		Job: j.name, Epoch: j.epoch.Load(), Worker: j.w.id, Loop: p.lane.index, FarLoop: p.far.loop, Receiver: p.host.Incarnation,
	})
	if err != nil {
		panic("BUG: " + err.Error())
	}
	return auth.Hello{Cluster: *j.w.clusterID.Load(), Incarnation: j.w.incarnation, Purpose: wire.PurposeData, Note: text}
}

// Open takes a connection over. An older one that has not ended yet is given up for it: the other end has done so.
func (p *peer) Open(c reactor.Conn) {
	p.dialing = false
	if p.lane.over || p.gone.Load() {
		c.Close(nil)
		return
	}
	if old := p.conn; old != nil {
		p.conn = nil
		p.link.Detach()
		old.Close(fmt.Errorf("replaced by a newer connection"))
	}
	p.conn = c
	p.link.Attach(c)
	p.stirred = true
	p.lane.reactor.Wake()
}

// Traffic takes over what has arrived.
func (p *peer) Traffic(c reactor.Conn) error {
	if c != p.conn {
		return net.ErrClosed
	}
	p.stirred = true
	return p.link.Traffic()
}

// Closed keeps what has been received completely and has the connection made again.
func (p *peer) Closed(c reactor.Conn, err error) {
	if c != p.conn {
		return // it was replaced
	}
	p.conn = nil
	p.link.Detach()
	if p.lane.over {
		return
	}
	p.broken++
	if trimmed := (*buffers.TrimmedError)(nil); errors.As(err, &trimmed) {
		p.lane.fail(fmt.Errorf("a task that was brought back wants from worker %s what is not there any more: its newest checkpoint is lost: %w", p.lane.job.w.id, err))
		return
	}
	j, level := p.lane.job, slog.LevelWarn
	if p.lane.done {
		level = slog.LevelDebug // everything is said and heard: the other end was released first
	}
	j.w.log.Log(j.ctx, level, "data connection lost", "job", j.order.Job, "peer", p.host.Worker, "loop", p.lane.index, "error", err)
	p.dial()
}

// flush sends what there is to send: nothing, if neither a task of the lane nor the peer has done anything since. again says
// that it should be called soon though nothing arrives.
func (p *peer) flush(worked bool) (moved, again bool) {
	if p.conn == nil || !worked && !p.stirred {
		return false, false
	}
	moved, again, err := p.link.Flush()
	p.stirred = again
	if err != nil {
		p.conn.Close(err)
	}
	return moved, again
}

// stir has the next step flush all links.
func (l *lane) stir() {
	for _, p := range l.order {
		p.stirred = true
	}
}

// hangUp ends the connection for good.
func (p *peer) hangUp() {
	if c := p.conn; c != nil {
		p.conn = nil
		p.link.Detach()
		c.Close(nil)
	}
}
