package buffers

import (
	"bytes"
	"encoding/binary"
	"errors"
	"flag"
	"fmt"
	"math/rand/v2"
	"slices"
	"testing"

	"github.com/fullspate/spate/partition"
	"github.com/fullspate/spate/wire"
	"github.com/fullspate/spate/wire/slab"
)

// row is a tuple of the model.
type row struct {
	time    wire.Time
	hash    uint64
	payload []byte
}

func (r row) String() string {
	return fmt.Sprintf("%d/%x[%d]", uint64(r.time), r.hash>>56, len(r.payload))
}

func equalRows(a, b row) bool {
	return a.time == b.time && a.hash == b.hash && bytes.Equal(a.payload, b.payload)
}

// newPool gives a pool that must have no slab out when the test ends.
func newPool(tb testing.TB) *slab.Pool {
	pool := slab.New(slab.Config{})
	tb.Cleanup(func() {
		if err := pool.Close(); err != nil {
			tb.Error(err)
		}
	})
	return pool
}

func newLog(tb testing.TB, cfg Config) *Log {
	tb.Helper()
	l, err := New(cfg)
	if err != nil {
		tb.Fatal(err)
	}
	tb.Cleanup(func() { l.Close() })
	return l
}

func appendRow(l *Log, r row) { copy(l.Append(r.time, r.hash, len(r.payload)), r.payload) }

// rowsOf reads the tuples that a frame gives.
func rowsOf(f Frame) []row {
	var rows []row
	for t := f.View(); t.Valid(); t.Advance() {
		rows = append(rows, row{t.Time(), t.Hash(), bytes.Clone(t.Bytes())})
	}
	return rows
}

// contents reads a log from a time on by Frames, and an image of it.
func contents(tb testing.TB, l *Log, from wire.Time) (rows []row, image []byte) {
	tb.Helper()
	for f, err := range l.Frames(from) {
		if err != nil {
			tb.Fatal(err)
		}
		if err := wire.Verify(f.Data); err != nil {
			tb.Fatal(err)
		}
		rows = append(rows, rowsOf(f)...)
		image = append(image, f.Data...)
	}
	return rows, image
}

func sameRows(tb testing.TB, what string, got, want []row) {
	tb.Helper()
	for i := range max(len(got), len(want)) {
		if i >= len(got) || i >= len(want) || !equalRows(got[i], want[i]) {
			tb.Fatalf("%s: %d tuples, want %d; first difference at %d: %v, want %v", what, len(got), len(want), i,
				got[min(i, len(got)):min(i+3, len(got))], want[min(i, len(want)):min(i+3, len(want))])
		}
	}
}

// lent is a frame that the reader of the model has not acknowledged yet, and
// what was in it.
type lent struct {
	frame Frame
	bytes []byte
}

// world is a log beside a plain slice of the same tuples.
type world struct {
	tb     testing.TB
	r      *rand.Rand
	cfg    Config
	log    *Log
	rows   []row // all that were appended
	sealed int   // how many of them are sealed
	next   wire.Time
	front  wire.Time
	trim   wire.Time
	acked  wire.Time
	cursor *Cursor
	start  wire.Time   // where the cursor was opened, until it gave a frame
	at     int         // row that the cursor gives next
	left   []wire.Time // what closed cursors had acknowledged, until Collect
	lent   []lent
}

var seeds = flag.Uint64("seeds", 40, "how many seeds TestModel tries")

// TestModel runs random operations on a log and on a slice. A seed that fails
// is the name of a subtest.
func TestModel(t *testing.T) {
	for seed := range *seeds {
		t.Run(fmt.Sprint(seed), func(t *testing.T) { runModel(t, seed, 500) })
	}
}

