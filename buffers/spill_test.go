package buffers

import (
	"bytes"
	"errors"
	"io"
	"os"
	"syscall"
	"testing"

	"github.com/fullspate/spate/wire"
)

// memDisk is a disk of which everything is known: it fills up, fails to read,
// and can be spoiled.
type memDisk struct {
	host *memDisks
	data []byte
	open bool
}

// memDisks makes disks for one spiller.
type memDisks struct {
	disks  []*memDisk
	space  int // bytes that may still be written
	create error
	read   error
}

func (h *memDisks) make(string) (disk, error) {
	if h.create != nil {
		return nil, h.create
	}
	d := &memDisk{host: h, open: true}
	h.disks = append(h.disks, d)
	return d, nil
}

func (h *memDisks) files() (n int) {
	for _, d := range h.disks {
		if d.open {
			n++
		}
	}
	return n
}

func (d *memDisk) WriteAt(p []byte, off int64) (int, error) {
	n := min(len(p), d.host.space)
	d.data = append(d.data[:off], p[:n]...)
	if n < len(p) {
		return n, syscall.ENOSPC
	}
	d.host.space -= n
	return n, nil
}

func (d *memDisk) ReadAt(p []byte, off int64) (int, error) {
	if d.host.read != nil {
		return 0, d.host.read
	}
	n := copy(p, d.data[min(off, int64(len(d.data))):])
	if n < len(p) {
		return n, io.ErrUnexpectedEOF
	}
	return n, nil
}

func (d *memDisk) Close() error {
	d.open = false
	return nil
}

// spilling makes a log of 64 KiB on disks that hold the given bytes.
func spilling(t *testing.T, space int) (*Log, *memDisks) {
	l := newLog(t, Config{Pool: newPool(t), PayloadSize: 16, FrameBytes: 1024, ChunkBytes: 4096, CapacityBytes: 64 << 10, SpillDir: "disk"})
	h := &memDisks{space: space}
	l.spill.create = h.make
	return l, h
}

// fillUp appends until the log is full and cannot spill either, or has n
// tuples, and returns how many there are.
func fillUp(l *Log, n int) int {
	for i := range n {
		if l.Full() {
			l.Collect()
			if l.Full() {
				return i
			}
		}
		appendRow(l, row{wire.Time(i), uint64(i), bytes.Repeat(number(uint64(i)), 2)})
	}
	l.Seal(wire.Time(n))
	return n
}

func checkNumbers(t *testing.T, l *Log, from, n int) {
	t.Helper()
	rows, _ := contents(t, l, wire.Time(from))
	if len(rows) != n-from {
		t.Fatalf("%d tuples from %d, want %d", len(rows), from, n-from)
	}
	for i, r := range rows {
		if r.time != wire.Time(from+i) || !bytes.Equal(r.payload[8:], number(uint64(from+i))) {
			t.Fatalf("tuple %d is %v", from+i, r)
		}
	}
}

func TestSpill(t *testing.T) {
	l, h := spilling(t, 1<<30)
	const n = 40000
	if got := fillUp(l, n); got != n || l.Err() != nil {
		t.Fatalf("%d tuples, error %v", got, l.Err())
	}
	if !l.HalfFull() || l.SpilledBytes() < 1<<20 || l.Bytes()-l.SpilledBytes() > 70<<10 {
		t.Errorf("%d bytes, of them %d on disk", l.Bytes(), l.SpilledBytes())
	}
	checkNumbers(t, l, 0, n)
	checkNumbers(t, l, 12345, n)
	l.Trim(20000)
	checkNumbers(t, l, 20000, n)
	l.Trim(n)
	if l.Bytes() != 0 || l.SpilledBytes() != 0 || l.spill.bytes != 0 || h.files() != 0 {
		t.Errorf("after trimming: %d bytes, %d on disk, %d files of %d bytes", l.Bytes(), l.SpilledBytes(), h.files(), l.spill.bytes)
	}
}

// TestSpillFiles checks that files are given back one by one.
func TestSpillFiles(t *testing.T) {
	dir := t.TempDir()
	l := newLog(t, Config{Pool: newPool(t), PayloadSize: 4080, CapacityBytes: 1 << 20, SpillDir: dir})
	const n = 3 * spillFileBytes / 4096
	for i := range wire.Time(n) {
		l.AppendFixed(i, 0)
		if l.Full() {
			l.Seal(i + 1)
			l.Collect()
		}
	}
	l.Seal(n)
	if b := l.spill.bytes; b < 2*spillFileBytes || b > 4*spillFileBytes {
		t.Errorf("%d bytes in files", b)
	}
	if names, err := os.ReadDir(dir); err != nil || len(names) != 0 {
		t.Errorf("files with names: %v, %v", names, err)
	}
	l.Trim(n * 3 / 4)
	if b := l.spill.bytes; b > spillFileBytes+spillFileBytes/8 {
		t.Errorf("%d bytes in files after trimming three quarters", b)
	}
	l.Clear()
	if l.spill.bytes != 0 || l.SpilledBytes() != 0 {
		t.Errorf("%d bytes in files of an empty log", l.spill.bytes)
	}
	fill(l, 1, 10)
}

