//go:build unix

package state

import (
	"fmt"
	"io"
	"math/rand/v2"
	"os"
	"runtime"
	"slices"
	"strconv"
	"testing"
	"time"

	"github.com/HdrHistogram/hdrhistogram-go"
	"golang.org/x/sys/unix"

	"github.com/fullspate/spate/partition"
	"github.com/fullspate/spate/wire"
)

// benchBytes is how large maps are in benchmarks of snapshots and splits. The
// published numbers are of 1 GiB:
//
//	SPATE_STATE_MIB=1024 go test ./state -run xxx -bench 'Snapshot|Split' -benchtime 1x
func benchBytes(b *testing.B) int64 {
	mib := int64(16)
	if s := os.Getenv("SPATE_STATE_MIB"); s != "" {
		n, err := strconv.ParseInt(s, 10, 32)
		if err != nil || n < 1 {
			b.Fatalf("SPATE_STATE_MIB is %q, must be a number of MiB", s)
		}
		mib = n
	}
	return mib << 20
}

// filled is a map with about that many bytes of records.
func filled(b *testing.B, bytes int64) (*Map, Fixed[val32], int) {
	n := int(bytes / 40)
	m := benchMap[val32](b, Uint64, None, int64(n))
	f, err := NewFixed[val32](m)
	if err != nil {
		b.Fatal(err)
	}
	for i := range n {
		v, _ := f.Upsert(partition.HashUint64(uint64(i)))
		v.A = uint64(i)
	}
	return m, f, n
}

// threadTime is the processor time of the thread, which must be locked.
func threadTime() time.Duration {
	var ts unix.Timespec
	if err := unix.ClockGettime(unix.CLOCK_THREAD_CPUTIME_ID, &ts); err != nil {
		panic(err)
	}
	return time.Duration(ts.Nano())
}

// paced is an owner's loop on a locked thread: writes at a rate, and between
// batches of them whatever else it is given to do.
type paced struct {
	f    Fixed[val32]
	n    int
	rate float64 // writes per second
	r    *rand.Rand
	gaps *hdrhistogram.Histogram // ns from turn to turn, by the clock,
	used *hdrhistogram.Histogram // and of processor time
}

func newPaced(f Fixed[val32], n int) *paced {
	return &paced{
		f: f, n: n, rate: 1e6, r: rand.New(rand.NewPCG(1, 1)),
		gaps: hdrhistogram.New(1, 1e11, 3), used: hdrhistogram.New(1, 1e11, 3),
	}
}

// run goes on for d, or as long as also says true.
func (p *paced) run(d time.Duration, also func() bool) {
	start, used := time.Now(), threadTime()
	last, wrote := start, 0
	for {
		now, u := time.Now(), threadTime()
		_ = p.gaps.RecordValue(int64(now.Sub(last)))
		_ = p.used.RecordValue(int64(u - used))
		last, used = now, u
		elapsed := now.Sub(start)
		if elapsed >= d && (also == nil || !also()) || elapsed > time.Minute {
			return
		}
		due := min(int(elapsed.Seconds()*p.rate), wrote+256)
		for ; wrote < due; wrote++ {
			p.f.Mut(partition.HashUint64(p.r.Uint64N(uint64(p.n)))).B++
		}
	}
}

// report names the tails of the turns.
func (p *paced) report(b *testing.B, name string) {
	b.ReportMetric(µs(p.gaps, 99.99), name+"-p99.99-µs")
	b.ReportMetric(µs(p.gaps, 100), name+"-max-µs")
	b.ReportMetric(µs(p.used, 99.99), name+"-cpu-p99.99-µs")
	b.ReportMetric(µs(p.used, 100), name+"-cpu-max-µs")
}

func µs(h *hdrhistogram.Histogram, q float64) float64 { return float64(h.ValueAtQuantile(q)) / 1000 }

// sliced is what the slices of snapshots take from the owner's loop.
type sliced struct {
	clock, cpu *hdrhistogram.Histogram // ns
}

// sliceBudget is what Step is given. A slice takes the same again in the worst
// of ten thousand cases, for interrupts and segments that are slow to read.
const sliceBudget = 50 * time.Microsecond

// take takes a snapshot within p's turns and says how long it took.
func (sl *sliced) take(b *testing.B, m *Map, p *paced, kind Kind, position wire.Time) time.Duration {
	start := time.Now()
	s, err := m.Freeze(kind, position)
	if err != nil {
		b.Fatal(err)
	}
	freeze := time.Since(start)
	s.SetBacklog(8 << 20)
	encoded := make(chan error, 1)
	go func() {
		_, err := s.Encode(io.Discard, S2)
		encoded <- err
	}()
	p.run(0, func() bool {
		start, used, copied := time.Now(), threadTime(), s.Copied()
		done := s.Step(sliceBudget, time.Now)
		if s.Copied() > copied { // else the encoder is behind
			_ = sl.cpu.RecordValue(int64(threadTime() - used))
			_ = sl.clock.RecordValue(int64(time.Since(start)))
		}
		return !done
	})
	if err := <-encoded; err != nil {
		b.Fatal(err)
	}
	took := time.Since(start)
	b.ReportMetric(float64(freeze.Nanoseconds()), fmt.Sprintf("%v-freeze-ns", kind))
	b.ReportMetric(took.Seconds(), fmt.Sprintf("%v-s", kind))
	return took
}

