package buffers

import (
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/fullspate/spate/wire"
	"github.com/fullspate/spate/wire/slab"
)

// TestSetCapacity changes a log's bounds while tuples are in its open frame, its sealed frames, and on disk.
func TestSetCapacity(t *testing.T) {
	pool := slab.New(slab.Config{})
	l, err := New(Config{Stream: 7, PayloadSize: 8, FrameBytes: 256, CapacityBytes: 4 << 10, OverrunBytes: 8 << 10, Pool: pool})
	if err != nil {
		t.Fatal(err)
	}
	at := wire.Time(1)
	write := func(n int) {
		for range n {
			l.AppendFixed(at, 0)
			at++
		}
	}
	fill := func() (n int) {
		for ; !l.Full(); n++ {
			write(1)
		}
		return n
	}
	small := fill()
	l.SetCapacity(8<<10, 16<<10)
	if n := fill(); n < small*9/10 || n > small*11/10 {
		t.Errorf("%d tuples are 4 KiB, and %d more 8", small, n)
	}
	if l.HalfFull() != true {
		t.Error("a full log is not half full")
	}
	l.SetCapacity(0, 0)
	if write(5 * small); l.Full() || l.HalfFull() {
		t.Errorf("full %v, half full %v, without a bound", l.Full(), l.HalfFull())
	}
	l.SetCapacity(4<<10, 8<<10) // of which it holds more
	if !l.Full() || !l.HalfFull() {
		t.Errorf("full %v, half full %v, with %d bytes of %d", l.Full(), l.HalfFull(), l.Bytes(), 4<<10)
	}
	func() {
		defer func() {
			if e := (*OverrunError)(nil); !errors.As(recover().(error), &e) || e.Max != 8<<10 {
				t.Errorf("%v, want an OverrunError", e)
			}
		}()
		write(small)
	}()
	l.Seal(at)
	l.Trim(at)
	if n := fill(); n < small*9/10 || n > small*11/10 {
		t.Errorf("%d tuples are 4 KiB, after trimming they are %d", small, n)
	}

	// Runs end where the capacity does that is set now.
	one := mustLog(t, Config{Stream: 7, PayloadSize: 8, CapacityBytes: 1 << 10, Pool: pool})
	one.AppendFixed(1, 0)
	one.SetCapacity(256, 0)
	times := make([]wire.Time, 100)
	for i := range times {
		times[i] = 2
	}
	for rest := times; len(rest) > 0 && !one.Full(); {
		_, n := one.AppendRun(rest)
		rest = rest[n:]
		if one.Bytes() > 256+24 {
			t.Errorf("%d bytes after a run", one.Bytes())
		}
	}
	for _, bad := range [][2]int64{{-1, 0}, {10, -1}, {10, 9}} {
		func() {
			defer func() {
				if r := fmt.Sprint(recover()); !strings.HasPrefix(r, "BUG: ") {
					t.Errorf("%v: panic %q, want a BUG", bad, r)
				}
			}()
			l.SetCapacity(bad[0], bad[1])
		}()
	}
	if err := errors.Join(l.Close(), one.Close(), pool.Close()); err != nil {
		t.Error(err)
	}
}

// TestSetCapacitySpills has a log spill more or less as its capacity changes.
func TestSetCapacitySpills(t *testing.T) {
	pool := slab.New(slab.Config{})
	l := mustLog(t, Config{Stream: 7, PayloadSize: 8, FrameBytes: 256, ChunkBytes: 4 << 10, CapacityBytes: 1 << 20, SpillDir: t.TempDir(), Pool: pool})
	for at := range wire.Time(2000) {
		l.AppendFixed(at, 0)
	}
	l.Seal(2000)
	if l.Collect(); l.SpilledBytes() != 0 {
		t.Fatalf("%d bytes are on disk of a log that is not full", l.SpilledBytes())
	}
	l.SetCapacity(16<<10, 0)
	if l.Collect(); l.SpilledBytes() == 0 || l.Full() {
		t.Errorf("%d bytes are on disk, full %v", l.SpilledBytes(), l.Full())
	}
	if err := errors.Join(l.Close(), pool.Close()); err != nil {
		t.Error(err)
	}
}

func mustLog(t *testing.T, cfg Config) *Log {
	t.Helper()
	l, err := New(cfg)
	if err != nil {
		t.Fatal(err)
	}
	return l
}