func runModel(tb testing.TB, seed uint64, steps int) {
	r := rand.New(rand.NewPCG(seed, 1))
	cfg := Config{Stream: 3, Pool: newPool(tb), Owner: "model"}
	cfg.PayloadSize = []int{0, 8, 40}[r.IntN(3)]
	cfg.FrameBytes = []int{256, 512, 4096, 0}[r.IntN(4)]
	cfg.ChunkBytes = []int{4096, 8192, 0}[r.IntN(3)]
	cfg.CapacityBytes = []int64{0, 4096, 20000, 100000}[r.IntN(4)]
	cfg.TrimOnAck = r.IntN(3) == 0
	if r.IntN(2) == 0 {
		cfg.SpillDir = tb.TempDir()
	}
	w := &world{tb: tb, r: r, cfg: cfg, log: newLog(tb, cfg), next: 1}
	for range steps {
		w.step()
		w.check()
	}
	w.closeCursor()
	w.log.Seal(w.next)
	w.sealed = len(w.rows)
	got, _ := contents(tb, w.log, w.trim)
	sameRows(tb, "in the end", got, w.from(w.trim))
	w.log.Close()
}

// from is the model's sealed tuples from a time on.
func (w *world) from(t wire.Time) []row {
	return w.rows[search(w.rows[:w.sealed], t):w.sealed]
}

func (w *world) step() {

	switch x := w.r.IntN(100); {
	case x < 40:
		w.append()
	case x < 55:
		w.seal()
	case x < 75:
		w.read()
	case x < 83:
		w.ack()
	case x < 88:
		w.trimTo()
	case x < 93:
		w.log.Collect()
		if w.cursor != nil {
			w.left = append(w.left, w.acked)
		}
		if w.cfg.TrimOnAck && len(w.left) > 0 {
			w.trim = max(w.trim, slices.Min(w.left))
		}
		w.left = nil
	case x < 96:
		w.reopen()
	case x < 97:
		w.split()
	case x < 98:
		w.merge()
	case x < 99:
		w.load()
	default:
		w.refuse()
	}
}

func (w *world) append() {
	n := w.r.IntN(12)
	if w.r.IntN(20) == 0 {
		n = 300
	}
	for range n {
		if w.r.IntN(3) > 0 {
			w.next += wire.Time(w.r.IntN(3))
		}
		size := w.cfg.PayloadSize
		if size == 0 {
			size = w.r.IntN(60)
			if w.r.IntN(200) == 0 {
				size = w.r.IntN(20000)
			}
		}
		r := row{w.next, partition.HashUint64(uint64(w.r.IntN(50))), make([]byte, size)}
		for i := range r.payload {
			r.payload[i] = byte(len(w.rows) + i)
		}
		appendRow(w.log, r)
		w.rows = append(w.rows, r)
	}
}

func (w *world) seal() {
	if w.r.IntN(4) > 0 {
		w.next++
		w.front = w.next
	} else if n := len(w.rows); n > w.sealed {
		w.front = max(w.front, w.rows[n-1].time)
	}
	w.log.Seal(w.front)
	w.sealed = len(w.rows)
}

func (w *world) read() {
	if w.cursor == nil {
		return
	}
	for range w.r.IntN(6) {
		f, ok := w.cursor.Next()
		if !ok {
			if err := w.cursor.Err(); err != nil {
				w.tb.Fatal(err)
			}
			if f := w.cursor.Frontier(); f != w.front {
				w.tb.Fatalf("frontier %v, want %v", f, w.front)
			}
			// Frames sealed while one was full may be visible before the frontier.
			if at := w.place(); at < w.sealed {
				w.tb.Fatalf("reader is at tuple %d, %d are sealed", at, w.sealed)
			}
			return
		}
		got := rowsOf(f)
		w.at = w.place()
		if len(got) == 0 || w.at+len(got) > len(w.rows) {
			w.tb.Fatalf("frame with %d tuples at %d of %d", len(got), w.at, len(w.rows))
		}
		sameRows(w.tb, "read", got, w.rows[w.at:w.at+len(got)])
		w.at += len(got)
		w.lent = append(w.lent, lent{f, bytes.Clone(f.Data)})
	}
}

