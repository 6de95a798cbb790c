package vault_test

import (
	"context"
	"fmt"

	"github.com/fullspate/spate/engine/auth"
	"github.com/fullspate/spate/engine/checkpoint"
	"github.com/fullspate/spate/engine/control"
	"github.com/fullspate/spate/engine/vault"
	"github.com/fullspate/spate/ft"
	"github.com/fullspate/spate/partition"
)

func Example() {
	ctx := context.Background()
	secret, cluster := auth.NewSecret(), auth.NewCluster()
	listener, err := auth.Listen(ctx, "tcp://127.0.0.1:0")
	if err != nil {
		fmt.Println(err)
		return
	}
	// A holder, which knows from the newest order who runs the task.
	task := ft.TaskID{Operator: "count", Range: partition.Full()}
	v := vault.New(vault.Config{Budget: 1 << 30})
	defer v.Stop()
	v.Open("j1")
	v.Owners("j1", map[ft.TaskID]uint64{task: 2}, nil)
	acceptor, err := auth.Serve(listener, auth.Config{Secret: secret, Hello: auth.Hello{Cluster: cluster, Incarnation: 1}, Handle: v.Serve})
	if err != nil {
		fmt.Println(err)
		return
	}
	defer acceptor.Close()
	holders := []control.Host{{Worker: "w1", Incarnation: 1, Addr: auth.AddressOf(listener.Addr()).String()}}

	// Who runs the task has a checkpoint kept.
	runs := vault.NewClient(vault.ClientConfig{Secret: secret, Hello: func() auth.Hello { return auth.Hello{Cluster: cluster, Incarnation: 2} }})
	defer runs.Stop()
	c := ft.Checkpoint{Operator: task.Operator, Range: task.Range, Generation: 1, Position: 42}
	kept := checkpoint.Kept{Task: task, Generation: 1, Encoded: c.Append(nil)}
	fmt.Println(runs.Put(ctx, "j1", holders, kept))

	// Who is to go on with it, by a newer order, fetches that.
	v.Owners("j1", map[ft.TaskID]uint64{task: 3}, nil)
	next := vault.NewClient(vault.ClientConfig{Secret: secret, Hello: func() auth.Hello { return auth.Hello{Cluster: cluster, Incarnation: 3} }})
	defer next.Stop()
	newest, err := next.Newest(ctx, "j1", holders, task)
	if err != nil {
		fmt.Println(err)
		return
	}
	fmt.Println("generation", newest.Generation)
	// Output:
	// <nil>
	// generation 1
}
