package buffers

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"runtime"
	"strings"
	"sync"
	"testing"
	"unsafe"

	"github.com/fullspate/spate/wire"
	"github.com/fullspate/spate/wire/slab"
)

// fill appends n tuples with times from first on, two of each time, and seals.
func fill(l *Log, first wire.Time, n int) {
	size := l.cfg.PayloadSize
	if size == 0 {
		size = 16
	}
	for i := range n {
		t := first + wire.Time(i/2)
		appendRow(l, row{t, uint64(t), make([]byte, size)})
	}
	l.Seal(first + wire.Time((n+1)/2))
}

// expectBug runs fn, which must panic with a bug that says what.
func expectBug(t *testing.T, what string, fn func()) {
	t.Helper()
	defer func() {
		t.Helper()
		if r := fmt.Sprint(recover()); !strings.HasPrefix(r, "BUG: ") || !strings.Contains(r, what) {
			t.Errorf("panic %q, want a BUG with %q", r, what)
		}
	}()
	fn()
}

func TestConfig(t *testing.T) {
	pool := newPool(t)
	for _, c := range []struct {
		cfg  Config
		want []string // parts of the error; none is fine
	}{
		{Config{Pool: pool}, nil},
		{Config{Pool: pool, PayloadSize: PayloadBytesMax, FrameBytes: 1 << 20, ChunkBytes: 2 << 20, CapacityBytes: 1}, nil},
		{Config{}, []string{"Pool"}},
		{Config{PayloadSize: 12, FrameBytes: 8, ChunkBytes: 5000, CapacityBytes: -1, SpillBytesMax: -1},
			[]string{"Pool", "PayloadSize is 12", "FrameBytes is 8", "ChunkBytes is 5000", "CapacityBytes is -1", "SpillBytesMax is -1"}},
		{Config{Pool: pool, PayloadSize: PayloadBytesMax + 8}, []string{"PayloadSize"}},
	} {
		l, err := New(c.cfg)
		if (err != nil) != (c.want != nil) {
			t.Errorf("%+v: error %v", c.cfg, err)
		}
		for _, w := range c.want {
			if err != nil && !strings.Contains(err.Error(), w) {
				t.Errorf("error %q does not say %q", err, w)
			}
		}
		if l != nil && (l.cfg.FrameBytes > l.cfg.ChunkBytes || l.Full() || l.Bytes() != 0) {
			t.Errorf("%+v: frames of %d bytes in chunks of %d", c.cfg, l.cfg.FrameBytes, l.cfg.ChunkBytes)
		}
	}
}

func TestCapacity(t *testing.T) {
	l := newLog(t, Config{Pool: newPool(t), PayloadSize: 48, FrameBytes: 1024, CapacityBytes: 10000})
	n := 0
	for ; !l.HalfFull(); n++ {
		l.AppendFixed(wire.Time(n), 0)
	}
	if l.Full() || n < 60 || n > 5000/64 {
		t.Errorf("half full after %d tuples of 64 bytes", n)
	}
	for ; !l.Full(); n++ {
		l.AppendFixed(wire.Time(n), 0)
	}
	if n < 130 || n > 10000/64 {
		t.Errorf("full after %d tuples of 64 bytes", n)
	}
	for range 1000 { // a step may overrun
		l.AppendFixed(wire.Time(n), 0)
	}
	l.Seal(wire.Time(n))
	if b := l.Bytes(); b < 64*int64(n+1000) || b > 64*int64(n+1000)*11/10 {
		t.Errorf("%d tuples of 64 bytes take %d", n+1000, b)
	}
	l.Trim(wire.Time(n))
	if l.Full() == false {
		t.Errorf("not full with %d bytes of one time", l.Bytes())
	}
	l.Trim(wire.Time(n + 1))
	if l.Bytes() != 0 || l.HalfFull() {
		t.Errorf("%d bytes after all is trimmed", l.Bytes())
	}
}

