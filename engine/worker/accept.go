package worker

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"time"

	"github.com/fullspate/spate/engine/auth"
	"github.com/fullspate/spate/engine/control"
	"github.com/fullspate/spate/wire"
)

// accept hands an authenticated data connection to the lane that it is for. One that is for no lane is closed: who dialled
// tries again, since it may only be early.
func (w *Worker) accept(nc net.Conn, from auth.Peer) {
	p, err := w.peerFor(from)
	if err == nil {
		err = p.lane.reactor.Enroll(nc, p)
	}
	if err != nil {
		w.log.Debug("data connection refused", "from", from.Addr, "error", err)
		nc.Close()
	}
}

// peerFor finds the end of a connection that a data connection is the other end of.
func (w *Worker) peerFor(from auth.Peer) (*peer, error) {
	var n note
	if from.Purpose != wire.PurposeData {
		return nil, fmt.Errorf("a connection for %v, want data", from.Purpose)
	}
	if err := json.Unmarshal(from.Note, &n); err != nil {
		return nil, fmt.Errorf("note of a data connection: %w", err)
	}
	if n.Receiver != w.incarnation {
		return nil, fmt.Errorf("a connection for incarnation %x, this is %x", n.Receiver, w.incarnation)
	}
	j := w.job(n.Job, n.Epoch)
	if j == nil || j.closed || j.phase == control.PhaseDeployed && !j.order.Recovers {
		return nil, fmt.Errorf("job %s, epoch %d, does not run here", n.Job, n.Epoch)
	}
	if n.FarLoop < 0 || n.FarLoop >= len(j.lanes) || j.lanes[n.FarLoop] == nil {
		return nil, fmt.Errorf("job %s has nothing on loop %d", n.Job, n.FarLoop)
	}
	for at, p := range j.lanes[n.FarLoop].links {
		if p.host.Worker == n.Worker && p.host.Incarnation == from.Incarnation && at.loop == n.Loop {
			return p, nil
		}
	}
	return nil, fmt.Errorf("job %s has no channel between loop %d and loop %d of %s", n.Job, n.FarLoop, n.Loop, n.Worker)
}

// dialData makes an authenticated data connection.
func (w *Worker) dialData(ctx context.Context, addr string, hello auth.Hello) (net.Conn, auth.Peer, error) {
	ctx, cancel := context.WithTimeout(ctx, dialTimeout)
	defer cancel()
	nc, peer, err := auth.Dial(ctx, addr, w.cfg.Secret, hello)
	if err != nil {
		return nil, peer, fmt.Errorf("data connection to %s: %w", addr, err)
	}
	return nc, peer, nil
}

// peerLost tells the coordinator that another worker cannot be reached, and for how long that has been so.
func (w *Worker) peerLost(j *job, peer string, down time.Duration, err error) {
	if errors.Is(err, context.Canceled) {
		return
	}
	w.post(func() {
		if w.job(j.order.Job, j.order.Epoch) == j && j.phase == control.PhaseRunning {
			w.tell(&control.PeerLost{Job: j.order.Job, Epoch: j.order.Epoch, Peer: peer, Down: down, Reason: err.Error()})
		}
	})
}
