package coordinator_test

import (
	"encoding/json"
	"fmt"
	"time"

	"github.com/fullspate/spate/engine"
	"github.com/fullspate/spate/engine/control"
	"github.com/fullspate/spate/engine/coordinator"
)

// A machine is told that a worker registers and that a job is submitted, and says what is to be done.
func ExampleMachine() {
	echo := engine.Program{Name: "echo", Build: func(*engine.Env, json.RawMessage) (*engine.Graph, error) {
		g := engine.NewGraph("echo")
		engine.SinkFunc(g, "out", engine.SliceSource(g, "in", []engine.Record[uint64]{{Value: 1}}), func(*engine.Ctx, *uint64) {})
		return g, nil
	}}
	query, err := coordinator.BuildQuery([]engine.Program{echo}, "echo", nil)
	if err != nil {
		fmt.Println(err)
		return
	}
	now := time.Unix(0, 0)
	m, err := coordinator.NewMachine(now, coordinator.MachineConfig{Cluster: "c1"}, nil)
	if err != nil {
		fmt.Println(err)
		return
	}
	m.Message(now, 1, &control.Register{
		Incarnation: 7, Addr: "tcp://127.0.0.1:7000", Loops: 1, Build: control.Build{Programs: []string{"echo"}},
	})
	id, err := m.Submit(now, coordinator.Submission{Query: query})
	fmt.Println(id, err)
	for _, a := range m.Actions() {
		switch a := a.(type) {
		case coordinator.Append:
			fmt.Println("append")
		case coordinator.Send:
			fmt.Println("send", control.Kind(a.Message))
		case coordinator.Notify:
			fmt.Println("notify", a.Event.Kind)
		}
	}
	// Output:
	// j1 <nil>
	// append
	// notify coordinator_started
	// append
	// send registered
	// notify worker_registered
	// append
	// send deploy
	// notify job_submitted
}