// TestLargeTuples has tuples around the sizes of frames and slabs.
func TestLargeTuples(t *testing.T) {
	l := newLog(t, Config{Pool: newPool(t), FrameBytes: 256, ChunkBytes: 4096})
	var rows []row
	for i, size := range []int{0, 1, 167, 168, 169, 4000, 4096, 65536, PayloadBytesMax - 1, PayloadBytesMax, 3} {
		r := row{wire.Time(i), 1, make([]byte, size)}
		rows = append(rows, r)
		appendRow(l, r)
	}
	l.Seal(100)
	got, image := contents(t, l, 0)
	sameRows(t, "large", got, rows)

	again := newLog(t, l.cfg)
	if err := again.Load(2, 100, image); err != nil {
		t.Fatal(err)
	}
	got, _ = contents(t, again, 2)
	sameRows(t, "loaded", got, rows[2:])

	defer func() {
		var e *TupleSizeError
		if err, _ := recover().(error); !errors.As(err, &e) || e.Bytes != PayloadBytesMax+1 {
			t.Errorf("panic with %v, want a TupleSizeError", err)
		}
	}()
	l.Append(100, 0, PayloadBytesMax+1)
}

func TestBudget(t *testing.T) {
	pool := slab.New(slab.Config{Budget: 64 << 10})
	t.Cleanup(func() {
		if err := pool.Close(); err != nil {
			t.Error(err)
		}
	})
	l := newLog(t, Config{Pool: pool, PayloadSize: 48, ChunkBytes: 16 << 10})
	n := 0
	func() {
		defer func() {
			var e *slab.BudgetError
			if err, _ := recover().(error); !errors.As(err, &e) {
				t.Errorf("panic with %v, want a BudgetError", err)
			}
		}()
		for {
			*(*[6]uint64)(l.AppendFixed(wire.Time(n), 0)) = [6]uint64{uint64(n)}
			n++
		}
	}()
	l.Seal(wire.Time(n))
	got, image := contents(t, l, 0)
	if len(got) != n {
		t.Errorf("%d tuples after the budget was used up, want %d", len(got), n)
	}
	var e *slab.BudgetError
	other := newLog(t, l.cfg)
	if err := other.Load(0, 0, image); !errors.As(err, &e) || other.Bytes() != 0 {
		t.Errorf("load without memory: %v, %d bytes", err, other.Bytes())
	}
	if _, err := Merge([]*Log{l}, l.cfg); !errors.As(err, &e) {
		t.Errorf("merge without memory: %v", err)
	}
	l.Trim(wire.Time(n)) // and then it goes on
	fill(l, wire.Time(n), 10)
}

func TestBugs(t *testing.T) {
	pool := newPool(t)
	fixed := newLog(t, Config{Pool: pool, PayloadSize: 8})
	fill(fixed, 10, 10)
	variable := newLog(t, Config{Pool: pool})
	expectBug(t, "goes back", func() { fixed.Advance(3) })
	expectBug(t, "goes back", func() { fixed.Seal(3) })
	expectBug(t, "payload of 9 bytes", func() { fixed.Append(20, 0, 9) })
	expectBug(t, "payload of -1 bytes", func() { variable.Append(20, 0, -1) })
	expectBug(t, "AppendFixed", func() { variable.AppendFixed(20, 0) })
	expectBug(t, "in use", func() { _ = fixed.Load(0, 0, nil) })
	expectBug(t, "configurations", func() { _, _ = fixed.Split(nil, make([]Config, 1)) })
	expectBug(t, "no logs", func() { _, _ = Merge(nil, Config{}) })
	fresh := newLog(t, Config{Pool: pool, PayloadSize: 8})
	fresh.AppendFixed(7, 0)
	expectBug(t, "passes the unsealed", func() { fresh.Advance(8) })
	fresh.Advance(7)
	expectBug(t, "", func() { // order
		fresh.AppendFixed(6, 0)
		fresh.Seal(8)
	})
	expectBug(t, "", func() { // below the frontier
		fixed.AppendFixed(14, 0)
		fixed.Seal(15)
	})
	ended := newLog(t, Config{Pool: pool, PayloadSize: 8})
	ended.End(5)
	expectBug(t, "after its end", func() { ended.AppendFixed(7, 0) })
	c, err := ended.OpenCursor(0)
	if err != nil {
		t.Fatal(err)
	}
	expectBug(t, "while it is read", ended.Clear)
	c.Close()
	expectBug(t, "closed twice", c.Close)
	ended.Clear()
	if _, err := Merge([]*Log{variable}, fixed.cfg); err == nil {
		t.Error("logs of different payloads merged")
	}
}