// TestSpillWaits checks that nothing goes to disk which the reader has not
// passed.
func TestSpillWaits(t *testing.T) {
	l, _ := spilling(t, 1<<30)
	c, err := l.OpenCursor(0)
	if err != nil {
		t.Fatal(err)
	}
	n := fillUp(l, 100000)
	if l.SpilledBytes() != 0 || l.Err() != nil || n < 1000 {
		t.Fatalf("%d tuples, %d bytes on disk before anything was read, %v", n, l.SpilledBytes(), l.Err())
	}
	l.Seal(wire.Time(n))
	for {
		if _, ok := c.Next(); !ok {
			break
		}
	}
	l.Collect()
	if l.SpilledBytes() != 0 {
		t.Error("spilled what was not acknowledged")
	}
	c.Ack(c.Frontier())
	l.Collect()
	if l.SpilledBytes() == 0 || l.Full() {
		t.Errorf("full with %d bytes on disk", l.SpilledBytes())
	}
	c.Close()
	checkNumbers(t, l, 0, n)
}

func TestSpillBound(t *testing.T) {
	l, _ := spilling(t, 1<<30)
	l.cfg.SpillBytesMax = 100 << 10
	n := fillUp(l, 100000)
	if l.spill.bytes > 100<<10 || l.spill.bytes < 90<<10 || l.Err() != nil {
		t.Errorf("%d bytes on disk, error %v", l.spill.bytes, l.Err())
	}
	l.Seal(wire.Time(n))
	checkNumbers(t, l, 0, n)
}

// TestDiskFull fills the disk: the log blocks, keeps everything, and goes on
// when there is room again.
func TestDiskFull(t *testing.T) {
	l, h := spilling(t, 300<<10)
	n := fillUp(l, 100000)
	var e *SpillError
	if !errors.As(l.Err(), &e) || !errors.Is(e, syscall.ENOSPC) || e.Op != "write" || !l.Full() {
		t.Fatalf("after %d tuples: error %v, full %v", n, l.Err(), l.Full())
	}
	l.Seal(wire.Time(n))
	checkNumbers(t, l, 0, n)
	h.space = 1 << 30
	for range 2 * spillSkipMax {
		l.Collect()
	}
	if l.Err() != nil || l.Full() {
		t.Errorf("error %v, full %v when there is room again", l.Err(), l.Full())
	}
	checkNumbers(t, l, 0, n)

	l, h = spilling(t, 1<<30)
	h.create = syscall.EMFILE
	n = fillUp(l, 100000)
	if !errors.As(l.Err(), &e) || e.Op != "create" || !errors.Is(e, syscall.EMFILE) {
		t.Errorf("error %v", l.Err())
	}
	l.Seal(wire.Time(n))
	checkNumbers(t, l, 0, n)

	l, h = spilling(t, 100) // not even the first chunk
	fillUp(l, 100000)
	if l.Err() == nil || h.files() != 0 {
		t.Errorf("error %v, %d files", l.Err(), h.files())
	}
}

// TestReadBack has disks that fail to read, and that give other bytes.
func TestReadBack(t *testing.T) {
	l, h := spilling(t, 1<<30)
	const n = 10000
	fillUp(l, n)
	c, err := l.OpenCursor(100)
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	var e *SpillError
	h.read = syscall.EIO
	if _, ok := c.Next(); ok || !errors.As(c.Err(), &e) || e.Op != "read" || !errors.Is(e, syscall.EIO) || c.Frontier() != 0 {
		t.Errorf("frame %v, error %v, frontier %v", ok, c.Err(), c.Frontier())
	}
	if _, err := l.Split(nil, nil); !errors.As(err, &e) {
		t.Errorf("split: %v", err)
	}
	if _, err := Merge([]*Log{l}, l.cfg); !errors.As(err, &e) {
		t.Errorf("merge: %v", err)
	}
	h.read = nil
	d := h.disks[0].data
	for _, at := range []int{0, 8, 12, 40, 44, 100, 2000} {
		d[at] ^= 0x10
		var bad *wire.FrameError
		if _, ok := c.Next(); ok || !errors.As(c.Err(), &e) || e.Op != "check" || !errors.As(e, &bad) {
			t.Errorf("byte %d spoiled: frame %v, error %v", at, ok, c.Err())
		}
		d[at] ^= 0x10
	}
	rows := 0
	for {
		f, ok := c.Next()
		if !ok {
			break
		}
		rows += len(rowsOf(f))
	}
	if rows != n-100 || c.Err() != nil || c.Frontier() != n {
		t.Errorf("%d tuples, error %v, frontier %v", rows, c.Err(), c.Frontier())
	}
}

// TestSpillDir uses a directory that is not there.
func TestSpillDir(t *testing.T) {
	l := newLog(t, Config{Pool: newPool(t), PayloadSize: 16, CapacityBytes: 64 << 10, SpillDir: "/proc/none"})
	fillUp(l, 100000)
	var e *SpillError
	if !errors.As(l.Err(), &e) || e.Op != "create" || !errors.Is(e, os.ErrNotExist) {
		t.Errorf("error %v", l.Err())
	}
}
