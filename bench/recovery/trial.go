package recovery

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"github.com/fullspate/spate/bench/measure"
	"github.com/fullspate/spate/engine"
	"github.com/fullspate/spate/engine/cluster"
	"github.com/fullspate/spate/engine/coordinator"
)

// trial is one run of the query on a local cluster.
type trial struct {
	cfg     *Config
	local   *cluster.Local
	running engine.Running
	job     string // its id
}

// begin starts the query on a cluster.
func (c *Config) begin(ctx context.Context, local *cluster.Local, checkpoints bool) (*trial, error) {
	t := &trial{cfg: c, local: local}
	params, err := json.Marshal(Params{Input: c.Input, Pace: 1})
	if err != nil {
		return nil, err
	}
	runner := local.Runner()
	runner.Workers = c.Local.Workers - 1
	if t.running, err = runner.Start(ctx, Programs()[0], params, c.engine(checkpoints)); err != nil {
		return nil, err
	}
	jobs, err := local.Jobs(ctx)
	if err != nil || len(jobs) == 0 {
		return nil, errors.Join(errors.New("the job that was started is not there"), err)
	}
	t.job = jobs[len(jobs)-1].ID
	return t, nil
}

// lookEvery is how often the job is looked at while something is waited for: rarely enough for two cores.
const lookEvery = 20 * time.Millisecond

// await waits until the job is as ok says.
func (t *trial) await(ctx context.Context, what string, patience time.Duration, ok func(coordinator.JobInfo) bool) (info coordinator.JobInfo, err error) {
	ctx, cancel := context.WithTimeoutCause(ctx, patience, fmt.Errorf("%s: not within %v", what, patience))
	defer cancel()
	ticker := time.NewTicker(lookEvery)
	defer ticker.Stop()
	for {
		if info, err = t.local.Job(ctx, t.job); err == nil && ok(info) {
			return info, nil
		}
		select {
		case <-t.running.Done():
			return info, errors.Join(fmt.Errorf("%s: the job has ended", what), t.running.Wait())
		case <-ctx.Done():
			return info, context.Cause(ctx)
		case <-ticker.C:
		}
	}
}

// end waits for the end of the input, and returns what has arrived: when the job began, and the timeline.
func (t *trial) end() (began time.Time, line Timeline, totals Totals, err error) {
	if err := t.running.Wait(); err != nil {
		return began, nil, totals, err
	}
	all, err := measure.Gather(t.running.Results(), toldResult, (*told).merge)
	if err != nil {
		return began, nil, totals, err
	}
	line, err = unpack(all.Line)
	return all.Began, line, all.Totals, err
}
