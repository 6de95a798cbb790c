package reactor

import (
	"bytes"
	"fmt"
	"io"
	"math/rand/v2"
	"testing"
	"time"
)

// stream sends a sequence of bytes that a seed determines, in writes of random sizes, a bounded number of bytes ahead of what
// the peer has echoed, and checks what comes back, in reads of random sizes that now and then leave something behind.
type stream struct {
	hooks
	random     *rand.Rand
	out, in    *rand.ChaCha8
	left       int // bytes to be sent
	unanswered int
	done       chan struct{}
	wrong      error
}

const streamAhead = 256 << 10

func newStream(seed uint64, n int) *stream {
	key := [32]byte{byte(seed)}
	return &stream{
		random: rand.New(rand.NewPCG(seed, 1)), out: rand.NewChaCha8(key), in: rand.NewChaCha8(key), left: n,
		done: make(chan struct{}),
	}
}

func (s *stream) Step(time.Duration) (bool, time.Duration) {
	n := min(s.left, streamAhead-s.unanswered)
	if s.conn == nil || n <= 0 {
		return false, Never
	}
	n = 1 + s.random.IntN(n)
	buf := make([]byte, n)
	_, _ = s.out.Read(buf)
	var bufs [][]byte
	for len(buf) > 0 {
		k := s.random.IntN(min(len(buf), 8<<10) + 1)
		bufs = append(bufs, buf[:k:k])
		buf = buf[k:]
	}
	if _, err := s.conn.Writev(bufs); err != nil {
		panic(err)
	}
	s.left -= n
	s.unanswered += n
	return true, Never
}

func (s *stream) Traffic(c Conn) error {
	for c.Buffered() > 0 {
		if s.unanswered > c.Buffered() && s.random.IntN(4) == 0 {
			break // more is to come, and then this is told again
		}
		got := make([]byte, 1+s.random.IntN(64<<10))
		n, err := c.Read(got)
		if err != nil || n == 0 {
			return fmt.Errorf("read %d bytes of some that are there, error %v", n, err)
		}
		want := make([]byte, n)
		_, _ = s.in.Read(want)
		if !bytes.Equal(got[:n], want) {
			s.wrong = fmt.Errorf("%d bytes came back changed", n)
		}
		s.unanswered -= n
	}
	if s.left == 0 && s.unanswered == 0 {
		close(s.done)
	}
	return nil
}

// mirror sends back what it gets.
type mirror struct{ hooks }

func (m *mirror) Traffic(c Conn) error {
	buf := make([]byte, c.Buffered())
	if _, err := c.Read(buf); err != nil {
		return err
	}
	_, err := c.Writev([][]byte{buf})
	return err
}

func TestTrafficBothWays(t *testing.T) {
	everywhere(t, func(t *testing.T, network string, cfg Config) {
		near, far := connect(t, network)
		a, b := start(t, cfg), start(t, cfg)
		s := newStream(7, 8<<20)
		enroll(t, b, far, &mirror{})
		enroll(t, a, near, s)
		a.Do(func() { a.Add(s) })
		await(t, s.done, "the end of the stream")
		on(t, a, func() {
			if s.wrong != nil {
				t.Error(s.wrong)
			}
		})
	})
}

// What a handler does not read stays, and is told of again when more arrives.
func TestPartialReads(t *testing.T) {
	everywhere(t, func(t *testing.T, network string, cfg Config) {
		near, far := connect(t, network)
		r := start(t, cfg)
		var got []byte
		done := make(chan struct{})
		enroll(t, r, far, &hooks{traffic: func(c Conn) error {
			before := c.Buffered()
			var one [1]byte
			n, err := c.Read(one[:])
			got = append(got, one[:n]...)
			if after := c.Buffered(); before-n != after {
				t.Errorf("%d bytes were there, %d were read, and %d are left", before, n, after)
			}
			if len(got) == 100 {
				n, err = c.Read(make([]byte, 1<<10))
				if n != c.Buffered()+n || err != nil {
					t.Errorf("read %d bytes, error %v", n, err)
				}
				if n, err := c.Read(one[:]); n != 0 || err != nil {
					t.Errorf("read %d bytes of none, error %v, want 0 and none", n, err)
				}
				close(done)
			}
			near.Write([]byte{0, 0}) // so that there is more each time than is read
			return err
		}})
		near.Write([]byte{1, 2, 3})
		await(t, done, "reading byte by byte")
		on(t, r, func() {
			if !bytes.HasPrefix(got, []byte{1, 2, 3, 0, 0}) {
				t.Errorf("read %v…, want what was sent first", got[:5])
			}
		})
	})
}

// A peer that does not read makes Pending grow, up to what the sender allows itself; and though nothing arrives work hears
// when it has gone.
func TestSlowReader(t *testing.T) {
	everywhere(t, func(t *testing.T, network string, cfg Config) {
		const credit = 48 << 20 // more than any kernel takes here
		near, far := connect(t, network)
		r := start(t, cfg)
		h := newHooks()
		enroll(t, r, near, h)
		full, empty := make(chan int, 1), make(chan struct{}, 1)
		left, chunk := credit, make([]byte, 1<<20)
		w := &workFunc{func(time.Duration) (bool, time.Duration) {
			if left > 0 {
				n, err := h.conn.Writev([][]byte{chunk[:len(chunk)/2], chunk[len(chunk)/2:]})
				if n != len(chunk) || err != nil {
					t.Errorf("wrote %d bytes, error %v; want all %d", n, err, len(chunk))
				}
				if left -= n; left == 0 {
					full <- h.conn.Pending()
				}
				return true, Never
			}
			if h.conn.Pending() == 0 {
				select {
				case empty <- struct{}{}:
				default:
				}
			}
			return false, Never
		}}
		on(t, r, func() { r.Add(w) })
		pending := await(t, full, "the end of the credit")
		if pending <= 0 || pending > credit {
			t.Errorf("%d bytes are pending, want more than 0 and at most %d", pending, credit)
		}
		if n, err := io.CopyN(io.Discard, far, credit); err != nil {
			t.Fatalf("read %d bytes of %d: %v", n, credit, err)
		}
		await(t, empty, "a step that finds nothing pending")
	})
}

// More slices than the kernel takes at a time are sent all the same, in order, and so are empty ones.
func TestManySlices(t *testing.T) {
	near, far := connect(t, "unix")
	r := start(t, Config{})
	h := newHooks()
	enroll(t, r, near, h)
	var want []byte
	var bufs [][]byte
	for i := range 5*iovMax + 3 {
		b := bytes.Repeat([]byte{byte(i), byte(i >> 8)}, i%5)
		bufs = append(bufs, b)
		want = append(want, b...)
	}
	on(t, r, func() {
		if n, err := h.conn.Writev(bufs); n != len(want) || err != nil {
			t.Errorf("wrote %d bytes, error %v; want %d", n, err, len(want))
		}
		if n, err := h.conn.Writev(nil); n != 0 || err != nil {
			t.Errorf("wrote %d bytes of nothing, error %v", n, err)
		}
	})
	got := make([]byte, len(want))
	if _, err := io.ReadFull(far, got); err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(got, want) {
		t.Error("the slices have arrived in another order")
	}
}