func TestEnd(t *testing.T) {
	l := newLog(t, Config{Pool: newPool(t), PayloadSize: 16})
	c, err := l.OpenCursor(0)
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	fill(l, 1, 4)
	appendRow(l, row{9, 9, make([]byte, 16)})
	l.End(42)
	if _, ok := c.Ended(); ok {
		t.Error("ended before it was read")
	}
	for _, want := range []int{4, 1} {
		f, ok := c.Next()
		if got := len(rowsOf(f)); !ok || got != want {
			t.Errorf("%d tuples, want %d", got, want)
		}
		if _, ok := c.Ended(); ok || c.Frontier() != 0 {
			t.Error("ended before all of it was read")
		}
	}
	if _, ok := c.Next(); ok {
		t.Error("a frame too many")
	}
	if e, ok := c.Ended(); !ok || e != 42 || c.Frontier() != wire.TimeMax {
		t.Errorf("ended at %v, %v, frontier %v", e, ok, c.Frontier())
	}
	if e, ok := l.Ended(); !ok || e != 42 {
		t.Errorf("log ended at %v, %v", e, ok)
	}

	other := newLog(t, l.cfg)
	other.Advance(7)
	m, err := Merge([]*Log{l, other}, l.cfg)
	if err != nil {
		t.Fatal(err)
	}
	defer m.Close()
	if _, ok := m.Ended(); ok || m.Frontier() != 7 {
		t.Errorf("merge with a log that goes on has ended, frontier %v", m.Frontier())
	}
	other.End(50)
	m2, err := Merge([]*Log{l, other}, l.cfg)
	if err != nil {
		t.Fatal(err)
	}
	defer m2.Close()
	if e, ok := m2.Ended(); !ok || e != 50 || m2.Frontier() != wire.TimeMax {
		t.Errorf("merge of ended logs: %v, %v, frontier %v", e, ok, m2.Frontier())
	}
}

// TestSeek opens logs of both kinds at every time.
func TestSeek(t *testing.T) {
	for _, size := range []int{0, 16} {
		l := newLog(t, Config{Pool: newPool(t), PayloadSize: size, FrameBytes: 256, ChunkBytes: 4096})
		var rows []row
		r := rand.New(rand.NewPCG(1, 2))
		for tm := wire.Time(5); tm < 600; tm += wire.Time(r.IntN(4)) {
			rows = append(rows, row{tm, uint64(tm), make([]byte, 16)})
			appendRow(l, rows[len(rows)-1])
			if r.IntN(30) == 0 {
				l.Seal(tm)
			}
		}
		l.Seal(601)
		for from := wire.Time(0); from < 605; from++ {
			got, _ := contents(t, l, from)
			sameRows(t, fmt.Sprint("from ", from), got, rows[search(rows, from):])
		}
	}
}

// TestFrozen checks that frames keep their bytes and their place while the log
// goes on: the same memory is read, sent and stored.
func TestFrozen(t *testing.T) {
	l := newLog(t, Config{Pool: newPool(t), PayloadSize: 16})
	c, err := l.OpenCursor(0)
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	fill(l, 1, 100)
	f, ok := c.Next()
	if !ok {
		t.Fatal("no frame")
	}
	for g := range l.Frames(0) {
		if unsafe.SliceData(g.Data) != unsafe.SliceData(f.Data) {
			t.Error("a frame was copied")
		}
	}
	if uintptr(unsafe.Pointer(unsafe.SliceData(f.Data)))%frameAlign != 0 {
		t.Error("a frame is not aligned")
	}
}

