package pipe

import "github.com/fullspate/spate/engine/link"

// Pipe is a connection in memory between two links of one goroutine.
type Pipe struct{ A, B *End }

// End is one end of a pipe. What is written to it arrives at the other when Deliver says so.
type End struct {
	in, out *stream
	// Kernel is how many bytes that have not arrived do not count as pending; what the kernel would hold.
	Kernel int
}

// stream is one direction of a pipe: bytes that were written, of which some have arrived, of which some were read.
type stream struct {
	bytes         []byte
	read, arrived int
}

// New makes a pipe whose kernel holds everything.
func New() *Pipe {
	ab, ba := new(stream), new(stream)
	return &Pipe{A: &End{in: ba, out: ab, Kernel: 1 << 30}, B: &End{in: ab, out: ba, Kernel: 1 << 30}}
}

// Deliver lets at most n of the bytes that the end has written arrive at the other end, and returns how many did.
func (e *End) Deliver(n int) int {
	s := e.out
	n = min(n, len(s.bytes)-s.arrived)
	s.arrived += n
	return n
}

// Flight is the number of bytes that the end has written and that have not arrived.
func (e *End) Flight() int { return len(e.out.bytes) - e.out.arrived }

// Read takes what has arrived.
func (e *End) Read(p []byte) (int, error) {
	s := e.in
	n := copy(p, s.bytes[s.read:s.arrived])
	s.read += n
	if s.read == len(s.bytes) {
		s.bytes, s.read, s.arrived = s.bytes[:0], 0, 0
	}
	return n, nil
}

// Writev takes everything, and forgets bufs.
func (e *End) Writev(bufs [][]byte) (n int, err error) {
	s := e.out
	if s.read > 1<<20 {
		s.bytes = s.bytes[:copy(s.bytes, s.bytes[s.read:])]
		s.arrived, s.read = s.arrived-s.read, 0
	}
	for i, b := range bufs {
		s.bytes = append(s.bytes, b...)
		n += len(b)
		bufs[i] = nil
	}
	return n, nil
}

// Pending is what has neither arrived nor found room in the kernel.
func (e *End) Pending() int { return max(0, e.Flight()-e.Kernel) }

var _ link.Conn = (*End)(nil)
