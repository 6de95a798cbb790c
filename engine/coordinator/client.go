package coordinator

import (
	"context"
	"slices"
	"time"

	"github.com/fullspate/spate/engine/auth"
	"github.com/fullspate/spate/engine/control"
)

// Request is a job that is asked for by the name of its program.
type Request struct {
	Program string
	Params  []byte // JSON; empty for none
	// The rest is as in Submission.
	Parallelism map[string]int
	Workers     int
	Pins        map[string]int
	Config      control.JobConfig
}

// Submit builds the program's graph, has the job deployed, and returns its id, which is on disk then. What is wrong with the
// request is an *Error.
func (s *Server) Submit(ctx context.Context, r Request) (id string, err error) {
	q, err := BuildQuery(s.cfg.Programs, r.Program, r.Params)
	if err != nil {
		return "", err
	}
	asked := s.ask(ctx, func(d *desk, now time.Time) {
		id, err = d.machine.Submit(now, Submission{
			Query: q, Parallelism: r.Parallelism, Workers: r.Workers, Pins: r.Pins, Config: r.Config,
		})
	})
	if asked != nil {
		return "", asked
	}
	return id, err
}

// Drain ends a job's input now: what has been read is processed, and pending timers fire.
func (s *Server) Drain(ctx context.Context, id string) error { return s.end(ctx, id, control.Drain) }

// Cancel ends a job in good order, but pending timers do not fire.
func (s *Server) Cancel(ctx context.Context, id string) error { return s.end(ctx, id, control.Cancel) }

func (s *Server) end(ctx context.Context, id string, how control.How) (err error) {
	asked := s.ask(ctx, func(d *desk, now time.Time) { err = d.machine.End(now, id, how) })
	if asked != nil {
		return asked
	}
	return err
}

// Rescale has an operator of a job run in another number of tasks while the job goes on. It returns when that is under way: see
// Reassigned. What is wrong with the request is an *Error.
func (s *Server) Rescale(ctx context.Context, job, operator string, tasks int) (Reassignment, error) {
	return s.reassign(ctx, func(m *Machine, now time.Time) (Reassignment, error) { return m.Rescale(now, job, operator, tasks) })
}

// Rebalance cuts the key space of an operator anew, as Rescale changes the number of its tasks: at the hashes given, or evenly.
func (s *Server) Rebalance(ctx context.Context, job, operator string, cuts []uint64) (Reassignment, error) {
	return s.reassign(ctx, func(m *Machine, now time.Time) (Reassignment, error) { return m.Rebalance(now, job, operator, cuts) })
}

// Migrate has a task go on on another worker, as Rescale changes the number of tasks: on the one of that name, or on the one with
// the fewest.
func (s *Server) Migrate(ctx context.Context, job, operator string, task int, to string) (Reassignment, error) {
	return s.reassign(ctx, func(m *Machine, now time.Time) (Reassignment, error) { return m.Migrate(now, job, operator, task, to) })
}

func (s *Server) reassign(ctx context.Context, do func(*Machine, time.Time) (Reassignment, error)) (re Reassignment, err error) {
	asked := s.ask(ctx, func(d *desk, now time.Time) { re, err = do(d.machine, now) })
	if asked != nil {
		return Reassignment{}, asked
	}
	return re, err
}

// DrainWorker has a worker be given no more tasks, and those that it has go to others while their jobs go on. It returns when that
// is under way: see Drained.
func (s *Server) DrainWorker(ctx context.Context, id string) (w WorkerInfo, err error) {
	asked := s.ask(ctx, func(d *desk, now time.Time) { w, err = d.machine.DrainWorker(now, id) })
	if asked != nil {
		return WorkerInfo{}, asked
	}
	return w, err
}

// Drained waits until a worker that is being drained has nothing more that would move by itself, and says how it is. When ctx is
// done, it says how far it is, with ctx's error.
func (s *Server) Drained(ctx context.Context, id string) (WorkerInfo, error) {
	var w WorkerInfo
	err := s.await(ctx, func(ctx context.Context) (bool, error) {
		all, err := s.Workers(ctx)
		if err != nil {
			return false, err
		}
		i := slices.IndexFunc(all, func(w WorkerInfo) bool { return w.ID == id })
		if i < 0 {
			return false, errorf(NotFound, "there is no worker %q", id)
		}
		w = all[i]
		return w.Drain == nil || w.Drain.Done || w.State == WorkerGone, nil
	})
	return w, err
}

