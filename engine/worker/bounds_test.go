package worker

import (
	"testing"

	"github.com/fullspate/spate/engine/control"
)

// A job that says nothing of its logs has the bounds of an embedded run, not none: its source, which could run ahead of
// consumers on another worker without end, is held up.
func TestLogsAreBoundedByDefault(t *testing.T) {
	f := newFake(t, "tcp://127.0.0.1:0")
	f.hire(2, 1, "unix")
	s := settings{Rows: 200_000, Splits: 1, Keys: 10}
	o := f.order("j1", s, control.JobConfig{}, map[string]int{"in": 1, "first": 1, "second": 1})
	ends := f.run(o)
	same(t, ends, embedded(t, s))
	for _, e := range ends {
		for _, owner := range e.Stats.Slabs.Owners {
			if owner.Name == "in.in" || owner.Name == "in.out" {
				t.Logf("%s: at most %d bytes", owner.Name, owner.Peak)
			}
			if owner.Peak > 4<<20 {
				t.Errorf("%s held %d bytes at most, want no more than some logs of 1 MiB", owner.Name, owner.Peak)
			}
		}
	}
}
