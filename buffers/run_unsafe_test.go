package buffers

import (
	"bytes"
	"math/rand/v2"
	"testing"
	"unsafe"

	"github.com/fullspate/spate/wire"
)

// TestAppendRun appends runs to one log and the same tuples one after another to
// another, which comes to the same: a run ends where asking after each tuple
// whether the log is full would have ended it.
func TestAppendRun(t *testing.T) {
	cfg := Config{Pool: newPool(t), PayloadSize: 8, FrameBytes: 512, ChunkBytes: 4096, CapacityBytes: 3000}
	runs, one := newLog(t, cfg), newLog(t, cfg)
	gen, now, full := rand.New(rand.NewPCG(3, 4)), wire.Time(1), 0
	for range 5000 {
		times := make([]wire.Time, 1+gen.IntN(200))
		for i := range times {
			now += wire.Time(gen.IntN(2))
			times[i] = now
		}
		p, n := runs.AppendRun(times)
		for i := range n {
			at := unsafe.Add(p, i*24)
			wire.PutTuple(at, times[i], uint64(i))
			*(*uint64)(wire.FixedAt(at)) = uint64(now)
			*(*uint64)(one.AppendFixed(times[i], uint64(i))) = uint64(now)
			if one.Full() && i < n-1 {
				t.Fatalf("full after %d tuples of a run of %d", i+1, n)
			}
		}
		now = times[n-1]
		if runs.Full() != one.Full() || runs.Bytes() != one.Bytes() {
			t.Fatalf("full: %t with %d bytes; one by one %t with %d", runs.Full(), runs.Bytes(), one.Full(), one.Bytes())
		}
		if one.Full() {
			full++
			runs.Seal(now)
			one.Seal(now)
			_, image := contents(t, runs, runs.TrimPoint())
			if _, want := contents(t, one, one.TrimPoint()); !bytes.Equal(image, want) {
				t.Fatalf("up to %v: the logs differ", now)
			}
			runs.Trim(now)
			one.Trim(now)
		}
	}
	if full < 100 {
		t.Errorf("full %d times", full)
	}
}
