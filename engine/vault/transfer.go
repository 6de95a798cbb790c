package vault

import (
	"io"
	"slices"
)

const (
	// blockBytes is what has to get through before a time-out: small enough that a peer that trickles is noticed, and large
	// enough that system calls and timers do not matter.
	blockBytes = 256 << 10
	// trustBytes is how much memory is taken for a body on the mere word of a peer: it may be that of a large task, since as
	// long as nothing arrives it is not touched. Beyond it, memory is taken as bytes come.
	trustBytes = 1 << 30
)

// receive reads a body of the given length, for the first trust bytes of which memory is taken before they are here. next is
// called before each block.
func receive(r io.Reader, length, trust int64, next func() error) ([]byte, error) {
	b := slices.Grow([]byte(nil), int(min(length, trust))) // not make, which would clear it first
	for int64(len(b)) < length {
		if len(b) == cap(b) {
			b = slices.Grow(b, int(min(int64(len(b)), length-int64(len(b)))))
		}
		if err := next(); err != nil {
			return nil, err
		}
		block := b[len(b):min(len(b)+blockBytes, cap(b), int(length))]
		if _, err := io.ReadFull(r, block); err != nil {
			return nil, err
		}
		b = b[:len(b)+len(block)]
	}
	return b, nil
}

// send writes a body. next is called before each block.
func send(w io.Writer, b []byte, next func() error) error {
	for len(b) > 0 {
		if err := next(); err != nil {
			return err
		}
		n := min(len(b), blockBytes)
		if _, err := w.Write(b[:n]); err != nil {
			return err
		}
		b = b[n:]
	}
	return nil
}
