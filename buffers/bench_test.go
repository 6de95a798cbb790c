package buffers

import (
	"sync"
	"testing"

	"github.com/fullspate/spate/partition"
	"github.com/fullspate/spate/wire"
	"github.com/fullspate/spate/wire/slab"
)

// report is a payload of 40 bytes.
type report struct {
	Vehicle, Position, Toll, Odometer uint64
	Segment, Speed                    uint32
}

func (r *report) sum() uint64 {
	return r.Vehicle + r.Position + r.Toll + r.Odometer + uint64(r.Segment) + uint64(r.Speed)
}

// set writes all fields.
func (r *report) set(n uint64) {
	r.Vehicle, r.Position, r.Toll, r.Odometer = n, n*3, 7, n>>3
	r.Segment, r.Speed = uint32(n)&127, 55
}

const reportBytes = 40

// BenchmarkAppendSeal writes and seals tuples of 40 bytes into a log that is
// trimmed as it grows.
func BenchmarkAppendSeal(b *testing.B) {
	pool := slab.New(slab.Config{HugePages: true})
	l, err := New(Config{PayloadSize: reportBytes, Pool: pool})
	if err != nil {
		b.Fatal(err)
	}
	const batch = 1000
	t := wire.At(0, 0, 1)
	for b.Loop() {
		for range batch {
			(*report)(l.AppendFixed(t, partition.HashUint64(uint64(t)))).set(uint64(t))
			t++
		}
		l.Seal(t)
		l.Trim(t)
	}
	perTuple(b, batch)
	closeBench(b, pool, l)
}

// BenchmarkAppendVariable is the same with byte strings.
func BenchmarkAppendVariable(b *testing.B) {
	pool := slab.New(slab.Config{HugePages: true})
	l, err := New(Config{Pool: pool})
	if err != nil {
		b.Fatal(err)
	}
	const batch = 1000
	text := []byte("a payload of some forty bytes, all told.")
	t := wire.At(0, 0, 1)
	for b.Loop() {
		for range batch {
			copy(l.Append(t, uint64(t), len(text)), text)
			t++
		}
		l.Seal(t)
		l.Trim(t)
	}
	perTuple(b, batch)
	closeBench(b, pool, l)
}

func perTuple(b *testing.B, n int) {
	b.ReportMetric(float64(b.N)*float64(n)/b.Elapsed().Seconds(), "tuples/s")
	b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N)/float64(n), "ns/tuple")
	b.ReportMetric(0, "ns/op")
}

func closeBench(b *testing.B, pool *slab.Pool, logs ...*Log) {
	closeAll(logs)
	if err := pool.Close(); err != nil {
		b.Fatal(err)
	}
}

const (
	handoverTuples = 1 << 20 // each loop makes so many
	handoverTurn   = 2048    // tuples made in a turn
	handoverBudget = 4096    // tuples merged in a turn, and then acknowledged, as loops of the engine do
)

// BenchmarkHandOver runs two loops. Each makes tuples for both and merges by
// time what both made: write all fields, seal, check sum, verify, merge two
// channels, read all fields.
func BenchmarkHandOver(b *testing.B) {
	b.Run("log", func(b *testing.B) {
		pool := slab.New(slab.Config{HugePages: true})
		for b.Loop() {
			runLoops(b, newLogLoops(b, pool))
		}
		perTuple(b, 2*handoverTuples)
		closeBench(b, pool)
	})
	b.Run("channel", func(b *testing.B) { // the baseline: slices of structs, neither summed nor verified
		for b.Loop() {
			runLoops(b, newChannelLoops())
		}
		perTuple(b, 2*handoverTuples)
	})
}

// turner is a loop: turn makes and merges some tuples and says when it is done.
type turner interface {
	turn() (done bool)
	result() (tuples int, sum uint64)
}

func runLoops(b *testing.B, loops [2]turner) {
	var wg sync.WaitGroup
	for _, l := range loops {
		wg.Go(func() {
			for !l.turn() {
			}
		})
	}
	wg.Wait()
	tuples, sum := 0, uint64(0)
	for _, l := range loops {
		n, s := l.result()
		tuples, sum = tuples+n, sum+s
	}
	if tuples != 2*handoverTuples || sum != handoverSum() {
		b.Fatalf("%d tuples with sum %d, want %d with %d", tuples, sum, 2*handoverTuples, handoverSum())
	}
}

var handoverSum = sync.OnceValue(func() (sum uint64) {
	for n := range uint64(2 * handoverTuples) {
		var r report
		r.set(n)
		sum += r.sum()
	}
	return sum
})

