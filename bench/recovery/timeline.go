package recovery

import (
	"encoding/binary"
	"errors"
	"fmt"
	"slices"
	"sort"
	"time"

	"github.com/klauspost/compress/zstd"
)

// Mark says of counts that were due at one time, to the millisecond, that they arrived together.
type Mark struct {
	Due   time.Duration // since the job began
	Took  time.Duration // until they arrived, to the microsecond
	Count int64
}

// Timeline is what arrived, in the order in which it did. What is due within a millisecond is due at its beginning.
type Timeline []Mark

// add adds what arrives now. It says whether that begins a mark.
func (l *Timeline) add(m Mark) (fresh bool) {
	m.Due, m.Took = m.Due.Truncate(time.Millisecond), m.Took.Truncate(time.Microsecond)
	if n := len(*l); n > 0 && (*l)[n-1].Due == m.Due && (*l)[n-1].Took == m.Took {
		(*l)[n-1].Count += m.Count
		return false
	}
	*l = append(*l, m)
	return true
}

// pack is the timeline in few bytes: the differences from mark to mark, compressed.
func (l Timeline) pack() ([]byte, error) {
	var raw []byte
	var due int64
	for _, m := range l {
		ms := m.Due.Milliseconds()
		raw = binary.AppendVarint(raw, ms-due)
		raw = binary.AppendUvarint(raw, uint64(m.Took.Microseconds()))
		raw = binary.AppendUvarint(raw, uint64(m.Count))
		due = ms
	}
	w, err := zstd.NewWriter(nil, zstd.WithEncoderConcurrency(1))
	if err != nil {
		return nil, err
	}
	return w.EncodeAll(raw, nil), nil
}

// unpack is the reverse of pack.
func unpack(packed []byte) (l Timeline, err error) {
	r, err := zstd.NewReader(nil, zstd.WithDecoderConcurrency(1))
	if err != nil {
		return nil, err
	}
	defer r.Close()
	raw, err := r.DecodeAll(packed, nil)
	if err != nil {
		return nil, fmt.Errorf("timeline: %w", err)
	}
	var due int64
	for len(raw) > 0 {
		d, n := binary.Varint(raw)
		took, k := binary.Uvarint(raw[max(n, 0):])
		count, c := binary.Uvarint(raw[max(n, 0)+max(k, 0):])
		if n <= 0 || k <= 0 || c <= 0 {
			return nil, errors.New("timeline: it ends within a mark")
		}
		raw = raw[n+k+c:]
		due += d
		l = append(l, Mark{time.Duration(due) * time.Millisecond, time.Duration(took) * time.Microsecond, int64(count)})
	}
	return l, nil
}

// byDue returns the marks in the order in which they were due.
func (l Timeline) byDue() Timeline {
	l = slices.Clone(l)
	slices.SortStableFunc(l, func(a, b Mark) int { return int(a.Due - b.Due) })
	return l
}

// between is the part of a timeline in order of Due that was due from a time on and before another.
func (l Timeline) between(from, to time.Duration) Timeline {
	first := func(at time.Duration) int { return sort.Search(len(l), func(i int) bool { return l[i].Due >= at }) }
	return l[first(from):max(first(from), first(to))]
}

// count is how many counts arrived.
func (l Timeline) count() (n int64) {
	for _, m := range l {
		n += m.Count
	}
	return n
}

// mean is how long they took, on average; 0 for none.
func (l Timeline) mean() time.Duration {
	var sum float64
	for _, m := range l {
		sum += float64(m.Count) * float64(m.Took)
	}
	return time.Duration(sum / float64(max(l.count(), 1)))
}

// quantiles are the times within which the given parts of them arrived, 0…1 and rising; 0 where there were none.
func (l Timeline) quantiles(parts ...float64) []time.Duration {
	l = slices.Clone(l)
	slices.SortFunc(l, func(a, b Mark) int { return int(a.Took - b.Took) })
	all, seen, i := float64(l.count()), 0.0, -1
	found := make([]time.Duration, len(parts))
	for p, part := range parts {
		for len(l) > 0 && i < len(l)-1 && (i < 0 || seen < part*all) {
			i++
			seen += float64(l[i].Count)
		}
		if i >= 0 {
			found[p] = l[i].Took
		}
	}
	return found
}

// normalSpan is how long it has to be good again, after the definition.
const (
	normalSpan   = 500 * time.Millisecond
	normalFactor = 1.5
)

// normal is the beginning of the first span after a time in whose counts, by when they were due, the p99 is normalFactor times
// a given one at most.
func (l Timeline) normal(after, p99 time.Duration) (at time.Duration, ok bool) {
	if len(l) == 0 {
		return 0, false
	}
	limit := time.Duration(normalFactor * float64(p99))
	for at = after.Truncate(time.Millisecond); at+normalSpan <= l[len(l)-1].Due; at += time.Millisecond {
		span := l.between(at, at+normalSpan)
		if len(span) > 0 && span.quantiles(0.99)[0] <= limit {
			return at, true
		}
	}
	return 0, false
}

// worst is the highest mean of counts that were due within a span, of all spans of a timeline.
func (l Timeline) worst(span time.Duration) (most time.Duration) {
	if len(l) == 0 {
		return 0
	}
	for at := l[0].Due; at+span <= l[len(l)-1].Due+time.Millisecond; at += span / 10 {
		most = max(most, l.between(at, at+span).mean())
	}
	return most
}
