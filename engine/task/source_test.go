package task

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/fullspate/spate/buffers"
	"github.com/fullspate/spate/partition"
	"github.com/fullspate/spate/wire"
)

func list(n int, step int64) []row {
	rs := make([]row, n)
	for i := range rs {
		rs[i] = row{int64(i) * step, uint64(i)}
	}
	return rs
}

func plain(rs []row, block int) func(Offset) *rows {
	return func(Offset) *rows { return &rows{list: rs, block: block} }
}

func TestTimesOfRecords(t *testing.T) {
	b := newBench(t)
	l := b.log(0)
	src := b.source(l, map[uint16]func(Offset) *rows{
		0: plain([]row{{0, 1}, {0, 2}, {5, 3}, {3, 4}, {5, 5}}, 2),
		3: plain([]row{{0, 6}, {4, 7}}, 9),
	})
	for b.run(src, 1); src.Position() != wire.TimeMax; {
		b.run(src, 1)
	}
	want := "[1@0.000s/0#1 2@0.000s/0#2 6@0.000s/3#1 7@0.004s/3#1 3@0.005s/0#1 4@0.005s/0#2 5@0.005s/0#3]"
	if got := fmt.Sprint(b.sent(l)); got != want {
		t.Errorf("sent %s\nwant %s", got, want)
	}
	if e, ok := l.Ended(); !ok || e != wire.At(5, 0, 4) {
		t.Errorf("the input ends at %v, want the time of the record that does not come", e)
	}
}

// A split that has nothing now holds back those after it, wherever it stands in the list.
func TestASplitThatWaitsHoldsBackTheOthers(t *testing.T) {
	for _, waits := range []uint16{0, 1, 2} {
		b := newBench(t)
		l := b.log(0)
		splits := map[uint16]func(Offset) *rows{}
		for o := range uint16(3) {
			r := &rows{list: list(20, 2), block: 3}
			if o == waits {
				r.empty = map[int]bool{0: true, 6: true}
			}
			splits[o] = func(Offset) *rows { return r }
		}
		src := b.source(l, splits)
		for turn := 0; src.Position() != wire.TimeMax; turn++ {
			p := b.run(src, 7)
			if !p.Worked && p.Until <= 0 || turn > 100 {
				t.Fatalf("split %d waits: %+v at %v", waits, p, src.Position())
			}
		}
		sent := b.sent(l)
		if len(sent) != 60 || !slices.IsSortedFunc(sent, func(x, y string) int {
			return strings.Compare(x[strings.Index(x, "@"):], y[strings.Index(y, "@"):])
		}) {
			t.Errorf("split %d waits: sent %v", waits, sent)
		}
	}
}

// A full log stops a source between two records, but what it has written is seen, or nobody could empty the log.
func TestABlockedSourceShowsWhatItHasWritten(t *testing.T) {
	b := newBench(t)
	l := b.log(512)
	src := b.source(l, map[uint16]func(Offset) *rows{0: plain(list(200, 1), 16)})
	reader, err := l.OpenCursor(0)
	if err != nil {
		t.Fatal(err)
	}
	got := 0
	for turns := 0; src.Position() != wire.TimeMax; turns++ {
		p := b.run(src, 1000)
		if turns > 100 {
			t.Fatalf("stuck at %v with %d read: %+v", src.Position(), got, p)
		}
		if p.Blocked && p.Until != Never {
			t.Errorf("a blocked task wants to run at %v", p.Until)
		}
		for f, ok := reader.Next(); ok; f, ok = reader.Next() {
			got += int(wire.HeaderOf(f.Data).Count)
		}
		if l.Bytes() > 512+256 {
			t.Errorf("the log holds %d bytes", l.Bytes())
		}
		reader.Ack(reader.Poll())
		l.Trim(reader.Poll())
	}
	if got != 200 {
		t.Errorf("read %d, want 200", got)
	}
}

// A source is checkpointed after every record, and after being restored at once again, before it has read anything and in
// the middle of what it passes over.
func TestASourceContinuesWhereItWas(t *testing.T) {
	b := newBench(t)
	rs := []row{{0, 0}, {0, 1}, {0, 2}, {7, 3}, {7, 4}, {3, 5}, {9, 6}, {9, 7}, {9, 8}, {30, 9}}
	open := func(at Offset) *rows {
		return &rows{list: rs, block: 3, empty: map[int]bool{int(at.Place): true}} // nothing at first
	}
	whole := b.log(0)
	src := b.source(whole, map[uint16]func(Offset) *rows{2: open})
	for src.Position() != wire.TimeMax {
		b.run(src, 100)
	}
	want := fmt.Sprint(b.sent(whole))

	l := b.log(0)
	src = b.source(l, map[uint16]func(Offset) *rows{2: open})
	for i := 0; src.Position() != wire.TimeMax; i++ {
		if i > 100 {
			t.Fatalf("stuck at %v", src.Position())
		}
		b.run(src, 1)
		for range i % 3 {
			src, l = b.reborn(src)
			if i%2 == 0 {
				b.run(src, 0)
			}
		}
	}
	if got := fmt.Sprint(b.sent(l)); got != want {
		t.Errorf("sent %s\nwant %s", got, want)
	}
}

