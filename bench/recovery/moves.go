package recovery

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/fullspate/spate/engine/cluster"
	"github.com/fullspate/spate/engine/coordinator"
)

// Move is what one reassignment of the counter's key ranges came to, while counts went on. Times are in ms.
type Move struct {
	What     string  `json:"what"`        // out, in or migrate
	Took     float64 `json:"took_ms"`     // from the request until every worker knew that the new tasks have taken over
	Register float64 `json:"register_ms"` // of that: until everybody fed them
	Restore  float64 `json:"restore_ms"`  // until they were made
	CatchUp  float64 `json:"catch_up_ms"` // until they had processed what had come meanwhile
	Switch   float64 `json:"switch_ms"`
	// Before is of the 5 s before the request, After of the 10 s from it on, by when counts were due.
	Before Latency `json:"before_ms"`
	After  Latency `json:"after_ms"`
	// GapBefore and Gap are the longest times in which nothing arrived, in the same spans.
	GapBefore float64 `json:"gap_before_ms"`
	Gap       float64 `json:"gap_ms"`
	GapAt     float64 `json:"gap_at_ms"` // when the latter ended, since the request
	// Course is how it went, from 1 s before the request to 2 s after the end.
	Course []Moment `json:"course"`
}

// Moment is what was due within binSpan.
type Moment struct {
	At  float64 `json:"at_ms"` // since the request
	P50 float64 `json:"p50_ms"`
	P99 float64 `json:"p99_ms"`
}

// binSpan is how much of a course is put together.
const binSpan = 20 * time.Millisecond

// Moves is what an experiment with reassignments came to.
type Moves struct {
	Config Config
	Moves  []Move
	Counts int64 // that arrived
	Valid  bool  // the totals are those of the reference
}

// The spans that are looked at around a reassignment.
const (
	calmSpan     = 5 * time.Second
	affectedSpan = 10 * time.Second
)

// moveKinds are the reassignments of a round: the counter is split in two, joined again, and moved to another worker.
var moveKinds = []string{"out", "in", "migrate"}

// RunMoves runs the query and scales the counter out and in and moves it, Config.Rounds times. Whether the counts were right is in
// the result; that each followed the one before is seen to by the sink, which ends the run otherwise.
func RunMoves(ctx context.Context, cfg Config) (_ *Moves, err error) {
	if err := cfg.Validate(); err != nil {
		return nil, err
	}
	const tail = 2 * time.Second
	length := cfg.warm() + time.Duration(cfg.Rounds*len(moveKinds))*cfg.moveSpacing() + tail
	cfg.Input.Seconds = int((length + time.Second - 1) / time.Second)
	local, err := cluster.StartLocal(ctx, cfg.Local)
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, local.Close()) }()
	cfg.free = true
	t, err := cfg.begin(ctx, local, true)
	if err != nil {
		return nil, err
	}
	moved, err := t.move(ctx)
	if err != nil {
		t.running.Cancel()
		return nil, errors.Join(err, ended(t.running.Wait()))
	}
	began, line, totals, err := t.end()
	if err != nil {
		return nil, err
	}
	r := &Moves{Config: cfg, Counts: line.count()}
	for _, m := range moved {
		r.Moves = append(r.Moves, m.judge(began, line))
	}
	want, err := reference(cfg.Input)
	r.Valid = want == totals
	return r, err
}

// moveSpacing lies between two reassignments: the spans that are looked at, and time to settle.
func (c *Config) moveSpacing() time.Duration { return calmSpan + affectedSpan + c.Settle }

// reassigned is a reassignment, and when it was asked for.
type reassigned struct {
	coordinator.Reassignment
	what string
	at   time.Time
}

// move does the reassignments.
func (t *trial) move(ctx context.Context) (list []reassigned, err error) {
	info, err := t.begun(ctx)
	if err != nil {
		return nil, err
	}
	n := t.cfg.Rounds * len(moveKinds)
	for k := range n {
		if err := t.until(ctx, info.Begun.Add(t.cfg.warm()+time.Duration(k)*t.cfg.moveSpacing()+calmSpan)); err != nil {
			return nil, err
		}
		m := reassigned{what: moveKinds[k%len(moveKinds)], at: time.Now()}
		if m.Reassignment, err = t.reassign(ctx, m.what); err != nil {
			return nil, fmt.Errorf("reassignment %d (%s): %w", k+1, m.what, err)
		}
		list = append(list, m)
		if t.cfg.Progress != nil {
			t.cfg.Progress(float64(k+1) / float64(n+1))
		}
	}
	return list, nil
}

// reassign does one reassignment, and waits for its end.
func (t *trial) reassign(ctx context.Context, what string) (re coordinator.Reassignment, err error) {
	switch what {
	case "out":
		re, err = t.local.Rescale(ctx, t.job, CounterID, 2)
	case "in":
		re, err = t.local.Rescale(ctx, t.job, CounterID, 1)
	default:
		var info coordinator.JobInfo
		if info, err = t.local.Job(ctx, t.job); err != nil {
			return re, err
		}
		for _, op := range info.Topology.Operators {
			if op.ID == CounterID {
				there := slices.IndexFunc(op.Tasks, func(p coordinator.Place) bool { return p.There() })
				re, err = t.local.Migrate(ctx, t.job, CounterID, there, "")
			}
		}
	}
	if err == nil {
		re, err = t.local.Reassigned(ctx, t.job, re.ID)
	}
	if err == nil && re.State != coordinator.Done {
		err = fmt.Errorf("%s: %s", re.State, re.Reason)
	}
	return re, err
}

// judge says what a reassignment came to at the sink.
func (m *reassigned) judge(began time.Time, line Timeline) Move {
	at := m.at.Sub(began)
	due := line.byDue()
	gapBefore, _ := line.gap(at-calmSpan, at)
	gap, gapAt := line.gap(at, at+affectedSpan)
	return Move{
		What: m.what, Took: ms(m.Ended.Sub(m.at)), Register: ms(m.Register), Restore: ms(m.Restore), CatchUp: ms(m.CatchUp), Switch: ms(m.Switch),
		Before: latencyOf(due.between(at-calmSpan, at)), After: latencyOf(due.between(at, at+affectedSpan)),
		GapBefore: ms(gapBefore), Gap: ms(gap), GapAt: ms(gapAt - at),
		Course: due.course(at-time.Second, m.Ended.Sub(began)+2*time.Second, at),
	}
}

// gap is the longest time in which nothing arrived of a timeline in the order of arrival, between two moments, and when that ended.
func (l Timeline) gap(from, to time.Duration) (most, end time.Duration) {
	last := from
	arrived := func(at time.Duration) {
		if at-last > most {
			most, end = at-last, at
		}
		last = at
	}
	for _, m := range l {
		if at := m.Due + m.Took; at >= from && at < to {
			arrived(at)
		}
	}
	arrived(to)
	return most, end
}

// course is how long counts took over a while, of a timeline in the order of Due, by time since a moment.
func (l Timeline) course(from, to, since time.Duration) (list []Moment) {
	for at := from; at < to; at += binSpan {
		if bin := l.between(at, at+binSpan); len(bin) > 0 {
			q := bin.quantiles(0.5, 0.99)
			list = append(list, Moment{At: ms(at - since), P50: ms(q[0]), P99: ms(q[1])})
		}
	}
	return list
}