// TestSmallFrames checks that frames flushed early are laid close together.
func TestSmallFrames(t *testing.T) {
	pool := newPool(t)
	l := newLog(t, Config{Pool: pool, PayloadSize: 40})
	for i := range wire.Time(1000) {
		l.AppendFixed(i, 0)
		l.Seal(i + 1)
	}
	if got := l.Bytes(); got != 1000*128 {
		t.Errorf("1,000 frames of one tuple take %d bytes, want 128,000", got)
	}
	if got := pool.Stats().InUse; got > 3*128000 {
		t.Errorf("slabs of %d bytes for 128,000", got)
	}
}

// TestHandOver has a writer and a reader on two goroutines, with a few slabs
// that are used again and again, and a reader that holds on to frames for a
// while and compares them when it lets go.
// TestSealed holds the count of frames against what a cursor gives.
func TestSealed(t *testing.T) {
	cfg := Config{PayloadSize: 8, FrameBytes: 256, Pool: newPool(t)}
	l := newLog(t, cfg)
	c, err := l.OpenCursor(0)
	if err != nil {
		t.Fatal(err)
	}
	read := uint64(0)
	for i := range 40 {
		fill(l, wire.Time(100*i), i%15)
		for _, ok := c.Next(); ok; _, ok = c.Next() {
			read++
		}
		if l.Sealed() != read {
			t.Fatalf("%d frames are sealed, the cursor gave %d", l.Sealed(), read)
		}
	}
	_, image := contents(t, l, 0)
	c.Close()
	loaded := newLog(t, cfg)
	if err := loaded.Load(0, l.Frontier(), image); err != nil || loaded.Sealed() != read || read < 40 {
		t.Errorf("%d frames after loading %d: %v", loaded.Sealed(), read, err)
	}
	if l.Clear(); l.Sealed() != 0 {
		t.Errorf("%d frames in an empty log", l.Sealed())
	}
}

func TestHandOver(t *testing.T) {
	for _, spill := range []bool{false, true} {
		for _, onAck := range []bool{true, false} {
			t.Run(fmt.Sprintf("spill=%v,trimOnAck=%v", spill, onAck), func(t *testing.T) {
				cfg := Config{Pool: newPool(t), PayloadSize: 8, FrameBytes: 512, ChunkBytes: 4096, CapacityBytes: 32 << 10, TrimOnAck: onAck}
				if spill {
					cfg.SpillDir = t.TempDir()
				}
				handOver(t, newLog(t, cfg), 60000)
			})
		}
	}
}

func handOver(t *testing.T, l *Log, n int) {
	c, err := l.OpenCursor(0)
	if err != nil {
		t.Fatal(err)
	}
	var wg sync.WaitGroup
	wg.Go(func() { readAll(t, c, n) })
	r := rand.New(rand.NewPCG(7, 7))
	peak := int64(0)
	for i := 0; i < n; {
		l.Collect()
		if !l.cfg.TrimOnAck { // as if the reader's checkpoints came at once
			if acked := wire.Time(c.shared.acked.Load()); r.IntN(8) == 0 {
				l.Trim(acked)
			}
		}
		if l.Full() {
			runtime.Gosched()
			if l.cfg.TrimOnAck || l.cfg.SpillDir == "" {
				l.Trim(wire.Time(c.shared.acked.Load()))
			}
			continue
		}
		for range min(n-i, r.IntN(100)) {
			*(*uint64)(l.AppendFixed(wire.Time(i/3), 5)) = uint64(i)
			i++
		}
		l.Seal(wire.Time(i / 3))
		peak = max(peak, l.queue.live)
	}
	l.End(1)
	wg.Wait()
	if peak > l.cfg.CapacityBytes+4096 {
		t.Errorf("%d bytes in a log of %d", peak, l.cfg.CapacityBytes)
	}
	if err := l.Err(); err != nil {
		t.Error(err)
	}
}