// Follow waits until a job has events after one with a number, 0 for all, and returns them; none if the job has ended and there
// are no more. When ctx is done, it returns ctx's error.
func (s *Server) Follow(ctx context.Context, id string, after uint64) (events []Event, err error) {
	err = s.await(ctx, func(ctx context.Context) (bool, error) {
		info, err := s.Job(ctx, id)
		if err != nil {
			return false, err
		}
		events = slices.DeleteFunc(info.Events, func(e Event) bool { return e.Seq <= after })
		return len(events) > 0 || info.State.Over(), nil
	})
	return events, err
}

// Reassigned waits until a reassignment of a job has ended, and says what has become of it. When ctx is done, it says how far it
// is, with ctx's error.
func (s *Server) Reassigned(ctx context.Context, job string, id uint64) (Reassignment, error) {
	var re Reassignment
	err := s.await(ctx, func(ctx context.Context) (bool, error) {
		info, err := s.Job(ctx, job)
		if err != nil {
			return false, err
		}
		re, err = info.Reassignment(id)
		return re.State.Over(), err
	})
	return re, err
}

// await waits until something is so, at which it looks after every event.
func (s *Server) await(ctx context.Context, is func(context.Context) (bool, error)) error {
	for {
		s.changedMu.Lock()
		changed := s.changed
		s.changedMu.Unlock()
		if yes, err := is(context.WithoutCancel(ctx)); err != nil || yes {
			return err
		}
		select {
		case <-changed:
		case <-s.dead:
			return errStopping
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}

// Dismiss asks all workers to end their processes.
func (s *Server) Dismiss(ctx context.Context, reason string) error {
	return s.ask(ctx, func(d *desk, now time.Time) { d.machine.Dismiss(now, reason) })
}

// Info says how the whole is.
func (s *Server) Info(ctx context.Context) (ClusterInfo, error) {
	return look(ctx, s, (*Machine).Info)
}

// Workers are all workers that are known, in order of registration.
func (s *Server) Workers(ctx context.Context) ([]WorkerInfo, error) {
	return look(ctx, s, (*Machine).Workers)
}

// Jobs are all jobs that are remembered, oldest first.
func (s *Server) Jobs(ctx context.Context) ([]JobSummary, error) {
	return look(ctx, s, (*Machine).Jobs)
}

// Events are the cluster's last events, oldest first.
func (s *Server) Events(ctx context.Context) ([]Event, error) {
	return look(ctx, s, (*Machine).Events)
}

// Counts says how many events of each kind there were since the coordinator was started.
func (s *Server) Counts(ctx context.Context) (map[EventKind]uint64, error) {
	return look(ctx, s, (*Machine).Counts)
}

// Job says all about one job.
func (s *Server) Job(ctx context.Context, id string) (info JobInfo, err error) {
	asked := s.ask(ctx, func(d *desk, _ time.Time) { info, err = d.machine.Job(id) })
	if asked != nil {
		return JobInfo{}, asked
	}
	return info, err
}

// Wait waits until a job has ended, and says all about it. When ctx is done, it says how far it is, with ctx's error.
func (s *Server) Wait(ctx context.Context, id string) (JobInfo, error) {
	var info JobInfo
	err := s.await(ctx, func(ctx context.Context) (over bool, err error) {
		info, err = s.Job(ctx, id)
		return info.State.Over(), err
	})
	return info, err
}

// AuthStats counts what became of connections.
func (s *Server) AuthStats() auth.Stats { return s.acceptor.Stats() }

// JournalBytes is the size of the journal.
func (s *Server) JournalBytes(ctx context.Context) (size int64, err error) {
	err = s.ask(ctx, func(d *desk, _ time.Time) { size = d.journal.Size() })
	return size, err
}

// look has the desk look at the machine.
func look[T any](ctx context.Context, s *Server, get func(*Machine) T) (T, error) {
	var v T
	if err := s.ask(ctx, func(d *desk, _ time.Time) { v = get(d.machine) }); err != nil {
		var none T
		return none, err
	}
	return v, nil
}