// reborn is a new task with a new log, restored from a checkpoint of t.
func (b *bench) reborn(t *Task) (*Task, *buffers.Log) {
	b.Helper()
	c, err := t.Checkpoint()
	if err != nil {
		b.Fatal(err)
	}
	l := b.log(0)
	n, err := New(Config{Of: 1, Specs: []*Spec{t.insts[0].Spec}, Pool: b.pool, Splits: t.insts[0].Spec.Reading.Splits})
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() { n.Close() })
	n.Route(0, 0, n.AddEdge(0, 0, "", nil, nil), nil, []*buffers.Log{l}, []Consumer{{Range: partition.Full()}})
	if err := n.Restore(c, b.pool); err != nil {
		b.Fatal(err)
	}
	return n, l
}

func TestASplitThatLostRecordsIsRefused(t *testing.T) {
	b := newBench(t)
	rs := list(10, 1)
	src := b.source(b.log(0), map[uint16]func(Offset) *rows{0: func(at Offset) *rows { return &rows{list: rs, block: 8} }})
	b.run(src, 5)
	src, _ = b.reborn(src)
	rs = rs[:3]
	_, err := src.Run(0, 5)
	if err == nil || !strings.Contains(err.Error(), "2 records more were read before") {
		t.Errorf("got %v", err)
	}
}

func TestPacedSource(t *testing.T) {
	b := newBench(t)
	l := b.log(0)
	src := b.source(l, map[uint16]func(Offset) *rows{0: plain(list(10, 100), 4)})
	src.reading.clock = Clock{Pace: 2}
	for i, now := range []time.Duration{120 * time.Millisecond, 120_200 * time.Microsecond, 120_999 * time.Microsecond} {
		p, err := src.Run(now, 100) // 240 ms of logical time, and what is due at the next tick
		if err != nil || src.Position() != wire.TimerTime(243) || p.Worked != (i == 0) || p.Until != 121*time.Millisecond {
			t.Errorf("%v: %v: at %v, %+v, want it to go to where the next tick is, and to wait for that", now, err, src.Position(), p)
		}
	}
	if p, err := src.Run(149*time.Millisecond, 100); err != nil || src.Position() != wire.At(300, 0, 1) || p.Until != 150*time.Millisecond {
		t.Errorf("%v: at %v, %+v, want it to wait for the record at 300 ms", err, src.Position(), p)
	}
	src.Hold(wire.TimerTime(500))
	if _, err := src.Run(time.Hour, 100); err != nil || src.Position() != wire.TimerTime(500) {
		t.Errorf("%v: at %v, want it held at 500 ms", err, src.Position())
	}
	src.Hold(wire.TimeMax)
	if _, err := src.Run(time.Hour, 100); err != nil || src.Position() != wire.TimeMax {
		t.Errorf("%v: at %v, want the end", err, src.Position())
	}
}

// A sink that has ended keeps its last mark: a checkpoint taken then can be restored.
func TestAnEndedSinkKeepsItsMark(t *testing.T) {
	b := newBench(t)
	l := b.log(0)
	w := &marks{}
	s := &Spec{ID: "sink", Kind: Sink, Ports: []Port{{PayloadSize: 8}}, Writing: &SinkSpec{
		Open: func(SinkPart) (SinkWriter, Handler, error) {
			return w, Handler{Fixed: func(*Ctx, Ptr) { w.written++ }}, nil
		},
	}}
	tk := b.task(s)
	tk.Connect(b.channel(l, ChannelID{}, 0))
	put(l, 1, 1, 1)
	l.End(5)
	for range 2 {
		b.run(tk, 10)
	}
	if !w.closed {
		t.Error("the writer was not closed at the end")
	}
	c, err := tk.Checkpoint()
	if err != nil || string(c.Mark) != "1" || c.Position != wire.TimeMax {
		t.Fatalf("%v: mark %q at %v", err, c.Mark, c.Position)
	}
	again := b.task(s)
	if err := again.Restore(c, b.pool); err != nil || w.restored != "1" {
		t.Errorf("%v: restored to %q", err, w.restored)
	}
	w.fail = errors.New("disk full")
	if _, err := again.Checkpoint(); !errors.Is(err, w.fail) {
		t.Errorf("a commit that fails gives %v", err)
	}
}

type marks struct {
	written  int
	restored string
	closed   bool
	fail     error
}

func (m *marks) Commit(wire.Time) ([]byte, error) { return fmt.Append(nil, m.written), m.fail }
func (m *marks) Restore(mark []byte) error        { m.restored = string(mark); return nil }
func (m *marks) Flush() error                     { return nil }
func (m *marks) Close() error                     { m.closed = true; return nil }