func readAll(t *testing.T, c *Cursor, n int) {
	defer c.Close()
	type held struct {
		data  []byte
		first uint64
	}
	var hold []held
	next := uint64(0)
	release := func(all bool) {
		for len(hold) > 0 && (all || len(hold) > 5) {
			h := hold[0]
			hold = hold[1:]
			want := h.first
			for v := wire.View(h.data); v.Valid(); v.Advance() {
				if got := *wire.As[uint64](&v); got != want || v.Time() != wire.Time(want/3) {
					t.Errorf("tuple %d at %v, want %d", got, v.Time(), want)
					return
				}
				want++
			}
			c.Ack(wire.Time((want - 1) / 3))
		}
	}
	polled := wire.Time(0)
	for {
		polled = max(polled, c.Poll())
		f, ok := c.Next()
		if ok {
			hold = append(hold, held{f.Data, next})
			next += uint64(wire.HeaderOf(f.Data).Count)
			release(false)
			continue
		}
		if err := c.Err(); err != nil {
			t.Error(err)
			return
		}
		if front := c.Frontier(); front < polled {
			t.Errorf("frontier %v after %v was polled", front, polled)
			return
		}
		if front := c.Frontier(); front != wire.TimeMax && uint64(front) > (next+2)/3 {
			t.Errorf("frontier %d after tuple %d", front, next)
			return
		}
		release(true)
		if _, ok := c.Ended(); ok {
			break
		}
		runtime.Gosched()
	}
	if next != uint64(n) {
		t.Errorf("%d tuples, want %d", next, n)
	}
}

// TestUseAfterTrim checks that a reader that looks at a frame which it has
// acknowledged finds out, where assertions are compiled in.
func TestUseAfterTrim(t *testing.T) {
	if !invariants {
		t.Skip("released slabs are filled with -tags invariants only")
	}
	l := newLog(t, Config{Pool: newPool(t), PayloadSize: 16, FrameBytes: 1024, ChunkBytes: 4096, TrimOnAck: true})
	c, err := l.OpenCursor(0)
	if err != nil {
		t.Fatal(err)
	}
	fill(l, 1, 1000)
	f, _ := c.Next()
	for {
		if _, ok := c.Next(); !ok {
			break
		}
	}
	c.Ack(c.Frontier())
	if err := wire.Verify(f.Data); err != nil {
		t.Error(err)
	}
	l.Collect()
	if err := wire.Verify(f.Data); err == nil || f.Data[0] != 0xCC {
		t.Errorf("a trimmed frame still reads well: %v", err)
	}
	c.Close()
}

// TestPinned checks that what is trimmed stays while the reader is not past it.
func TestPinned(t *testing.T) {
	pool := newPool(t)
	l := newLog(t, Config{Pool: pool, PayloadSize: 16, FrameBytes: 1024, ChunkBytes: 4096})
	c, err := l.OpenCursor(0)
	if err != nil {
		t.Fatal(err)
	}
	fill(l, 1, 1000)
	f, _ := c.Next()
	l.Trim(400)
	before := pool.Stats().InUse
	if err := wire.Verify(f.Data); err != nil || l.Bytes() > 10000 {
		t.Errorf("a frame that is read went: %v, %d bytes left", err, l.Bytes())
	}
	for {
		if _, ok := c.Next(); !ok {
			break
		}
	}
	l.Collect()
	if pool.Stats().InUse != before {
		t.Error("memory was given back that is not acknowledged")
	}
	c.Ack(399)
	l.Collect()
	if after := pool.Stats().InUse; after > before/2 {
		t.Errorf("%d bytes of slabs, of %d, after the reader has passed", after, before)
	}
	c.Close()
	l.Trim(wire.TimeMax)
	if l.Bytes() != 0 || len(l.queue.chunks) != 1 {
		t.Errorf("%d bytes in %d chunks", l.Bytes(), len(l.queue.chunks))
	}
}

// TestAllocations checks that a log in use allocates nothing.
func TestAllocations(t *testing.T) {
	if invariants {
		t.Skip("assertions allocate")
	}
	l := newLog(t, Config{Pool: newPool(t), PayloadSize: 40, FrameBytes: 4096, CapacityBytes: 64 << 10, TrimOnAck: true})
	c, err := l.OpenCursor(0)
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	now, sum := wire.Time(1), 0
	turn := func() {
		for range 500 {
			*(*report)(l.AppendFixed(now, 1)) = report{}
			now++
		}
		l.Seal(now)
		for {
			f, ok := c.Next()
			if !ok {
				break
			}
			for v := f.View(); v.Valid(); v.Advance() {
				sum++
			}
		}
		c.Ack(c.Frontier())
		l.Collect()
	}
	for range 10 {
		turn()
	}
	if n := testing.AllocsPerRun(200, turn); n != 0 || sum == 0 {
		t.Errorf("%v allocations in a turn of 500 tuples", n)
	}
}

