package vault

import (
	"testing"

	"github.com/fullspate/spate/engine/control"
	"github.com/fullspate/spate/ft"
	"github.com/fullspate/spate/state"
)

// TestRoundTrip keeps bases and deltas with two hosts, of which each alone can give the newest back at any time.
func TestRoundTrip(t *testing.T) {
	for _, network := range []string{"tcp", "unix"} {
		t.Run(network, func(t *testing.T) {
			a, b := startHost(t, network, "a", 1, Config{}, nil), startHost(t, network, "b", 2, Config{}, nil)
			c := startClient(t, 7, nil)
			w := newWorker(t, task("count/all ok?"))
			owners := map[ft.TaskID]uint64{w.id: 7}
			a.Owners(testJob, owners)
			b.Owners(testJob, owners)
			hosts := []control.Host{a.Host, b.Host}
			for range 20 { // so many that they are folded on the way
				w.work(20)
				if err := c.Put(t.Context(), testJob, hosts, w.take(state.Delta)); err != nil {
					t.Fatal(err)
				}
				w.is(c.Newest(t.Context(), testJob, hosts[:1], w.id))
				w.is(c.Newest(t.Context(), testJob, hosts[1:], w.id))
			}
			w.is(c.Newest(t.Context(), testJob, hosts, w.id))
			if infos := a.Tasks(testJob); len(infos) != 1 || infos[0].Generation != 20 || infos[0].Task != w.id {
				t.Errorf("tasks: %+v", infos)
			}
			a.Close(testJob)
			b.Close(testJob)
			if a.Bytes() != 0 || b.Bytes() != 0 || a.Tasks(testJob) != nil {
				t.Errorf("%d and %d bytes of nothing", a.Bytes(), b.Bytes())
			}
		})
	}
}
