package cli

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"log/slog"
	"os"
	"path/filepath"
	"time"

	"github.com/fullspate/spate/bench"
	"github.com/fullspate/spate/cmd/spate/internal/report"
	"github.com/fullspate/spate/engine/auth"
	"github.com/fullspate/spate/engine/coordinator"
	"github.com/fullspate/spate/engine/coordinator/api"
)

type coordinatorCommand struct {
	Listen           string        `default:"tcp://127.0.0.1:7077" placeholder:"ADDR" help:"Where workers connect: tcp://host:port or unix:///path (default: tcp://127.0.0.1:7077)."`
	HTTP             string        `name:"http" default:"${http}" placeholder:"ADDR" help:"Where the HTTP API is served (default: ${http})."`
	State            string        `placeholder:"DIR" help:"Folder of the journal, made if it is not there (default: $XDG_STATE_HOME/spate or ~/.local/state/spate)."`
	Secret           string        `name:"secret-file" placeholder:"FILE" help:"File with the cluster's secret, made with a new one if it is not there (default: the environment's SPATE_SECRET)."`
	HeartbeatTimeout time.Duration `default:"200ms" placeholder:"D" help:"After how long a silent worker is lost (default: 200ms)."`
	Dismiss          bool          `help:"End the workers as well at the end."`
	Verbose          bool          `short:"v" help:"Tell more."`
}

// Help shows examples.
func (coordinatorCommand) Help() string {
	return `Deploys jobs on the workers that register with it, and watches them, until it is interrupted. What it must not forget is in a
journal: it can be killed and started again at any time, and jobs go on meanwhile. Workers outlive it.

	spate coordinator --secret-file secret
	spate coordinator --listen tcp://10.0.0.1:7077 --state /var/lib/spate --secret-file secret --heartbeat-timeout 2s`
}

// Validate checks the flags.
func (c *coordinatorCommand) Validate() error {
	if err := (coordinator.Timing{HeartbeatTimeout: c.HeartbeatTimeout}).Validate(); err != nil {
		return fmt.Errorf("--heartbeat-timeout: %w", err)
	}
	return errors.Join(needs("--listen", c.Listen), needs("--http", c.HTTP))
}

// dismissPatience bounds how long workers may take to hear that they are dismissed.
const dismissPatience = 5 * time.Second

// coordinating is what the command tells when the coordinator has started.
type coordinating struct {
	report.Origin
	Cluster string `json:"cluster"`
	Epoch   uint64 `json:"epoch"` // how often it was started
	Listen  string `json:"listen"`
	HTTP    string `json:"http"`
	State   string `json:"state"`
}

func (s *coordinating) text(w io.Writer) error {
	_, err := fmt.Fprintf(w, "cluster      %s, started for the %s time\nworkers      %s\nHTTP         http://%s\njournal      %s\n",
		s.Cluster, ordinal(s.Epoch), s.Listen, s.HTTP, s.State)
	return err
}

// ordinal is 1st, 2nd, 3rd and so on.
func ordinal(n uint64) string {
	suffix := "th"
	if n%100/10 != 1 {
		switch n % 10 {
		case 1:
			suffix = "st"
		case 2:
			suffix = "nd"
		case 3:
			suffix = "rd"
		}
	}
	return fmt.Sprintf("%d%s", n, suffix)
}

// Run is the coordinator's life.
func (c *coordinatorCommand) Run(ctx context.Context, out *output) (err error) {
	log := logTo(out, c.Verbose)
	config := coordinator.Config{
		Listen: c.Listen, StateDir: c.State, Programs: bench.Programs(), Build: thisBuild(), Logger: log,
		Timing: coordinator.Timing{HeartbeatTimeout: c.HeartbeatTimeout},
	}
	if config.Secret, err = c.secret(log); err != nil {
		return usageError{err}
	}
	if config.StateDir == "" {
		if config.StateDir, err = stateDir(); err != nil {
			return usageError{fmt.Errorf("there is no folder for the journal (%w): want --state", err)}
		}
	}
	if err := config.Validate(); err != nil {
		return usageError{err}
	}
	server, err := coordinator.Start(config)
	if err != nil {
		return err
	}
	web, err := api.Serve(c.HTTP, api.Config{Coordinator: server, Secret: config.Secret, Logger: log})
	if err != nil {
		return errors.Join(err, server.Close())
	}
	err = c.serve(ctx, out, server, web, config.StateDir)
	// The coordinator first: who waits for a job through the API is told that it stops.
	return errors.Join(err, server.Close(), web.Close())
}

// serve says where the coordinator is and waits for its end.
func (c *coordinatorCommand) serve(ctx context.Context, out *output, server *coordinator.Server, web *api.Server, dir string) error {
	info, err := server.Info(ctx)
	if err != nil {
		return err
	}
	where := &coordinating{Origin: report.OriginOf("spate.coordinator/1"), Cluster: info.Cluster, Epoch: info.Epoch,
		Listen: server.Addr(), HTTP: web.Addr(), State: dir}
	if err := out.result(where, where.text); err != nil {
		return err
	}
	select {
	case <-ctx.Done():
	case <-server.Done(): // Close says why
		return nil
	}
	if !c.Dismiss {
		return nil
	}
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), dismissPatience)
	defer cancel()
	return server.Dismiss(ctx, "its coordinator was ended with --dismiss")
}

// secret reads the cluster's secret; a file that is not there is made.
func (c *coordinatorCommand) secret(log *slog.Logger) (auth.Secret, error) {
	if c.Secret == "" {
		return secretOf("")
	}
	s := auth.NewSecret()
	f, err := os.OpenFile(c.Secret, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
	if errors.Is(err, fs.ErrExist) {
		return auth.ReadSecretFile(c.Secret)
	}
	if err != nil {
		return auth.Secret{}, err
	}
	_, err = fmt.Fprintln(f, s.Reveal())
	log.Info("the cluster has a new secret", "file", c.Secret)
	return s, errors.Join(err, f.Close())
}

// stateDir is where a user's programs keep their state.
func stateDir() (string, error) {
	if dir := os.Getenv("XDG_STATE_HOME"); filepath.IsAbs(dir) {
		return filepath.Join(dir, "spate"), nil
	}
	home, err := os.UserHomeDir()
	if err != nil {
		return "", err
	}
	return filepath.Join(home, ".local", "state", "spate"), nil
}