// TestTrimByReader trims by what the reader says is not needed any more, not by what it has consumed.
func TestTrimByReader(t *testing.T) {
	pool := slab.New(slab.Config{})
	l, err := New(Config{Stream: 1, PayloadSize: 8, FrameBytes: 256, CapacityBytes: 2 << 10, Pool: pool})
	if err != nil {
		t.Fatal(err)
	}
	a, err := l.OpenCursor(0)
	if err != nil {
		t.Fatal(err)
	}
	for i := range wire.Time(60) {
		l.Append(i+1, 0, 8)
	}
	l.Seal(61)
	for _, ok := a.Next(); ok; _, ok = a.Next() {
	}
	a.Ack(61)
	if l.Collect(); l.TrimPoint() != 0 || !a.HalfFull() {
		t.Fatalf("trimmed at %v, half full %v; want 0 and true: %d bytes were consumed, none of them durable", l.TrimPoint(), a.HalfFull(), l.Bytes())
	}
	b, err := l.OpenCursor(5)
	if err != nil {
		t.Fatal(err)
	}
	a.Trim(50)
	if l.Collect(); l.TrimPoint() != 0 {
		t.Fatalf("trimmed at %v though another reader has not said anything", l.TrimPoint())
	}
	b.Trim(40)
	b.Trim(30)
	if l.Collect(); l.TrimPoint() != 40 || a.HalfFull() {
		t.Fatalf("trimmed at %v, half full %v; want 40 and false", l.TrimPoint(), a.HalfFull())
	}
	b.Close()
	if l.Collect(); l.TrimPoint() != 40 {
		t.Fatalf("trimmed at %v by a reader's end", l.TrimPoint())
	}
	if l.Collect(); l.TrimPoint() != 50 {
		t.Fatalf("trimmed at %v, want 50: only one reader is left", l.TrimPoint())
	}
	a.Close()
	if err := errors.Join(l.Close(), pool.Close()); err != nil {
		t.Fatal(err)
	}
}

// TestBystander reads a log of which nothing is left, in its own time.
func TestBystander(t *testing.T) {
	for _, consumption := range []bool{false, true} {
		pool := slab.New(slab.Config{})
		l, err := New(Config{Stream: 1, PayloadSize: 8, FrameBytes: 256, ChunkBytes: 4 << 10, Pool: pool, TrimOnAck: consumption})
		if err != nil {
			t.Fatal(err)
		}
		fill := func(from, to wire.Time) {
			for at := from; at < to; at++ {
				l.Append(at, 0, 8)
			}
			l.Seal(to)
		}
		fill(1, 1000)
		b, err := l.OpenBystander(0)
		if err != nil {
			t.Fatal(err)
		}
		if l.Collect(); l.TrimPoint() != 0 {
			t.Fatalf("a bystander has the log trimmed at %v", l.TrimPoint())
		}
		c, err := l.OpenCursor(0)
		if err != nil {
			t.Fatal(err)
		}
		for _, ok := c.Next(); ok; _, ok = c.Next() {
		}
		c.Ack(1000)
		c.Trim(1000)
		if l.Collect(); l.TrimPoint() != 1000 {
			t.Fatalf("a bystander keeps the log from being trimmed: it is at %v", l.TrimPoint())
		}
		fill(1000, 2000)
		want := wire.Time(1)
		for f, ok := b.Next(); ok; f, ok = b.Next() {
			for view := f.View(); view.Valid(); view.Advance() {
				if view.Time() != want {
					t.Fatalf("the bystander reads %v, want %v", view.Time(), want)
				}
				want++
			}
		}
		if want != 2000 {
			t.Fatalf("the bystander has read up to %v, want 2000", want)
		}
		b.Close()
		c.Close()
		if err := errors.Join(l.Close(), pool.Close()); err != nil {
			t.Fatal(err)
		}
	}
}