func (w *world) ack() {
	if w.cursor == nil {
		return
	}
	to := w.acked
	if n := len(w.lent); n > 0 {
		to = wire.HeaderOf(w.lent[w.r.IntN(n)].bytes).Last + wire.Time(w.r.IntN(2))
	} else if w.place() == w.sealed {
		to = w.cursor.Frontier()
	}
	if at := w.place(); at < len(w.rows) {
		to = min(to, w.rows[at].time) // there may be more of the time that a frame ends with
	}
	w.acked = max(w.acked, to)
	w.cursor.Ack(to)
	w.lent = slices.DeleteFunc(w.lent, func(l lent) bool { return wire.HeaderOf(l.bytes).Last < w.acked })
}

func (w *world) trimTo() {
	if w.cfg.TrimOnAck {
		return
	}
	t := w.trim + wire.Time(w.r.IntN(100))
	if w.cursor != nil {
		t = min(t, w.acked)
	}
	w.log.Trim(t)
	w.trim = max(w.trim, t)
}

func (w *world) closeCursor() {
	if w.cursor != nil {
		w.cursor.Close()
		w.left = append(w.left, w.acked)
	}
	w.cursor, w.lent = nil, nil
}

func (w *world) reopen() {
	w.closeCursor()
	if w.r.IntN(4) == 0 {
		return
	}
	from := w.trim + wire.Time(w.r.IntN(int(w.next-min(w.next, w.trim))+5))
	c, err := w.log.OpenCursor(from)
	if err != nil {
		w.tb.Fatal(err)
	}
	w.cursor, w.acked, w.start, w.at = c, from, from, -1
}

// place says where the cursor is: before it gave anything, at the first row
// from where it was opened, which may not be there yet.
func (w *world) place() int {
	if w.at >= 0 {
		return w.at
	}
	return search(w.rows, w.start)
}

// search returns the first of rows at or after a time.
func search(rows []row, t wire.Time) int {
	i, _ := slices.BinarySearchFunc(rows, t, func(r row, t wire.Time) int {
		if r.time < t {
			return -1
		}
		return 1
	})
	return i
}

// otherConfig is one for a copy of the log.
func (w *world) otherConfig() Config {
	cfg := w.cfg
	cfg.FrameBytes = []int{256, 1024, 0}[w.r.IntN(3)]
	cfg.TrimOnAck = false
	return cfg
}

// sealNow seals as Split and Merge do.
func (w *world) sealNow() { w.sealed = len(w.rows) }

func (w *world) split() {
	whole := partition.Even(1 + w.r.IntN(4))
	cfgs := make([]Config, len(whole))
	for i := range cfgs {
		cfgs[i] = w.otherConfig()
	}
	logs, err := w.log.Split(whole, cfgs)
	if err != nil {
		w.tb.Fatal(err)
	}
	defer closeAll(logs)
	w.sealNow()
	for i, l := range logs {
		want := slices.DeleteFunc(slices.Clone(w.from(w.trim)), func(r row) bool { return !whole[i].Contains(r.hash) })
		got, _ := contents(w.tb, l, w.trim)
		sameRows(w.tb, "split", got, want)
		if l.TrimPoint() != w.trim || l.Frontier() != w.front {
			w.tb.Fatalf("split has trim point %v and frontier %v, want %v and %v", l.TrimPoint(), l.Frontier(), w.trim, w.front)
		}
	}
	back, err := Merge(logs, w.otherConfig())
	if err != nil {
		w.tb.Fatal(err)
	}
	defer back.Close()
	want := slices.Clone(w.from(w.trim))
	slices.SortStableFunc(want, func(a, b row) int {
		if a.time != b.time {
			return int(int64(a.time) - int64(b.time))
		}
		part := func(h uint64) int {
			return slices.IndexFunc(whole, func(r partition.Range) bool { return r.Contains(h) })
		}
		return part(a.hash) - part(b.hash)
	})
	got, _ := contents(w.tb, back, w.trim)
	sameRows(w.tb, "merge of a split", got, want)
}

