//go:build unix

package state

import (
	"math/rand/v2"
	"runtime"
	"slices"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/fullspate/spate/partition"
)

// val32 is a value of 32 bytes.

// shuffledKeys are the hashes of n keys, shuffled.
func shuffledKeys(n int) []uint64 {
	keys := make([]uint64, n)
	for i := range keys {
		keys[i] = uint64(i) * 7
	}
	rand.New(rand.NewPCG(1, 2)).Shuffle(n, func(i, j int) { keys[i], keys[j] = keys[j], keys[i] })
	return keys
}

// gcCost is how long one collection takes.
func gcCost() time.Duration {
	runtime.GC()
	start := time.Now()
	runtime.GC()
	return time.Since(start)
}

// cpuTime is the processor time of the process: on a machine with neighbours it
// says more than the clock.
func cpuTime() time.Duration {
	var u unix.Rusage
	if err := unix.Getrusage(unix.RUSAGE_SELF, &u); err != nil {
		panic(err)
	}
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}

// median is the middle of d, which it sorts.
func median(d []float64) float64 {
	slices.Sort(d)
	return d[len(d)/2]
}

// BenchmarkReadModifyWrite compares read-modify-write of 10 M records, presized,
// with Go's map in the same run: get and put, and put alone. The contenders take
// turns on the same million keys; medians of the turns are reported.
func BenchmarkReadModifyWrite(b *testing.B) {
	n, window := 10_000_000, 1_000_000
	if testing.Short() {
		n, window = 100_000, 20_000
	}
	keys := shuffledKeys(n)
	base := gcCost()
	m := benchMap[val32](b, Uint64, None, int64(n))
	f, err := NewFixed[val32](m)
	if err != nil {
		b.Fatal(err)
	}
	for _, k := range keys {
		v, _ := f.Upsert(partition.HashUint64(k))
		v.A = k
	}
	ourGC := gcCost()
	gm := make(map[uint64]val32, n)
	for _, k := range keys {
		gm[k] = val32{A: k}
	}
	goGC := gcCost()

	contenders := []struct {
		name string
		run  func(keys []uint64)
	}{
		{"map-getput-ns", func(keys []uint64) {
			for _, k := range keys {
				v := gm[k]
				v.A++
				gm[k] = v
			}
		}},
		{"map-put-ns", func(keys []uint64) {
			for _, k := range keys {
				gm[k] = val32{A: k}
			}
		}},
		{"ours-ns", func(keys []uint64) {
			for _, k := range keys {
				f.Mut(partition.HashUint64(k)).A++
			}
		}},
		{"ours-first-ns", func(keys []uint64) { // the first writes after a snapshot
			m.epoch++
			for _, k := range keys {
				f.Mut(partition.HashUint64(k)).A++
			}
		}},
		{"ours-touched-ns", func(keys []uint64) {
			const batch = 32
			for i := 0; i+batch <= len(keys); i += batch {
				for _, k := range keys[i : i+batch] {
					f.Touch(partition.HashUint64(k))
				}
				for _, k := range keys[i : i+batch] {
					f.Mut(partition.HashUint64(k)).A++
				}
			}
		}},
	}
	times := make([][]float64, len(contenders))
	at := 0
	for b.Loop() {
		for i, c := range contenders {
			start := cpuTime()
			c.run(keys[at : at+window])
			times[i] = append(times[i], float64((cpuTime()-start).Nanoseconds())/float64(window))
		}
		at = (at + window) % n
	}
	for i, c := range contenders {
		b.ReportMetric(median(times[i]), c.name)
	}
	b.ReportMetric(median(times[0])/median(times[2]), "ratio")
	b.ReportMetric(median(times[0])/median(times[4]), "ratio-touched")
	b.ReportMetric(float64((ourGC - base).Microseconds()), "gc-µs")
	b.ReportMetric(float64((goGC - base).Microseconds()), "map-gc-µs")
	b.ReportMetric(float64(m.MemoryBytes())/float64(m.Len()), "B/record")
	runtime.KeepAlive(gm)
	if v := f.Get(partition.HashUint64(keys[0])); v == nil || v.A <= keys[0] {
		b.Fatal("lost a record")
	}
}
