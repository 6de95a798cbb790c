package cluster_test

import (
	"context"
	"encoding/json"
	"fmt"

	"github.com/fullspate/spate/engine"
	"github.com/fullspate/spate/engine/auth"
	"github.com/fullspate/spate/engine/cluster"
)

// Two worker processes are started for one run of a program. They are this binary again, which has to become a worker where
// its first argument is "worker": see package worker.
func ExampleStartLocal() {
	run := func(ctx context.Context, programs []engine.Program, params json.RawMessage) (err error) {
		local, err := cluster.StartLocal(ctx, cluster.LocalConfig{Workers: 2, Programs: programs})
		if err != nil {
			return err
		}
		defer func() {
			if closed := local.Close(); err == nil {
				err = closed
			}
		}()
		job, err := local.Runner().Start(ctx, programs[0], params, engine.Config{})
		if err != nil {
			return err
		}
		return job.Wait()
	}
	_ = run // it would start processes
}

// A program runs on a cluster whose coordinator serves HTTP, on two of its workers.
func ExampleRunner() {
	run := func(ctx context.Context, program engine.Program, secret auth.Secret) error {
		client, err := cluster.NewClient(cluster.ClientConfig{Addr: "127.0.0.1:7078", Secret: secret})
		if err != nil {
			return err
		}
		defer client.Close()
		job, err := cluster.Runner{Manager: client, Workers: 2}.Start(ctx, program, nil, engine.Config{Pace: 1})
		if err != nil {
			return err
		}
		if err := job.Wait(); err != nil {
			return err
		}
		for _, r := range job.Results() {
			fmt.Println(r.Worker, r.Name, string(r.Data))
		}
		return nil
	}
	_ = run // it would want a cluster
}
