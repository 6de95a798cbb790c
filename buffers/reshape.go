package buffers

import (
	"fmt"

	"github.com/fullspate/spate/partition"
	"github.com/fullspate/spate/wire"
)

// Split copies the log's tuples into one new log for each range, made from the
// configuration of the same index: to each those whose key hash is in its
// range, in the same order. Tuples in no range are left out. What is below the
// trim point is left out; trim point, frontier and end are those of this log,
// which stays as it is, but for an open frame, which is sealed. A new log may be
// born over its capacity.
func (l *Log) Split(ranges []partition.Range, cfgs []Config) (logs []*Log, err error) {
	if len(ranges) != len(cfgs) {
		panic(fmt.Sprintf("BUG: split into %d ranges with %d configurations", len(ranges), len(cfgs)))
	}
	defer func() {
		if err != nil {
			logs = closeAll(logs)
		}
	}()
	for _, cfg := range cfgs {
		out, err := l.newLike(cfg)
		if err != nil {
			return logs, err
		}
		logs = append(logs, out)
	}
	defer budgetError(&err)
	l.Seal(l.frontier)
	for f, err := range l.Frames(l.trim) {
		if err != nil {
			return logs, err
		}
		for t := f.View(); t.Valid(); t.Advance() {
			for i, r := range ranges {
				if r.Contains(t.Hash()) {
					logs[i].appendCopy(&t)
				}
			}
		}
	}
	end, ended := l.Ended()
	for _, out := range logs {
		if l.pub.ending.Load() {
			out.Ending(end)
		}
		out.inherit(l.trim, l.frontier, end, ended)
	}
	return logs, nil
}

// Merge copies the tuples of several logs of one stream into a new one, ordered
// by time, then by the logs' order, then as they were. Its trim point is the
// greatest of theirs, and what is below is left out; its frontier is the least
// of theirs, and it has ended, where the last of them did, if all have. The
// logs stay as they are, but for open frames, which are sealed. The new log may
// be born over its capacity.
//
// The logs' writers must stand at one position: what is appended afterwards
// must not be below any tuple that is there.
func Merge(logs []*Log, cfg Config) (out *Log, err error) {
	if len(logs) == 0 {
		panic("BUG: merge of no logs")
	}
	if out, err = logs[0].newLike(cfg); err != nil {
		return nil, err
	}
	defer func() {
		if err != nil {
			closeAll([]*Log{out})
			out = nil
		}
	}()
	defer budgetError(&err)
	trim, frontier, end, allEnded, ending := wire.Time(0), wire.TimeMax, wire.Time(0), true, true
	for _, l := range logs {
		l.Seal(l.frontier)
		e, ended := l.Ended()
		trim, frontier = max(trim, l.trim), min(frontier, l.frontier)
		end, allEnded, ending = max(end, e), allEnded && ended, ending && l.pub.ending.Load()
	}
	if ending {
		out.Ending(end)
	}
	if err := out.mergeFrom(logs, trim); err != nil {
		return out, err
	}
	out.inherit(trim, frontier, end, allEnded)
	return out, nil
}

// mergeFrom appends what the logs hold from trim on, in order.
func (l *Log) mergeFrom(logs []*Log, trim wire.Time) error {
	inputs := make([]mergeInput, len(logs))
	for i := range inputs {
		in := &inputs[i]
		c, err := logs[i].OpenCursor(trim)
		if err != nil {
			return err
		}
		defer logs[i].leave(c)
		in.cursor = c
		if err := in.refill(); err != nil {
			return err
		}
	}
	for {
		in := least(inputs)
		if in == nil {
			return nil
		}
		l.appendCopy(&in.tuples)
		if err := in.advance(); err != nil {
			return err
		}
	}
}

// mergeInput is one of the logs of a merge and the tuple that is its next.
type mergeInput struct {
	cursor *Cursor
	tuples wire.Tuples
	more   bool
}

// least returns the input whose next tuple is the merge's next, nil at the end.
func least(inputs []mergeInput) *mergeInput {
	var best *mergeInput
	for i := range inputs {
		in := &inputs[i]
		if in.more && (best == nil || in.tuples.Time() < best.tuples.Time()) {
			best = in
		}
	}
	return best
}

func (in *mergeInput) advance() error {
	before := in.tuples.Time()
	in.tuples.Advance()
	if in.tuples.Valid() {
		return nil
	}
	in.cursor.Ack(before.After())
	return in.refill()
}

func (in *mergeInput) refill() error {
	f, ok := in.cursor.Next()
	in.more = ok
	if ok {
		in.tuples = f.View()
	}
	return in.cursor.Err()
}

// newLike makes an empty log for tuples of this one.
func (l *Log) newLike(cfg Config) (*Log, error) {
	if cfg.PayloadSize != l.cfg.PayloadSize {
		return nil, fmt.Errorf("buffers: tuples with payload size %d do not fit a log of %d", l.cfg.PayloadSize, cfg.PayloadSize)
	}
	return New(cfg)
}

// appendCopy appends the tuple at which a walk over another log stands.
func (l *Log) appendCopy(t *wire.Tuples) {
	payload := t.Bytes()
	copy(l.Append(t.Time(), t.Hash(), len(payload)), payload)
}

// inherit completes a log that was filled from others.
func (l *Log) inherit(trim, frontier, end wire.Time, ended bool) {
	l.Seal(frontier)
	l.trim = trim
	if ended {
		l.End(end)
	}
}

// closeAll closes the logs and returns nil for them.
func closeAll(logs []*Log) []*Log {
	for _, l := range logs {
		_ = l.Close() // a log of ours holds nothing whose closing could fail
	}
	return nil
}