// merge merges the log with another, which is trimmed elsewhere.
func (w *world) merge() {
	other := newLog(w.tb, w.otherConfig())
	defer other.Close()
	all := slices.Clone(w.rows)
	sorted := func() {
		slices.SortStableFunc(all, func(a, b row) int { return int(int64(a.time) - int64(b.time)) })
	}
	for t := w.trim; t < w.next; t += wire.Time(1 + w.r.IntN(5)) {
		r := row{t, uint64(t), make([]byte, w.cfg.PayloadSize)}
		appendRow(other, r)
		all = append(all, r)
	}
	trim := w.trim + wire.Time(w.r.IntN(20))
	other.Seal(0)
	other.Trim(trim)
	out, err := Merge([]*Log{w.log, other}, w.otherConfig())
	if err != nil {
		w.tb.Fatal(err)
	}
	defer out.Close()
	w.sealNow()
	sorted()
	all = slices.DeleteFunc(all, func(r row) bool { return r.time < trim })
	got, _ := contents(w.tb, out, trim)
	sameRows(w.tb, "merge", got, all)
	if out.TrimPoint() != trim || out.Frontier() != 0 {
		w.tb.Fatalf("merge has trim point %v and frontier %v, want %v and 0", out.TrimPoint(), out.Frontier(), trim)
	}
}

// load replaces the log by what an image of it gives.
func (w *world) load() {
	w.closeCursor()
	w.log.Seal(w.front)
	w.sealNow()
	_, image := contents(w.tb, w.log, w.trim)
	fresh := newLog(w.tb, w.cfg)
	if err := fresh.Load(w.trim, w.front, image); err != nil {
		w.tb.Fatal(err)
	}
	w.log.Close()
	w.log, w.left = fresh, nil
}

// refuse asks for what is trimmed.
func (w *world) refuse() {
	if w.trim == 0 {
		return
	}
	var trimmed *TrimmedError
	if _, err := w.log.OpenCursor(w.trim - 1); !errors.As(err, &trimmed) || trimmed.Trim != w.trim {
		w.tb.Fatalf("log opened below its trim point: %v", err)
	}
}

// check compares what must hold after every step.
func (w *world) check() {
	for _, l := range w.lent {
		if !bytes.Equal(l.frame.Data, l.bytes) {
			w.tb.Fatal("a lent frame has changed")
		}
	}
	l := w.log
	if l.TrimPoint() != w.trim {
		w.tb.Fatalf("trim point %v, want %v", l.TrimPoint(), w.trim)
	}
	q := &l.queue
	var live, spilled int64
	for i, c := range q.chunks {
		if i < q.head && c.live != 0 || i > 0 && c.seq != q.chunks[i-1].seq+1 {
			w.tb.Fatalf("chunk %d of %d: %d bytes live", i, len(q.chunks), c.live)
		}
		if i < q.resident {
			spilled += int64(c.live)
		} else {
			live += int64(c.live)
		}
	}
	if full := live+l.open.bytes() >= l.cfg.CapacityBytes; l.Full() != full {
		w.tb.Fatalf("full is %v with %d bytes live and %d open of %d", l.Full(), live, l.open.bytes(), l.cfg.CapacityBytes)
	}
	if live != q.live || spilled != q.spilled {
		w.tb.Fatalf("%d bytes live and %d spilled, want %d and %d", q.live, q.spilled, live, spilled)
	}
	if got := w.log.SpilledBytes(); got > 0 && w.cfg.SpillDir == "" {
		w.tb.Fatalf("%d bytes spilled without a directory", got)
	}
}

// number makes a payload of eight bytes.
func number(n uint64) []byte { return binary.LittleEndian.AppendUint64(nil, n) }
