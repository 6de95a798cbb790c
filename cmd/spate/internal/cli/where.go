package cli

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"runtime"
	"time"

	"github.com/fullspate/spate/bench"
	"github.com/fullspate/spate/cmd/spate/internal/report"
	"github.com/fullspate/spate/engine"
	"github.com/fullspate/spate/engine/auth"
	"github.com/fullspate/spate/engine/cluster"
	"github.com/fullspate/spate/engine/control"
	"github.com/fullspate/spate/engine/coordinator"
	"github.com/fullspate/spate/wire"
)

// whereFlags say on which processes a query runs.
type whereFlags struct {
	Workers          int           `placeholder:"N" group:"Workers" help:"Run on N worker processes, started for the purpose and ended afterwards (default: in this process)."`
	Network          string        `default:"tcp" enum:"tcp,unix" placeholder:"tcp|unix" group:"Workers" help:"What data goes over between them (default: tcp)."`
	HeartbeatTimeout time.Duration `placeholder:"D" group:"Workers" help:"After how long a silent one of them is lost (default: ${local_heartbeats})."`
	Recovery         string        `default:"none" enum:"none,sm" placeholder:"none|sm" group:"Workers" help:"What becomes of a run that loses a worker: none, it fails; sm, state management: other workers bring back what it had from checkpoints that they keep of each other's tasks, and those of --workers that end are replaced (default: none)."`
	Replicas         int           `default:"1" placeholder:"N" group:"Workers" help:"How many other workers keep each checkpoint: as many as may be lost at once (default: 1)."`
	Join             string        `placeholder:"ADDR" group:"Workers" help:"Run on the cluster whose coordinator serves HTTP at ADDR, such as localhost:7078."`
	Secret           string        `name:"secret-file" placeholder:"FILE" group:"Workers" help:"File with the secret of that cluster (default: the environment's SPATE_SECRET)."`
}

func (f *whereFlags) check() error {
	var faults []error
	if f.Workers < 0 || f.Workers > cluster.LocalWorkersMax {
		faults = append(faults, fmt.Errorf("--workers is %d, want 1…%d", f.Workers, cluster.LocalWorkersMax))
	}
	if f.Workers > 0 && f.Join != "" {
		faults = append(faults, errors.New("--workers starts a cluster, --join uses one that runs: want one of them"))
	}
	if f.HeartbeatTimeout != 0 && f.Workers == 0 {
		faults = append(faults, errors.New("--heartbeat-timeout is for --workers: a cluster that runs already has one of its own"))
	}
	if err := (coordinator.Timing{HeartbeatTimeout: f.HeartbeatTimeout}).Validate(); err != nil {
		faults = append(faults, fmt.Errorf("--heartbeat-timeout: %w", err))
	}
	if f.Recovery != "none" && f.Workers == 0 && f.Join == "" {
		faults = append(faults, errors.New("--recovery is for workers: want --workers or --join with it; a run in this process has --checkpoints"))
	}
	if f.Replicas < 1 || f.Replicas > cluster.LocalWorkersMax {
		faults = append(faults, fmt.Errorf("--replicas is %d, want 1…%d", f.Replicas, cluster.LocalWorkersMax))
	}
	if f.Replicas > 1 && f.Recovery == "none" {
		faults = append(faults, errors.New("--replicas is for --recovery sm: without checkpoints there is nothing to keep"))
	}
	if f.Secret != "" && f.Join == "" {
		faults = append(faults, errors.New("--secret-file is for --join: a cluster that is started for a run has a secret of its own"))
	}
	return errors.Join(faults...)
}

// recovers says whether a run outlives its workers.
func (f *whereFlags) recovers() bool { return f.Recovery == string(engine.StateManagement) }

// place is where a query runs. It is to be closed.
type place struct {
	runner engine.Runner // nil: in this process
	local  *cluster.Local
}

// open makes the place ready. loops is how many loops each worker has, 0 for its share of the cores.
func (f *whereFlags) open(ctx context.Context, out *output, loops int, memory byteSize) (*place, error) {
	switch {
	case f.Join != "":
		secret, err := secretOf(f.Secret)
		if err != nil {
			return nil, usageError{err}
		}
		client, err := cluster.NewClient(cluster.ClientConfig{Addr: f.Join, Secret: secret})
		if err != nil {
			return nil, usageError{err}
		}
		return &place{runner: cluster.Runner{Manager: client}}, nil
	case f.Workers > 0:
		if loops == 0 {
			loops = max(1, runtime.GOMAXPROCS(0)/f.Workers)
		}
		local, err := cluster.StartLocal(ctx, cluster.LocalConfig{
			Workers: f.Workers, Loops: loops, Network: f.Network, Memory: int64(memory), HeartbeatTimeout: f.HeartbeatTimeout, Respawn: f.recovers(),
			Programs: bench.Programs(), Build: thisBuild(), Output: out.Stderr, Logger: out.errors(),
		})
		if err != nil {
			return nil, err
		}
		return &place{runner: local.Runner(), local: local}, nil
	}
	return &place{}, nil
}

// close ends what was started, and returns err or the fault that it met.
func (p *place) close(err error) error {
	if p.local == nil {
		return err
	}
	return errors.Join(err, p.local.Close())
}

// secretOf reads a cluster's secret from a file, or takes it from the environment.
func secretOf(file string) (auth.Secret, error) {
	if file != "" {
		return auth.ReadSecretFile(file)
	}
	secret, ok, err := auth.FromEnv()
	if err == nil && !ok {
		err = fmt.Errorf("there is no secret: want a file (--secret-file) or the environment variable %s", auth.SecretEnv)
	}
	return secret, err
}

// thisBuild says what this binary is.
func thisBuild() control.Build {
	o := report.OriginOf("")
	return control.Build{Protocol: int(wire.Protocol), Arch: runtime.GOARCH, Version: o.Version, Commit: o.Commit}
}

// logTo makes the logger of a command that runs until it is ended.
func logTo(out *output, verbose bool) *slog.Logger {
	level := slog.LevelInfo
	if verbose {
		level = slog.LevelDebug
	}
	return out.loggerFrom(level)
}