// busy keeps a core and memory busy until the returned function is called.
func busy() (stop func()) {
	end, ended := make(chan struct{}), make(chan struct{})
	go func() {
		defer close(ended)
		a, b := make([]byte, 8<<20), make([]byte, 8<<20)
		for {
			select {
			case <-end:
				return
			default:
				copy(a, b)
			}
		}
	}()
	return func() { close(end); <-ended }
}

// BenchmarkSnapshot takes a base and a delta under 1 M writes/s. It reports the
// slices that they take from the owner's loop, and the gaps between the loop's
// turns with snapshots, without, and without but beside a goroutine that is as
// busy as the encoder: each of the same length, by the clock and in processor
// time of the loop's thread. What the clock alone sees is the loop waiting for a
// processor.
func BenchmarkSnapshot(b *testing.B) {
	m, f, n := filled(b, benchBytes(b))
	// What snapshots need has been touched before, as in a pool that was used.
	if err := m.mem.pool.Warm(128 << 20); err != nil {
		b.Fatal(err)
	}
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	for b.Loop() {
		own := sliced{hdrhistogram.New(1, 1e10, 3), hdrhistogram.New(1, 1e10, 3)}
		with, without, beside := newPaced(f, n), newPaced(f, n), newPaced(f, n)
		var spent time.Duration
		for i, kind := range []Kind{Base, Delta} {
			spent += own.take(b, m, with, kind, wire.Time(i+1))
			newPaced(f, n).run(200*time.Millisecond, nil) // changes for the delta
		}
		without.run(spent, nil)
		stop := busy()
		beside.run(spent, nil)
		stop()
		for _, q := range []float64{50, 99, 99.9, 99.99} {
			b.ReportMetric(µs(own.cpu, q), fmt.Sprintf("slice-cpu-p%v-µs", q))
		}
		b.ReportMetric(µs(own.clock, 99.99), "slice-p99.99-µs")
		b.ReportMetric(float64(own.cpu.TotalCount()), "slices")
		with.report(b, "turn")
		without.report(b, "turn-without")
		beside.report(b, "turn-beside")
	}
}

// BenchmarkSplit cuts a map at four random hashes, and merges the parts again.
func BenchmarkSplit(b *testing.B) {
	m, f, n := filled(b, benchBytes(b))
	r := rand.New(rand.NewPCG(3, 3))
	var split, merge []float64
	whole := m
	for b.Loop() {
		cuts := []uint64{r.Uint64(), r.Uint64(), r.Uint64(), r.Uint64()}
		slices.Sort(cuts)
		before := whole.Segments()
		start := cpuTime()
		parts, err := whole.Split(cuts...)
		split = append(split, (cpuTime()-start).Seconds()*1e3)
		if err != nil {
			b.Fatal(err)
		}
		start = cpuTime()
		whole, err = Merge(parts...)
		merge = append(merge, (cpuTime()-start).Seconds()*1e3)
		if err != nil {
			b.Fatal(err)
		}
		if whole.Segments() > before+len(cuts) || int(whole.Len()) != n {
			b.Fatalf("%d segments became %d", before, whole.Segments())
		}
	}
	*m = *whole // for the clean-up, and the handle
	if f.Get(partition.HashUint64(1)) == nil {
		b.Fatal("lost a record")
	}
	b.ReportMetric(median(split), "split-ms")
	b.ReportMetric(median(merge), "merge-ms")
	b.ReportMetric(float64(m.Segments()), "segments")
}

// BenchmarkGrow inserts into a map that was not presized. Growth is done by the
// insertion that needs it; the longest of them are reported.
func BenchmarkGrow(b *testing.B) {
	n := int(benchBytes(b) / 40)
	m := benchMap[val32](b, Uint64, None, 0)
	f, err := NewFixed[val32](m)
	if err != nil {
		b.Fatal(err)
	}
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	key := uint64(0)
	for b.Loop() {
		start := threadTime()
		gm := map[uint64]val32{}
		for i := range uint64(n) {
			gm[i] = val32{A: i}
		}
		b.ReportMetric(float64((threadTime()-start).Nanoseconds())/float64(len(gm)), "map-insert-ns")
		longest := hdrhistogram.New(1, 1e10, 3)
		var spent time.Duration
		const group = 64
		for i := 0; i < n; i += group {
			start := threadTime()
			for range group {
				v, _ := f.Upsert(partition.HashUint64(key))
				v.A = key
				key++
			}
			d := threadTime() - start
			spent += d
			_ = longest.RecordValue(int64(d))
		}
		b.ReportMetric(float64(spent.Nanoseconds())/float64(n), "insert-ns")
		b.ReportMetric(float64(longest.ValueAtQuantile(99.9))/1000, "group-of-64-p99.9-µs")
		b.ReportMetric(float64(longest.Max())/1000, "group-of-64-max-µs")
	}
	b.ReportMetric(float64(m.MemoryBytes())/float64(m.Len()), "B/record")
}

