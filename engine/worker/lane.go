package worker

import (
	"errors"
	"fmt"
	"runtime/debug"
	"slices"
	"sync"
	"time"

	"github.com/fullspate/spate/buffers"
	"github.com/fullspate/spate/engine"
	"github.com/fullspate/spate/engine/checkpoint"
	"github.com/fullspate/spate/engine/control"
	"github.com/fullspate/spate/engine/deploy"
	"github.com/fullspate/spate/engine/graph"
	"github.com/fullspate/spate/engine/link"
	"github.com/fullspate/spate/engine/loop"
	"github.com/fullspate/spate/engine/reactor"
	"github.com/fullspate/spate/engine/task"
)

// lane is what a job has on one of the worker's loops. It belongs to the reactor's goroutine from begin to end.
type lane struct {
	job     *job
	index   int // among the worker's loops
	reactor *reactor.Reactor
	loop    *loop.Loop
	links   map[far]*peer
	order   []*peer           // links, in the order in which they were made
	lost    []*peer           // to workers that are gone, until what they brought is consumed
	taker   *checkpoint.Taker // nil where no checkpoints are taken
	mute    []*deploy.Task    // of its tasks
	level   bool              // they have caught up, and the desk knows
	retired []*deploy.Task    // that have left, until nobody reads what they have emitted
	begun   bool
	ran     bool // all tasks have come to their end
	done    bool // everything has been said and heard, too
	over    bool // nothing is stepped any more

	mu     sync.Mutex
	counts []link.Stats     // by order, as last published; guarded by mu
	broken []uint64         // guarded by mu
	kept   checkpoint.Stats // as last published; guarded by mu
	told   time.Duration
}

// far names a lane of another worker: indexes into Deploy.Workers and among that worker's loops.
type far struct{ worker, loop int }

// countEvery bounds how old the counters of connections are that others see.
const countEvery = 20 * time.Millisecond

// to is the connection to a lane of another worker, made if it is not there.
func (l *lane) to(s control.Slot) *peer {
	at := far{s.Worker, s.Loop}
	p := l.links[at]
	if p == nil {
		j := l.job
		host := j.order.Workers[at.worker]
		p = &peer{lane: l, far: at, host: host}
		cfg := link.Config{
			Pool: j.pool, Owner: "received from " + host.Worker, Window: j.order.Spec.Config.Window,
			Peer: fmt.Sprintf("%s/%d", host.Worker, at.loop), Logger: j.w.log, Durable: j.durable(),
		}
		if cfg.Durable {
			cfg.EarlyMax = graph.ChannelsMax
		}
		p.link = link.New(cfg)
		l.mu.Lock()
		l.links[at] = p
		l.order = append(l.order, p)
		l.mu.Unlock()
		if l.begun {
			p.dial()
		}
	}
	p.stirred = true
	return p
}

// send declares a channel that leads to a task of another worker.
func (j *job) send(d deploy.Link, log *buffers.Log) {
	from, to := j.slot(d.From.Unit, d.From.Index), j.slot(d.To.Unit, d.To.Index)
	j.lanes[from.Loop].to(to).link.Send(d.Channel, d.From.Number, log)
}

// receive declares a channel that comes from a task of another worker.
func (j *job) receive(d deploy.Link, port task.Port) task.Feed {
	from, to := j.slot(d.From.Unit, d.From.Index), j.slot(d.To.Unit, d.To.Index)
	return j.lanes[to.Loop].to(from).link.Receive(d.Channel, d.From.Number, link.ChannelSpec{
		Stream: port.Stream, PayloadSize: port.PayloadSize,
	})
}

// begin puts the lane on its reactor and calls those whom it has to call.
func (l *lane) begin() {
	l.begun = true
	l.reactor.Add(l)
	for _, p := range l.order {
		p.dial()
	}
}

// end takes the lane off its reactor and closes its connections. It may be called twice.
func (l *lane) end() {
	if l.taker != nil {
		l.taker.Stop()
	}
	if !l.over {
		l.over = true
		l.reactor.Remove(l)
	}
	for _, p := range l.order {
		p.hangUp()
	}
}

