package worker

import (
	"errors"
	"fmt"
	"log/slog"
	"net"
	"runtime"
	"strings"

	"github.com/fullspate/spate/engine"
	"github.com/fullspate/spate/engine/auth"
	"github.com/fullspate/spate/engine/control"
)

// Config says how a worker works.
type Config struct {
	// Coordinator is the address of the coordinator's control listener: tcp://host:port or unix:///path.
	Coordinator string
	// Secret is the cluster's.
	Secret auth.Secret
	// ID is what the worker would like to be called; empty for a name that the coordinator chooses.
	ID string
	// Listen is where data connections are accepted; empty for a free port on the loopback interface.
	Listen string
	// Advertise is the address that other workers dial; empty for that of the listener.
	Advertise string
	// Loops is the number of event loops; 0 for GOMAXPROCS. At most 256.
	Loops int
	// Memory bounds the slab memory of each job here in bytes; 0 for no bound.
	Memory int64
	// Programs are those that the binary has.
	Programs []engine.Program
	// Build tells the coordinator what this binary is; its Programs are filled in.
	Build control.Build
	// Logger takes what is worth telling; nil for nothing.
	Logger *slog.Logger
}

const (
	loopsMax      = 256
	listenDefault = "tcp://127.0.0.1:0"
)

// Validate reports every problem at once.
func (c Config) Validate() error {
	errs := c.checkAddresses()
	fail := func(format string, args ...any) { errs = append(errs, fmt.Errorf(format, args...)) }
	if c.Coordinator == "" {
		fail("Coordinator is empty, want the address of a coordinator, such as tcp://127.0.0.1:7077")
	}
	if c.Loops < 0 || c.Loops > loopsMax {
		fail("Loops is %d, want 0 (one per core) to %d", c.Loops, loopsMax)
	}
	if c.Memory < 0 {
		fail("Memory is %d bytes, want 0 (no bound) or a positive number", c.Memory)
	}
	if strings.ContainsAny(c.ID, " \t\n/") || len(c.ID) > 63 {
		fail("ID is %q, want at most 63 characters, none of them a space or a slash", c.ID)
	}
	return errors.Join(errs...)
}

// checkAddresses finds addresses that make no sense: the worker would dial some of them for ever.
func (c Config) checkAddresses() (errs []error) {
	fail := func(format string, args ...any) { errs = append(errs, fmt.Errorf(format, args...)) }
	for _, a := range []struct{ field, addr string }{{"Coordinator", c.Coordinator}, {"Listen", c.Listen}, {"Advertise", c.Advertise}} {
		if a.addr == "" {
			continue
		}
		if _, err := auth.ParseAddress(a.addr); err != nil {
			fail("%s: %w", a.field, err)
		}
	}
	if everywhere(c.Listen) && c.Advertise == "" {
		fail("Listen is %s, all interfaces: want Advertise as well, the address by which other workers reach this one", c.Listen)
	}
	return errs
}

// everywhere says whether an address stands for all interfaces.
func everywhere(addr string) bool {
	a, err := auth.ParseAddress(addr)
	if err != nil || a.Network != "tcp" {
		return false
	}
	host, _, err := net.SplitHostPort(a.Name)
	ip := net.ParseIP(host)
	return err == nil && (host == "" || ip != nil && ip.IsUnspecified())
}

func (c Config) withDefaults() Config {
	if c.Listen == "" {
		c.Listen = listenDefault
	}
	if c.Loops == 0 {
		c.Loops = min(runtime.GOMAXPROCS(0), loopsMax)
	}
	if c.Logger == nil {
		c.Logger = slog.New(slog.DiscardHandler)
	}
	c.Build.Programs = nil
	for _, p := range c.Programs {
		c.Build.Programs = append(c.Build.Programs, p.Name)
	}
	return c
}