// BenchmarkSubKeys writes, and iterates over, maps with few keys of many
// sub-keys and many keys of few.
func BenchmarkSubKeys(b *testing.B) {
	for _, shape := range []struct{ keys, subs int }{{100, 25000}, {10_000, 250}, {800_000, 3}} {
		b.Run(fmt.Sprintf("%dx%d", shape.keys, shape.subs), func(b *testing.B) {
			if testing.Short() {
				shape.subs = max(1, shape.subs/100)
				shape.keys = max(10, shape.keys/100)
			}
			m := benchMap[val32](b, Uint64, Uint64, 0)
			f, err := NewFixedSub[val32](m)
			if err != nil {
				b.Fatal(err)
			}
			n := shape.keys * shape.subs
			hash := func(i int) (uint64, uint64) {
				return partition.HashUint64(uint64(i % shape.keys)), partition.HashUint64(uint64(i / shape.keys))
			}
			start := cpuTime()
			for i := range n {
				v, _ := f.Upsert(hash(i))
				v.A = uint64(i)
			}
			b.ReportMetric(float64((cpuTime()-start).Nanoseconds())/float64(n), "insert-ns")
			r := rand.New(rand.NewPCG(1, 1))
			var writes, walks, sweeps []float64
			for b.Loop() {
				const ops = 100_000
				start := cpuTime()
				for range ops {
					f.Mut(hash(r.IntN(n))).B++
				}
				writes = append(writes, float64((cpuTime()-start).Nanoseconds())/ops)
				seen, keys := 0, max(1, 20_000/shape.subs)
				start = cpuTime()
				for range keys {
					f.Each(partition.HashUint64(uint64(r.IntN(shape.keys))), func(uint64, *val32) bool { seen++; return true })
				}
				walks = append(walks, float64((cpuTime()-start).Nanoseconds())/float64(keys))
				start = cpuTime()
				for range keys {
					f.DeleteIf(partition.HashUint64(uint64(r.IntN(shape.keys))), func(uint64, *val32) bool { return false })
				}
				sweeps = append(sweeps, float64((cpuTime()-start).Nanoseconds())/float64(keys))
				if seen != keys*shape.subs {
					b.Fatalf("saw %d records of %d", seen, keys*shape.subs)
				}
			}
			b.ReportMetric(median(writes), "rmw-ns")
			b.ReportMetric(median(walks), "each-ns/key")
			b.ReportMetric(median(sweeps), "deleteif-ns/key")
			b.ReportMetric(float64(m.MemoryBytes())/float64(m.Len()), "B/record")
		})
	}
}

// BenchmarkFewKeys writes to fifty keys of many sub-keys each, as a stream does that has a run of one key after the other:
// each write is touched some dozens of writes before. Beyond the processor's caches nearly every one of them is a miss.
func BenchmarkFewKeys(b *testing.B) {
	type vehicle struct{ A, B uint64 }
	const keys, run, ahead, step = 50, 768, 32, 8
	subs := uint64(24_000)
	if testing.Short() {
		subs = 1000
	}
	m := benchMap[vehicle](b, Uint64, Uint64, 0)
	f, err := NewFixedSub[vehicle](m)
	if err != nil {
		b.Fatal(err)
	}
	for i := range keys * subs {
		f.Upsert(partition.HashUint64(i%keys), partition.HashUint64(i/keys))
	}
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	r := rand.New(rand.NewPCG(1, 1))
	var order [run]uint64
	var times []float64
	writes := uint64(0)
	for b.Loop() {
		var spent time.Duration
		for key := range uint64(keys) {
			h1 := partition.HashUint64(key)
			for i := range order {
				order[i] = r.Uint64N(subs)
			}
			start := threadTime()
			for i := 0; i < run; i += step {
				for _, sub := range order[min(i+ahead, run):min(i+ahead+step, run)] {
					f.Touch(h1, partition.HashUint64(sub))
				}
				for _, sub := range order[i : i+step] {
					v, _ := f.Upsert(h1, partition.HashUint64(sub))
					v.A++
				}
			}
			spent += threadTime() - start
			writes += run
		}
		times = append(times, float64(spent.Nanoseconds())/(keys*run))
	}
	sum := uint64(0)
	f.All(func(_, _ uint64, v *vehicle) bool { sum += v.A; return true })
	if sum != writes || m.Len() != int64(keys*subs) {
		b.Fatalf("%d records count %d writes, want %d and %d", m.Len(), sum, keys*subs, writes)
	}
	b.ReportMetric(median(times), "touched-upsert-ns")
	b.ReportMetric(slices.Min(times), "least-ns")
	b.ReportMetric(float64(m.MemoryBytes())/float64(m.Len()), "B/record")
}