// merger adds up what it is given, and checks the order.
type merger struct {
	tuples int
	sum    uint64
	last   wire.Time
}

func (m *merger) result() (int, uint64) { return m.tuples, m.sum }

// logLoop is a loop on logs: outs to both loops, ins from both.
type logLoop struct {
	merger
	made uint64 // numbers of tuples made; the loop's are even or odd
	self uint64
	outs [2]*Log
	ins  [2]logInput
	wake chan struct{} // of this loop
	peer chan struct{} // of the other one
}

type logInput struct {
	cursor *Cursor
	tuples wire.Tuples
	limit  wire.Time // of the tuple it stands on, or the frontier
	acked  wire.Time
	has    bool
	closed bool
}

func newLogLoops(b *testing.B, pool *slab.Pool) [2]turner {
	x, y := make(chan struct{}, 1), make(chan struct{}, 1)
	loops := [2]*logLoop{{self: 0, wake: x, peer: y}, {self: 1, wake: y, peer: x}}
	for i := range loops {
		for j := range loops {
			l, err := New(Config{PayloadSize: reportBytes, Pool: pool, CapacityBytes: 1 << 20, TrimOnAck: true})
			if err != nil {
				b.Fatal(err)
			}
			c, err := l.OpenCursor(0)
			if err != nil {
				b.Fatal(err)
			}
			loops[i].outs[j], loops[j].ins[i].cursor = l, c
		}
	}
	return [2]turner{loops[0], loops[1]}
}

func (l *logLoop) turn() bool {
	progress := l.make()
	progress = l.merge() || progress
	for i := range l.ins {
		progress = l.ins[i].acknowledge() || progress
	}
	done := l.made == handoverTuples && l.ins[0].closed && l.ins[1].closed && l.left()
	if !progress && !done {
		<-l.wake
		return false
	}
	select {
	case l.peer <- struct{}{}:
	default:
	}
	return done
}

// left closes the logs once both readers are gone.
func (l *logLoop) left() bool {
	for _, out := range l.outs {
		out.Collect()
		if len(out.cursors) > 0 {
			return false
		}
	}
	closeAll(l.outs[:])
	return true
}

// acknowledge tells how far the loop is, and closes the cursor at the end.
func (in *logInput) acknowledge() (progress bool) {
	if in.closed || in.limit == in.acked {
		return false
	}
	in.acked = in.limit
	in.cursor.Ack(in.limit)
	if in.limit == wire.TimeMax {
		in.cursor.Close()
		in.closed = true
	}
	return true
}

func (l *logLoop) make() bool {
	if l.made == handoverTuples {
		return false
	}
	l.outs[0].Collect()
	l.outs[1].Collect()
	if l.outs[0].Full() || l.outs[1].Full() {
		return false
	}
	for range handoverTurn {
		n := l.made*2 + l.self
		hash := partition.HashUint64(n)
		(*report)(l.outs[hash>>63].AppendFixed(wire.Time(n), hash)).set(n)
		l.made++
	}
	for _, out := range l.outs {
		out.Seal(wire.Time(l.made * 2))
		if l.made == handoverTuples {
			out.End(0)
		}
	}
	return true
}

func (l *logLoop) merge() (progress bool) {
	for end := l.tuples + handoverBudget; l.tuples < end; progress = true {
		a, b := &l.ins[0], &l.ins[1]
		if !a.has {
			a.refill()
		}
		if !b.has {
			b.refill()
		}
		if b.limit < a.limit {
			a, b = b, a
		}
		if !a.has {
			return progress
		}
		l.run(a, b.limit)
	}
	return progress
}

// run takes what a has up to limit, the other input's.
func (l *logLoop) run(a *logInput, limit wire.Time) {
	t, sum, last, n := a.tuples, l.sum, l.last, 0
	now := t.Time()
	for now <= limit {
		if now < last {
			panic("out of order")
		}
		last = now
		sum += wire.As[report](&t).sum()
		n++
		if t.Advance(); !t.Valid() {
			a.has = false
			break
		}
		now = t.Time()
	}
	a.tuples, a.limit = t, now
	l.sum, l.last = sum, last
	l.tuples += n
}

func (in *logInput) refill() {
	if in.closed {
		return
	}
	f, ok := in.cursor.Next()
	if !ok {
		in.limit = in.cursor.Frontier()
		return
	}
	if err := wire.Verify(f.Data); err != nil {
		panic(err)
	}
	in.tuples = f.View()
	in.limit, in.has = in.tuples.Time(), true
}
