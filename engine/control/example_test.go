package control_test

import (
	"fmt"
	"net"

	"github.com/fullspate/spate/engine/control"
)

// A worker registers, and the coordinator gives it an id.
func Example() {
	a, b := net.Pipe()
	worker, coordinator := control.NewConn(a, "coordinator"), control.NewConn(b, "a new worker")
	go func() {
		m, err := coordinator.Receive()
		if r, ok := m.(*control.Register); ok && err == nil {
			_ = coordinator.Send(&control.Registered{Worker: "w1", Epoch: r.Incarnation})
		}
	}()
	if err := worker.Send(&control.Register{Incarnation: 17, Loops: 2}); err != nil {
		fmt.Println(err)
	}
	m, err := worker.Receive()
	fmt.Println(control.Kind(m), m.(*control.Registered).Worker, err)
	_, _ = worker.Close(), coordinator.Close()
	// Output: registered w1 <nil>
}
