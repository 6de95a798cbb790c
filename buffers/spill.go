package buffers

import (
	"errors"
	"fmt"
	"io"
	"os"

	"github.com/fullspate/spate/wire"
	"github.com/fullspate/spate/wire/slab"
)

const (
	// spillFileBytes is the size at which a spill file is followed by the next
	// one. Disk space is given back a file at a time.
	spillFileBytes = 16 << 20
	// spillSkipMax bounds how many Collects go by before a disk that failed is
	// tried again.
	spillSkipMax = 1023
)

// disk is a file as the spiller needs it.
type disk interface {
	io.ReaderAt
	io.WriterAt
	io.Closer
}

// spiller keeps the part of one log that is on disk.
type spiller struct {
	dir    string
	create func(dir string) (disk, error)
	file   *spillFile // being written
	bytes  int64      // in all files
	err    error      // of the last attempt
	skip   int        // attempts to leave out
	failed int        // how many were left out the last time
}

// spillFile is a file of whole chunks.
type spillFile struct {
	disk
	bytes  int64
	chunks int // that are not dropped
}

// place is where a chunk is on disk; the zero place is none.
type place struct {
	file *spillFile
	off  int64
}

func newSpiller(dir string) spiller { return spiller{dir: dir, create: createSpillFile} }

// createSpillFile makes a file that has no name any more when it returns, so
// that it goes when the process does, however that ends.
func createSpillFile(dir string) (disk, error) {
	f, err := os.CreateTemp(dir, "spate-log-*.spill")
	if err != nil {
		return nil, err
	}
	if err := os.Remove(f.Name()); err != nil {
		return nil, errors.Join(err, f.Close())
	}
	return f, nil
}

// Err returns a *SpillError if the last attempt to move frames to disk failed.
// Nothing is lost by that: the log stays full until it is trimmed, or until a
// later attempt succeeds, which clears the error.
func (l *Log) Err() error { return l.spill.err }

// spillOldest moves the oldest chunks that the reader has passed to disk until
// half of the capacity is free.
func (l *Log) spillOldest() {
	q, s := &l.queue, &l.spill
	if s.skip > 0 {
		s.skip--
		return
	}
	defer l.account()
	for h := l.hold(); q.live+l.open.bytes() > l.cfg.CapacityBytes/2; q.resident++ {
		c := q.chunks[q.resident]
		if c == q.tail || !h.passed(c) || s.bytes+int64(c.used) > l.cfg.SpillBytesMax {
			return
		}
		if c.live > 0 && !s.write(c) {
			return
		}
		c.release(l.cfg.Pool)
		q.live -= int64(c.live)
		q.spilled += int64(c.live)
	}
}

// write puts a chunk into the current file and says where it is.
func (s *spiller) write(c *chunk) bool {
	if s.file == nil {
		d, err := s.create(s.dir)
		if err != nil {
			s.fail("create", 0, err)
			return false
		}
		s.file = &spillFile{disk: d}
	}
	f := s.file
	if _, err := f.WriteAt(c.mem[:c.used], f.bytes); err != nil {
		s.fail("write", f.bytes, err)
		if f.chunks == 0 {
			s.close(f)
		}
		return false
	}
	s.err, s.failed = nil, 0
	c.place = place{file: f, off: f.bytes}
	f.bytes += int64(c.used)
	f.chunks++
	s.bytes += int64(c.used)
	if f.bytes >= spillFileBytes {
		s.file = nil
	}
	return true
}

func (s *spiller) fail(op string, off int64, err error) {
	s.err = &SpillError{Op: op, Dir: s.dir, Offset: off, Err: err}
	s.failed = min(2*s.failed+1, spillSkipMax)
	s.skip = s.failed
}

// release forgets a chunk's place, and its file with the last chunk in it.
func (s *spiller) release(c *chunk) {
	f := c.place.file
	c.place = place{}
	if f == nil {
		return
	}
	if f.chunks--; f.chunks == 0 {
		s.close(f)
	}
}

// close gives a file's space back. It has no name and is never read again, so
// an error of closing tells nothing.
func (s *spiller) close(f *spillFile) {
	_ = f.Close()
	s.bytes -= f.bytes
	if s.file == f {
		s.file = nil
	}
}

// read brings a chunk back into a slab of its own, verifies every frame, and
// makes its index again. The reader's goroutine calls it: it touches nothing of
// the spiller that changes.
func (s *spiller) read(c *chunk, pool *slab.Pool, owner slab.OwnerID) (memory, error) {
	m, err := newMemory(pool, c.used+indexEntry*int(c.frames), owner)
	if err != nil {
		return memory{}, err
	}
	p := c.place
	if _, err := p.file.ReadAt(m.mem[:c.used], p.off); err != nil {
		m.release(pool)
		return memory{}, &SpillError{Op: "read", Dir: s.dir, Offset: p.off, Err: err}
	}
	off := 0
	for i := range c.frames {
		n, err := verifyFirst(m.mem[off:c.used])
		if err != nil {
			m.release(pool)
			return memory{}, &SpillError{Op: "check", Dir: s.dir, Offset: p.off + int64(off), Err: err}
		}
		putFrameOffset(m.mem, i, off)
		off += alignFrame(n)
	}
	return m, nil
}

// verifyFirst verifies the frame at the start of b, whatever b holds, and
// returns its size.
func verifyFirst(b []byte) (int, error) {
	h, err := wire.ParseHeader(b, wire.Limits{Bytes: frameBytesMax})
	if err != nil {
		return 0, err
	}
	n := h.FrameSize()
	if n > len(b) {
		return 0, &wire.FrameError{Offset: len(b), Reason: fmt.Sprintf("%d bytes left, the frame has %d", len(b), n)}
	}
	return n, wire.Verify(b[:n])
}
