package vault

import (
	"fmt"
	"testing"

	"github.com/fullspate/spate/engine/control"
	"github.com/fullspate/spate/ft"
	"github.com/fullspate/spate/wire"
)

// BenchmarkCheckpoint puts a checkpoint of 64 MiB, or fetches it.
func BenchmarkCheckpoint(b *testing.B) {
	const size = 64 << 20
	id := task("count")
	for _, network := range []string{"tcp", "unix"} {
		for _, replicas := range []int{1, 2} {
			b.Run(fmt.Sprintf("put/%s/replicas=%d", network, replicas), func(b *testing.B) {
				c, hosts := benchHosts(b, network, id, replicas)
				k := dummy(id, 1, 1, size)
				b.SetBytes(int64(len(k.Encoded)))
				for b.Loop() {
					if err := c.Put(b.Context(), testJob, hosts, k); err != nil {
						b.Fatal(err)
					}
				}
			})
		}
		b.Run("newest/"+network, func(b *testing.B) {
			c, hosts := benchHosts(b, network, id, 1)
			k := dummy(id, 1, 1, size)
			if err := c.Put(b.Context(), testJob, hosts, k); err != nil {
				b.Fatal(err)
			}
			b.SetBytes(int64(len(k.Encoded)))
			for b.Loop() {
				if got, err := c.Newest(b.Context(), testJob, hosts, id); err != nil || len(got.Logs[0].Frames) != size {
					b.Fatal(err)
				}
			}
		})
	}
}

// BenchmarkSmall puts a checkpoint of 2 KiB, which is the time of a round trip.
func BenchmarkSmall(b *testing.B) {
	id := task("count")
	for _, network := range []string{"tcp", "unix"} {
		b.Run(network, func(b *testing.B) {
			c, hosts := benchHosts(b, network, id, 1)
			for gen := uint64(1); b.Loop(); gen++ {
				if err := c.Put(b.Context(), testJob, hosts, dummy(id, gen, wire.Time(gen), 2<<10)); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}

// benchHosts starts hosts that take checkpoints of a task, and a client that runs it.
func benchHosts(b *testing.B, network string, id ft.TaskID, n int) (*Client, []control.Host) {
	var hosts []control.Host
	for i := range n {
		h := startHost(b, network, fmt.Sprint(i), uint64(i+1), Config{}, nil)
		h.Owners(testJob, map[ft.TaskID]uint64{id: 7}, nil)
		hosts = append(hosts, h.Host)
	}
	return startClient(b, 7, nil), hosts
}
