package recovery

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"syscall"
	"time"

	"github.com/fullspate/spate/engine/cluster"
	"github.com/fullspate/spate/engine/coordinator"
)

// Kill is what one kill came to. Times are in ms, from the kill on.
type Kill struct {
	Detected float64 `json:"detected_ms"` // the coordinator held the worker to be lost
	Ordered  float64 `json:"ordered_ms"`  // it had given the counter to another
	Restored float64 `json:"restored_ms"` // every part of the job had said that it goes on
	CaughtUp float64 `json:"caught_up_ms"`
	Normal   float64 `json:"normal_ms"` // 0 if it never was again before the next kill
	Before   float64 `json:"before_p99_ms"`
	Worst    float64 `json:"worst_ms"` // the longest that a count took
}

// Result is what an experiment with kills came to.
type Result struct {
	Config Config
	Kills  []Kill
	Counts int64 // that arrived
	Totals Totals
	Valid  bool // the totals are those of the reference
}

// Patience with what should take a fraction of a second.
const patience = 30 * time.Second

// RunKills runs the query and kills the worker that has the counter, Config.Kills times. Whether the counts were right is in the
// result; that each followed the one before is seen to by the sink, which ends the run otherwise.
func RunKills(ctx context.Context, cfg Config) (_ *Result, err error) {
	if err := cfg.Validate(); err != nil {
		return nil, err
	}
	const tail = 2 * time.Second
	length := cfg.warm() + time.Duration(cfg.Kills)*cfg.spacing() + tail
	cfg.Input.Seconds = int((length + time.Second - 1) / time.Second)
	cfg.Local.Respawn = true
	local, err := cluster.StartLocal(ctx, cfg.Local)
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, local.Close()) }()
	t, err := cfg.begin(ctx, local, true)
	if err != nil {
		return nil, err
	}
	fates, err := t.strike(ctx)
	if err != nil {
		t.running.Cancel()
		return nil, errors.Join(err, ended(t.running.Wait()))
	}
	began, line, totals, err := t.end()
	if err != nil {
		return nil, err
	}
	r := &Result{Config: cfg, Counts: line.count(), Totals: totals}
	for i := range fates {
		r.Kills = append(r.Kills, fates[i].judge(&cfg, began, line))
	}
	want, err := reference(cfg.Input)
	r.Valid = want == totals
	return r, err
}

// ended is the error of a job that was cancelled, if it is another one.
func ended(err error) error {
	if errors.Is(err, context.Canceled) {
		return nil
	}
	return err
}

// fate is a kill, and what the coordinator has noted of it.
type fate struct {
	at, detected, ordered, restored time.Time
	next                            time.Duration // when the next kill may be, since the job began
}

// strike kills the worker that has the counter, again and again, each time at a random moment between two checkpoints.
func (t *trial) strike(ctx context.Context) (fates []fate, err error) {
	info, err := t.begun(ctx)
	if err != nil {
		return nil, err
	}
	random := rand.New(rand.NewPCG(t.cfg.Input.Seed, 0))
	for k := range t.cfg.Kills {
		slot := t.cfg.warm() + time.Duration(k)*t.cfg.spacing()
		if err := t.until(ctx, info.Begun.Add(slot+time.Duration(random.Int64N(int64(t.cfg.Interval))))); err != nil {
			return nil, err
		}
		f, err := t.kill(ctx)
		if err != nil {
			return nil, fmt.Errorf("kill %d: %w", k+1, err)
		}
		f.next = slot + t.cfg.spacing()
		fates = append(fates, f)
		if t.cfg.Progress != nil {
			t.cfg.Progress(float64(k+1) / float64(t.cfg.Kills+1))
		}
	}
	return fates, nil
}

// begun waits until the job has begun.
func (t *trial) begun(ctx context.Context) (coordinator.JobInfo, error) {
	return t.await(ctx, "the job to begin", patience, func(i coordinator.JobInfo) bool { return !i.Begun.IsZero() })
}

// until waits for a moment.
func (t *trial) until(ctx context.Context, at time.Time) error {
	select {
	case <-ctx.Done():
		return context.Cause(ctx)
	case <-t.running.Done():
		return errors.Join(errors.New("the job has ended too early"), t.running.Wait())
	case <-time.After(time.Until(at)):
		return nil
	}
}

// kill kills the worker that has the counter and waits until the job goes on.
func (t *trial) kill(ctx context.Context) (f fate, err error) {
	info, err := t.await(ctx, "the job to run", patience, func(i coordinator.JobInfo) bool { return i.State == coordinator.Running })
	if err != nil {
		return f, err
	}
	victim, err := t.victim(ctx, info)
	if err != nil {
		return f, err
	}
	before := info.Recoveries.Count
	f.at = time.Now()
	if err := victim.Signal(syscall.SIGKILL); err != nil {
		return f, fmt.Errorf("killing process %d: %w", victim.PID(), err)
	}
	info, err = t.await(ctx, "recovery", patience, func(i coordinator.JobInfo) bool { return i.Recoveries.Count > before })
	if err != nil {
		return f, err
	}
	events, err := t.local.Events(ctx)
	if err != nil {
		return f, err
	}
	for _, e := range events {
		if e.At.Before(f.at) {
			continue
		}
		switch e.Kind {
		case coordinator.WorkerLost:
			f.detected = e.At
		case coordinator.JobRecovering:
			f.ordered = e.At
		case coordinator.JobRecovered:
			f.restored = e.At
		}
	}
	return f, nil
}

// victim is the process that has the counter. It must not have the sink as well, whose memory is what is measured with.
func (t *trial) victim(ctx context.Context, info coordinator.JobInfo) (*cluster.Spawned, error) {
	home := map[string]string{}
	for _, op := range info.Topology.Operators {
		home[op.ID] = op.Tasks[0].Worker
	}
	if home[CounterID] == home[SinkID] {
		return nil, fmt.Errorf("counter and sink are both on worker %s: want more workers, or more time to settle", home[SinkID])
	}
	workers, err := t.local.Workers(ctx)
	if err != nil {
		return nil, err
	}
	for _, w := range workers {
		for _, p := range t.local.Processes() {
			if w.ID == home[CounterID] && w.PID == p.PID() {
				return p, nil
			}
		}
	}
	return nil, fmt.Errorf("there is no process of worker %s, which has the counter", home[CounterID])
}

// beforeSpan is how much before a kill says what is normal.
const beforeSpan = 2 * time.Second

// judge says what a kill came to at the sink.
func (f *fate) judge(cfg *Config, began time.Time, line Timeline) (k Kill) {
	at := f.at.Sub(began)
	since := func(t time.Time) float64 { return ms(t.Sub(f.at)) }
	k.Detected, k.Ordered, k.Restored = since(f.detected), since(f.ordered), since(f.restored)
	due := line.byDue()
	p99 := due.between(at-beforeSpan, at-100*time.Millisecond).quantiles(0.99)[0]
	k.Before = ms(p99)
	after := due.between(at-100*time.Millisecond, min(f.next, at+cfg.spacing()))
	if back, ok := after.normal(at, p99); ok {
		k.Normal = max(ms(back-at), 0.001) // the first ms has begun before the kill

	}
	for _, m := range after {
		k.Worst = max(k.Worst, ms(m.Took))
	}
	ordered := f.ordered.Sub(began)
	for _, m := range line { // which is by arrival
		if m.Due+m.Took >= ordered {
			k.CaughtUp = ms(m.Due + m.Took - at)
			break
		}
	}
	return k
}

func ms(d time.Duration) float64 { return float64(d.Microseconds()) / 1000 }
