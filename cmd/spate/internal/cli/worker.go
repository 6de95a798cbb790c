package cli

import (
	"context"
	"os"

	"github.com/fullspate/spate/bench"
	"github.com/fullspate/spate/engine/cluster"
	"github.com/fullspate/spate/engine/worker"
)

// workerCommands have to do with workers.
type workerCommands struct {
	Run   workerCommand      `cmd:"" default:"withargs" help:"Be a worker of a cluster."`
	Drain drainWorkerCommand `cmd:"" help:"Have a worker emptied: its tasks go elsewhere, and it is given no more."`
}

// Help shows examples.
func (workerCommands) Help() string {
	return `A worker is one process; spate worker without more is spate worker run.

	spate worker --coordinator tcp://10.0.0.1:7077 --secret-file secret
	spate worker drain w2`
}

type workerCommand struct {
	Coordinator string   `required:"" placeholder:"ADDR" help:"The coordinator's address for workers: tcp://host:port or unix:///path."`
	Listen      string   `placeholder:"ADDR" help:"Where other workers connect: tcp://host:port or unix:///path (default: a free port on the loopback interface)."`
	Advertise   string   `placeholder:"ADDR" help:"What other workers dial, if that is another address."`
	ID          string   `name:"id" placeholder:"NAME" help:"Name in the cluster (default: the coordinator chooses)."`
	Loops       int      `placeholder:"N" help:"Event loops (default: one per core, ${cores})."`
	Memory      byteSize `placeholder:"BYTES" help:"Bound on state and logs of each job here, such as 4GiB (default: none)."`
	Secret      string   `name:"secret-file" placeholder:"FILE" help:"File with the cluster's secret (default: the environment's SPATE_SECRET)."`
	Verbose     bool     `short:"v" help:"Tell more."`
	UntilEOF    bool     `name:"until-eof" help:"End when standard input does, as it does with the process that holds its other end."`
}

// Help shows examples.
func (workerCommand) Help() string {
	return `Registers with a coordinator and runs what it is given, until it is interrupted or the coordinator ends it. The coordinator may be
restarted meanwhile: jobs go on, and the worker registers again.

	SPATE_SECRET=… spate worker --coordinator tcp://10.0.0.1:7077 --listen tcp://10.0.0.2:0
	spate worker --coordinator unix:///run/spate/coordinator.sock --secret-file secret`
}

// Run is the worker's life.
func (c *workerCommand) Run(ctx context.Context, out *output) error {
	secret, err := secretOf(c.Secret)
	if err != nil {
		return usageError{err}
	}
	log := logTo(out, c.Verbose)
	if c.UntilEOF {
		if !c.Verbose { // who started it tells what has happened
			log = out.errors()
		}
		ctx = cluster.UntilInputEnds(ctx, os.Stdin, log)
	}
	config := worker.Config{
		Coordinator: c.Coordinator, Secret: secret, ID: c.ID, Listen: c.Listen, Advertise: c.Advertise, Loops: c.Loops,
		Memory: int64(c.Memory), Programs: bench.Programs(), Build: thisBuild(), Logger: log,
	}
	if err := config.Validate(); err != nil {
		return usageError{err}
	}
	return worker.Run(ctx, config)
}