// release gives back what connections hold, and tasks that have left.
func (l *lane) release() (err error) {
	for _, t := range l.retired {
		err = errors.Join(err, t.Discard())
	}
	l.retired = nil
	for _, p := range slices.Concat(l.order, l.lost) {
		p.link.Close()
	}
	return err
}

// Step gives every task of the lane a turn, and every connection what there is to send.
func (l *lane) Step(now time.Duration) (worked bool, until time.Duration) {
	if l.over {
		return false, reactor.Never
	}
	clock := time.Since(l.job.begin)
	if clock < 0 {
		return false, now - clock
	}
	defer func() {
		if r := recover(); r != nil {
			l.fail(fmt.Errorf("%v\n%s", r, debug.Stack()))
		}
	}()
	turn := loop.Turn{Until: task.Never}
	if !l.ran {
		var err error
		if turn, err = l.loop.Step(clock, l.clock); err != nil {
			l.fail(err)
			return false, reactor.Never
		}
		l.ran = turn.Done && len(l.mute) == 0 // what a mute task has come to is checkpointed when it speaks
	}
	worked, until = turn.Worked, reactor.Never
	if turn.Until != task.Never {
		until = now + max(turn.Until-clock, 0)
	}
	if worked {
		l.job.wake(l)
	}
	flushed, retry := l.flush(worked)
	if retry {
		until = min(until, now+retryAfter)
	}
	return worked || flushed, until
}

// retryAfter is when a lane looks again whether a connection takes more, if nothing else makes it look.
const retryAfter = 200 * time.Microsecond

func (l *lane) clock() time.Duration { return time.Since(l.job.begin) }

// flush sends what there is to send after a turn of the tasks, and tells the desk when everything has been said and heard.
// Connections stay: the last acknowledgement may not have reached its receiver, who has to have it before the job is released.
func (l *lane) flush(worked bool) (moved, retry bool) {
	done := l.ran
	for _, p := range l.order {
		m, again := p.flush(worked)
		moved, retry = moved || m, retry || again
		done = done && p.link.Done()
	}
	now := l.clock()
	if done && !l.done || now-l.told >= countEvery {
		l.told = now
		l.publish()
	}
	l.forgetLost()
	if len(l.retired) > 0 {
		l.forgetRetired()
	}
	if len(l.mute) > 0 {
		l.lookLevel()
	}
	if done && !l.done {
		l.done = true
		l.job.w.post(func() { l.job.w.laneDone(l.job) })
	}
	return moved, retry
}

// fail ends the job with an error.
func (l *lane) fail(err error) {
	if l.over {
		return
	}
	l.over = true
	l.reactor.Remove(l)
	l.job.w.post(func() { l.job.w.fail(l.job, err) })
}

// publish lets others see what the connections have counted.
func (l *lane) publish() {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.counts, l.broken = l.counts[:0], l.broken[:0]
	for _, p := range l.order {
		l.counts = append(l.counts, p.link.Stats())
		l.broken = append(l.broken, p.broken)
	}
	if l.taker != nil {
		l.kept = l.taker.Stats()
	}
}

// checkpoints are what taking them has come to.
func (l *lane) checkpoints() engine.Checkpoints {
	l.mu.Lock()
	defer l.mu.Unlock()
	return engine.Checkpoints{Taken: l.kept.Taken, Failed: l.kept.Failed, Bytes: l.kept.Bytes, SliceMax: l.kept.SliceMax}
}

// counted is the sum over the lane's connections.
func (l *lane) counted() (sum engine.LinkStats) {
	l.mu.Lock()
	defer l.mu.Unlock()
	for _, c := range l.counts {
		sum.Add(engine.LinkStats{BytesOut: c.BytesOut, BytesIn: c.BytesIn, TuplesOut: c.TuplesOut, TuplesIn: c.TuplesIn})
	}
	return sum
}

// countPeers adds the counters of the lane's connections to those of the workers at their other ends.
func (l *lane) countPeers(all []control.LinkReport) {
	l.mu.Lock()
	defer l.mu.Unlock()
	for i, c := range l.counts {
		r := &all[l.order[i].far.worker]
		r.BytesOut += c.BytesOut
		r.BytesIn += c.BytesIn
		r.TuplesOut += c.TuplesOut
		r.TuplesIn += c.TuplesIn
		r.Starved += c.Starved
		r.Broken += l.broken[i]
	}
}
