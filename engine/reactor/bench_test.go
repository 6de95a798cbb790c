//go:build unix

package reactor

import (
	"net"
	"syscall"
	"testing"
	"time"

	"github.com/fullspate/spate/engine/reactor/bare"
)

const frameBytes = 64 << 10

// BenchmarkBareSender is what gnet alone makes of 64 KiB buffers: the baseline of the data path.
func BenchmarkBareSender(b *testing.B) {
	for _, network := range networks {
		b.Run(network, func(b *testing.B) {
			near, far := connect(b, network)
			for _, nc := range []net.Conn{near, far} {
				if _, err := prepare(nc, socketBytesDefault); err != nil {
					b.Fatal(err)
				}
			}
			r, err := bare.NewReceiver(far)
			if err != nil {
				b.Fatal(err)
			}
			defer r.Close()
			s, err := bare.NewSender(near, frameBytes)
			if err != nil {
				b.Fatal(err)
			}
			defer s.Close()
			const batch = 64 << 20
			defer processor(b, batch)()
			for b.Loop() {
				if err := s.Send(batch); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}

// frames sends frames as a link does: several slices with one Writev, at most a window ahead of what the peer has
// acknowledged. It is both a Handler and Work.
type frames struct {
	r        *Reactor
	conn     Conn
	left     int // frames to be sent
	unacked  int
	envelope []byte
	body     []byte
	bufs     [][]byte
	ended    chan struct{}
}

const (
	windowFrames = 16
	perWritev    = 4
	envelopeSize = 16
	framesPerAck = 4 // the bare sender's
)

func (f *frames) Open(c Conn)        { f.conn = c }
func (f *frames) Closed(Conn, error) {}

func (f *frames) Traffic(c Conn) error {
	var acks [256]byte
	for {
		n, err := c.Read(acks[:])
		if n == 0 || err != nil {
			return err
		}
		f.unacked -= n * framesPerAck
	}
}

func (f *frames) Step(time.Duration) (bool, time.Duration) {
	n := min(f.left, windowFrames-f.unacked, perWritev)
	if n <= 0 {
		return false, Never
	}
	f.bufs = f.bufs[:0]
	for range n {
		f.bufs = append(f.bufs, f.envelope, f.body)
	}
	if _, err := f.conn.Writev(f.bufs); err != nil {
		panic(err)
	}
	f.unacked += n
	if f.left -= n; f.left == 0 {
		f.ended <- struct{}{}
	}
	return true, Never
}

// slabs reads frames straight into a buffer, by a small state machine, and acknowledges some with a byte.
type slabs struct {
	buf     []byte
	at      int // bytes of the frame that are here
	unacked int
	one     [1]byte
	acks    [1][]byte
}

func (s *slabs) Open(Conn)          {}
func (s *slabs) Closed(Conn, error) {}

func (s *slabs) Traffic(c Conn) error {
	for {
		n, err := c.Read(s.buf[s.at:])
		if n == 0 || err != nil {
			return err
		}
		if s.at += n; s.at < len(s.buf) {
			continue
		}
		s.at = 0
		if s.unacked++; s.unacked == framesPerAck {
			s.unacked = 0
			s.acks[0] = s.one[:]
			if _, err := c.Writev(s.acks[:]); err != nil {
				return err
			}
		}
	}
}

// BenchmarkFrames sends 64 KiB frames between two reactors, by Writev of several slices, read into a buffer that is there.
func BenchmarkFrames(b *testing.B) {
	for _, network := range networks {
		b.Run(network, func(b *testing.B) {
			const batch = 1024
			from, to := start(b, Config{Name: "from"}), start(b, Config{Name: "to"})
			near, far := connect(b, network)
			f := &frames{
				r: from, envelope: make([]byte, envelopeSize), body: make([]byte, frameBytes), ended: make(chan struct{}, 1),
			}
			enroll(b, to, far, &slabs{buf: make([]byte, envelopeSize+frameBytes)})
			enroll(b, from, near, f)
			from.Do(func() { from.Add(f) })
			defer processor(b, batch*frameBytes)()
			for b.Loop() {
				from.Do(func() { f.left = batch })
				<-f.ended
			}
		})
	}
}

// echo returns what it gets, in messages of one size.
type echo struct {
	buf  []byte
	conn Conn
}

func (e *echo) Open(c Conn)        { e.conn = c }
func (e *echo) Closed(Conn, error) {}

func (e *echo) Traffic(c Conn) error {
	for c.Buffered() >= len(e.buf) {
		if _, err := c.Read(e.buf); err != nil {
			return err
		}
		if _, err := c.Writev([][]byte{e.buf}); err != nil {
			return err
		}
	}
	return nil
}

// ping sends a message back and forth a number of times.
type ping struct {
	echo
	left  int
	ended chan struct{}
}

func (p *ping) Traffic(c Conn) error {
	if p.left--; p.left == 0 {
		_, err := c.Read(p.buf)
		p.ended <- struct{}{}
		return err
	}
	return p.echo.Traffic(c)
}

// BenchmarkRoundTrip is the time of 64 bytes to another reactor and back.
func BenchmarkRoundTrip(b *testing.B) {
	for _, network := range networks {
		b.Run(network, func(b *testing.B) {
			const batch = 100
			near, far := connect(b, network)
			here, there := start(b, Config{Name: "here"}), start(b, Config{Name: "there"})
			p := &ping{echo: echo{buf: make([]byte, 64)}, ended: make(chan struct{}, 1)}
			enroll(b, there, far, &echo{buf: make([]byte, 64)})
			enroll(b, here, near, p)
			for b.Loop() {
				here.Do(func() {
					p.left = batch
					p.conn.Writev([][]byte{p.buf})
				})
				<-p.ended
			}
			b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N)/batch/1000, "µs/round-trip")
		})
	}
}

// BenchmarkWake is what it costs to wake a loop that will take a turn anyway, and one that sleeps.
func BenchmarkWake(b *testing.B) {
	b.Run("pending", func(b *testing.B) {
		r := start(b, Config{})
		enter, leave := make(chan struct{}), make(chan struct{})
		r.Do(func() { close(enter); <-leave })
		<-enter
		for b.Loop() {
			r.Wake()
		}
		close(leave)
	})
	for _, plain := range []bool{false, true} {
		name := "idle"
		if plain {
			name = "idle/plain"
		}
		b.Run(name, func(b *testing.B) {
			r := start(b, Config{plainBell: plain})
			w := &counted{stepped: make(chan struct{}, 1)}
			r.Do(func() { r.Add(w) })
			for b.Loop() {
				r.Wake()
				<-w.stepped
			}
		})
	}
}

// counted tells of each step, if anybody listens.
type counted struct{ stepped chan struct{} }

func (c *counted) Step(time.Duration) (bool, time.Duration) {
	select {
	case c.stepped <- struct{}{}:
	default:
	}
	return false, Never
}

// BenchmarkDo is what it costs to have a function run on a loop that is busy, and there and back on one that sleeps.
func BenchmarkDo(b *testing.B) {
	b.Run("stream", func(b *testing.B) {
		r := start(b, Config{})
		n, done := 0, make(chan struct{})
		fn := func() { n++ }
		for b.Loop() {
			r.Do(fn)
		}
		r.Do(func() { close(done) })
		<-done
		if n != b.N {
			b.Fatalf("%d functions have run, want %d", n, b.N)
		}
	})
	b.Run("wait", func(b *testing.B) {
		r := start(b, Config{})
		done := make(chan struct{}, 1)
		fn := func() { done <- struct{}{} }
		for b.Loop() {
			r.Do(fn)
			<-done
		}
	})
}

// busyWork works in every step.
type busyWork struct {
	left int
	done chan struct{}
}

func (w *busyWork) Step(time.Duration) (bool, time.Duration) {
	if w.left == 0 {
		return false, Never
	}
	if w.left--; w.left == 0 {
		w.done <- struct{}{}
	}
	return true, Never
}

// BenchmarkStep is what a step costs besides the work, its share of polling the network included.
func BenchmarkStep(b *testing.B) {
	for _, plain := range []bool{false, true} {
		name := "kernel"
		if plain {
			name = "plain"
		}
		b.Run(name, func(b *testing.B) {
			const batch = 1000
			r := start(b, Config{plainBell: plain})
			w := &busyWork{done: make(chan struct{}, 1)}
			r.Do(func() { r.Add(w) })
			for b.Loop() {
				r.Do(func() { w.left = batch })
				<-w.done
			}
			b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N)/batch, "ns/step")
		})
	}
}

// processor reports how much processor time, of both ends, each KiB has taken since it was called: unlike bytes/s it does not
// depend much on what else the machine is doing.
func processor(b *testing.B, batch int) (report func()) {
	used := func() int64 {
		var u syscall.Rusage
		if err := syscall.Getrusage(syscall.RUSAGE_SELF, &u); err != nil {
			b.Fatal(err)
		}
		return u.Utime.Nano() + u.Stime.Nano()
	}
	before := used()
	b.SetBytes(int64(batch))
	return func() { b.ReportMetric(float64(used()-before)/float64(b.N)/float64(batch>>10), "cpu-ns/KiB") }
}
