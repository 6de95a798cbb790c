package look

import (
	"context"
	"slices"
	"time"

	"github.com/fullspate/spate/engine/coordinator/api"
)

// Source says how things are: a *cluster.Client.
type Source interface {
	Cluster(ctx context.Context) (api.Cluster, error)
	Workers(ctx context.Context) ([]api.Worker, error)
	Jobs(ctx context.Context) ([]api.JobSummary, error)
	Look(ctx context.Context, id string) (api.Job, error)
	Metrics(ctx context.Context, id string) (api.Metrics, error)
}

// Look is what there was to see at one moment.
type Look struct {
	At      time.Time        `json:"at"`
	Cluster api.Cluster      `json:"cluster"`
	Workers []api.Worker     `json:"workers"`
	Jobs    []api.JobSummary `json:"jobs"`
	Job     *api.Job         `json:"job"` // nil if there is none
	Metrics *api.Metrics     `json:"metrics"`
}

// Take looks at a cluster, and at one of its jobs: the one that is named, else the youngest that has not ended, else the
// youngest.
func Take(ctx context.Context, s Source, id string) (*Look, error) {
	l := &Look{At: time.Now()}
	var err error
	if l.Cluster, err = s.Cluster(ctx); err != nil {
		return nil, err
	}
	if l.Workers, err = s.Workers(ctx); err != nil {
		return nil, err
	}
	if l.Jobs, err = s.Jobs(ctx); err != nil {
		return nil, err
	}
	if id == "" {
		id = youngest(l.Jobs)
	}
	if id == "" {
		return l, nil
	}
	job, err := s.Look(ctx, id)
	if err != nil {
		return nil, err
	}
	metrics, err := s.Metrics(ctx, id)
	if err != nil {
		return nil, err
	}
	l.Job, l.Metrics = &job, &metrics
	return l, nil
}

// youngest is the job to look at if none is named; empty if there is none. Jobs come oldest first.
func youngest(jobs []api.JobSummary) string {
	for _, j := range slices.Backward(jobs) {
		if !j.State.Over() {
			return j.ID
		}
	}
	if len(jobs) == 0 {
		return ""
	}
	return jobs[len(jobs)-1].ID
}

// elapsed is for how long a worker's part of the job had been running when it reported last.
func (l *Look) elapsed(worker string) time.Duration {
	for _, w := range l.Metrics.Workers {
		if w.Worker == worker {
			return time.Duration(w.ElapsedMS * float64(time.Millisecond))
		}
	}
	return 0
}

// behind is by how much a task is behind the moment at which it would be if no tuple took any time, by the clock; false where
// that is not known, as for a job without a pace.
func (l *Look) behind(t *api.Task) (time.Duration, bool) {
	pace, elapsed := l.Job.Config.Pace, l.elapsed(t.Worker)
	if pace <= 0 || t.PositionMS == nil || elapsed <= 0 {
		return 0, false
	}
	at := time.Duration(float64(*t.PositionMS) / pace * float64(time.Millisecond))
	return max(elapsed-at, 0), true
}
