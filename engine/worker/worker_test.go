package worker

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/fullspate/spate/engine"
	"github.com/fullspate/spate/engine/control"
)

// same compares what the parts of a job have collected with what one process has.
func same(t *testing.T, ends []*control.Ended, want []engine.Result) {
	t.Helper()
	var got []engine.Result
	for _, e := range ends {
		if e.Error != nil {
			t.Fatal(e.Error)
		}
		got = append(got, e.Results...)
	}
	for _, name := range []string{"out1", "out2"} {
		g, w := rowsOf(t, got, name), rowsOf(t, want, name)
		if len(w) == 0 || !slices.Equal(g, w) {
			t.Errorf("%s: %d results that are not the %d of one process", name, len(g), len(w))
		}
	}
}

// Results are those of one process on any number of workers, over either network, at any parallelism.
func TestSameAsEmbedded(t *testing.T) {
	s := settings{Rows: rows(20_000), Splits: 4, Keys: 100}
	want := embedded(t, s)
	for _, network := range []string{"tcp", "unix"} {
		for workers := 1; workers <= 3; workers++ {
			t.Run(fmt.Sprint(network, workers), func(t *testing.T) {
				f := newFake(t, "tcp://127.0.0.1:0")
				f.hire(workers, 2, network)
				for i, parallelism := range []map[string]int{nil, {"first": 1, "second": 5}, {"in": 1, "first": 3, "out1": 1}} {
					o := f.order(fmt.Sprint("j", i), s, control.JobConfig{LogBytes: 64 << 10, FrameBytes: 1 << 10, Window: 4 << 10}, parallelism)
					ends := f.run(o)
					same(t, ends, want)
					sent, received := uint64(0), uint64(0)
					for _, e := range ends {
						sent += e.Stats.Links.TuplesOut
						received += e.Stats.Links.TuplesIn
					}
					if sent != received || (sent == 0) != (workers == 1) {
						t.Errorf("%d tuples were sent between workers, %d received", sent, received)
					}
				}
			})
		}
	}
}

// An operator's error ends its part, with all that is known of it; an abort ends the others.
func TestFailure(t *testing.T) {
	f := newFake(t, "tcp://127.0.0.1:0")
	f.hire(2, 1, "tcp")
	o := f.order("j1", settings{Rows: 5000, Splits: 2, Keys: 10, Fail: 1234}, control.JobConfig{}, nil)
	f.deploy(o)
	f.begin(o)
	m := f.until(1, of[*control.Ended])
	e := m.message.(*control.Ended)
	if e.Error == nil || e.Error.Operator == "" || !strings.Contains(e.Error.Message, "1234") || e.Error.Worker != m.worker {
		t.Fatalf("the part ended with %+v", e.Error)
	}
	other := "w1"
	if m.worker == other {
		other = "w2"
	}
	f.send(other, &control.End{Coordinator: f.epoch, Job: "j1", Epoch: 1, How: control.Abort, Reason: "w1 has failed"})
	if e := f.until(1, of[*control.Ended]).message.(*control.Ended); e.Error == nil || !strings.Contains(e.Error.Message, "w1 has failed") {
		t.Errorf("the other part ended with %+v", e.Error)
	}
}

// What cannot be deployed is refused with a reason.
func TestDeployRefused(t *testing.T) {
	f := newFake(t, "tcp://127.0.0.1:0")
	f.hire(1, 1, "tcp")
	for want, spoil := range map[string]func(*control.Deploy){
		"no program":  func(o *control.Deploy) { o.Spec.Program = "nothing" },
		"the graph":   func(o *control.Deploy) { o.Spec.Fingerprint++ },
		"incarnation": func(o *control.Deploy) { o.Workers[0].Incarnation++ },
		"in slot":     func(o *control.Deploy) { o.Place[0][0] = 77 },
		"units":       func(o *control.Deploy) { o.Place = o.Place[1:] },
		"on loop":     func(o *control.Deploy) { o.Slots[0].Loop = 9 },
		"parallelism": func(o *control.Deploy) { o.Spec.Parallelism = map[string]int{"nobody": 1} },
	} {
		o := f.order("spoiled "+want, settings{Rows: 10, Splits: 1, Keys: 1}, control.JobConfig{}, nil)
		spoil(o)
		f.send("w1", o)
		d := f.until(1, of[*control.Deployed]).message.(*control.Deployed)
		if d.Error == nil || !strings.Contains(d.Error.Message, want) {
			t.Errorf("%s: answered %+v", want, d.Error)
		}
	}
}
