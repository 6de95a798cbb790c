package reactor

import (
	"errors"
	"fmt"
	"log/slog"
	"math"
	"time"
)

// Never is the deadline of Work that waits for something to arrive alone.
const Never = time.Duration(math.MaxInt64)

// Config says how a reactor is made. The zero Config is a good one.
type Config struct {
	// Name stands in errors and logs.
	Name string
	// Logger takes what is worth telling, also of gnet; nil for nothing. gnet keeps the logger of the last reactor started
	// for itself, so it should outlive the reactor.
	Logger *slog.Logger
	// OnPanic is told, on the loop, what Work, a Handler or a function given to Do has panicked with, and where; nil for an
	// error in the log.
	OnPanic func(value any, stack []byte)
	// ReadBytes is how much is read from a socket at a time, in bytes; 0 for 256 KiB. Rounded up to a power of two. From 1 KiB
	// to 16 MiB.
	ReadBytes int
	// SocketBytes is asked of the kernel for what a socket has sent and its peer has not read, in bytes; 0 for 4 MiB. Where the
	// kernel gives less (net.core.wmem_max, rmem_max), a unix socket gets what there is, and a TCP connection is left to the
	// kernel, which then does better by itself. From 4 KiB to 1 GiB.
	SocketBytes int

	plainBell bool // for tests: the bell of systems other than Linux
}

const (
	// readBytesDefault fits into the second-level cache beside what it is copied to. With 64 KiB, twice the processor time goes
	// into a byte over loopback, since a reader is as fast as its sender and sleeps after each piece; 1 MiB is not better.
	readBytesDefault = 256 << 10
	readBytesMin     = 1 << 10 // less, gnet does not do
	readBytesMax     = 16 << 20

	// socketBytesDefault keeps a reader busy for a millisecond at 4 GB/s, which is how long a sender may take to notice
	// that there is room again.
	socketBytesDefault = 4 << 20
	socketBytesMin     = 4 << 10
	socketBytesMax     = 1 << 30
)

// Validate reports every problem at once.
func (c Config) Validate() error {
	var errs []error
	if c.ReadBytes != 0 && (c.ReadBytes < readBytesMin || c.ReadBytes > readBytesMax) {
		errs = append(errs, fmt.Errorf("ReadBytes is %d, want 0 (%d) or %d to %d",
			c.ReadBytes, readBytesDefault, readBytesMin, readBytesMax))
	}
	if c.SocketBytes != 0 && (c.SocketBytes < socketBytesMin || c.SocketBytes > socketBytesMax) {
		errs = append(errs, fmt.Errorf("SocketBytes is %d, want 0 (%d) or %d to %d",
			c.SocketBytes, socketBytesDefault, socketBytesMin, socketBytesMax))
	}
	return errors.Join(errs...)
}

func (c Config) withDefaults() Config {
	if c.Logger == nil {
		c.Logger = slog.New(slog.DiscardHandler)
	}
	if c.Name == "" {
		c.Name = "loop"
	}
	if c.ReadBytes == 0 {
		c.ReadBytes = readBytesDefault
	}
	if c.SocketBytes == 0 {
		c.SocketBytes = socketBytesDefault
	}
	if c.OnPanic == nil {
		log := c.Logger
		name := c.Name
		c.OnPanic = func(value any, stack []byte) {
			log.Error("panic on a reactor", "reactor", name, "panic", value, "stack", string(stack))
		}
	}
	return c
}
