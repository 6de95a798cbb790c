package link_test

import (
	"flag"
	"fmt"
	"testing"

	"github.com/fullspate/spate/engine/link/linktest"
	"go.uber.org/goleak"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

var (
	seed  = flag.Int64("seed", -1, "the one seed that the virtual network is tried with")
	seeds = flag.Int64("seeds", 4, "how many seeds the virtual network is tried with")
)

// TestVirtual runs the suite over a network in memory, for several seeds.
func TestVirtual(t *testing.T) {
	from, to := int64(0), *seeds
	switch {
	case *seed >= 0:
		from, to = *seed, *seed+1
	case testing.Short():
		to = min(to, 2)
	}
	for s := from; s < to; s++ {
		t.Run(fmt.Sprint(s), func(t *testing.T) {
			linktest.Run(t, func(tb testing.TB) linktest.Transport { return linktest.NewVirtual(tb, uint64(s)) })
		})
	}
}

// TestSockets runs the suite over sockets of package net.
func TestSockets(t *testing.T) {
	for _, network := range []string{"tcp", "unix"} {
		t.Run(network, func(t *testing.T) {
			linktest.Run(t, func(tb testing.TB) linktest.Transport { return linktest.NewSockets(tb, network) })
		})
	}
}

// TestCut breaks the connection at every byte.
func TestCut(t *testing.T) { linktest.Cut(t) }
