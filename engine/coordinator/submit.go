package coordinator

import (
	"errors"
	"fmt"
	"slices"
	"strconv"
	"time"

	"github.com/fullspate/spate/engine"
	"github.com/fullspate/spate/engine/control"
	"github.com/fullspate/spate/engine/graph"
)

// Submission is a job that is asked for.
type Submission struct {
	Query *Query
	// Parallelism is the number of tasks by operator id, 1 to graph.TasksMax; others have one per loop of the workers.
	Parallelism map[string]int
	// Workers is how many workers take part, those that have least to do; 0 for all that are there.
	Workers int
	// Pins are operators that have their tasks on one worker alone, by its number among those that take part, from 0.
	Pins   map[string]int
	Config control.JobConfig
}

// Submit takes a job and has it deployed. It returns its id, which is good once the actions so far are done. What is wrong is
// an *Error.
func (m *Machine) Submit(now time.Time, s Submission) (string, error) {
	if err := s.validate(); err != nil {
		return "", errorf(Invalid, "%v", err)
	}
	chosen, err := m.choose(s)
	if err != nil {
		return "", err
	}
	r := &JobRecord{At: now}
	if err := m.lay(r, s, chosen); err != nil {
		return "", errorf(Invalid, "%v", err)
	}
	m.jobsUsed++
	m.attempts++
	r.Deploy.Job, r.Deploy.Epoch = "j"+strconv.Itoa(m.jobsUsed), m.attempts
	j := newJob(r)
	j.due = now.Add(m.timing.DeployTimeout)
	m.jobs = append(m.jobs, j)
	m.append(Record{Job: r})
	m.tellParts(j, m.order(j))
	m.note(now, Event{Kind: JobSubmitted, Job: j.id, Text: fmt.Sprintf("%s on %d workers", s.Query.Program, len(chosen))})
	return j.id, nil
}

func (s Submission) validate() error {
	c := s.Config
	err := engine.Config{
		Parallelism: s.Parallelism, Pins: s.Pins, Pace: c.Pace, LogBytes: c.LogBytes, StepBytes: c.StepBytes,
		FrameBytes: c.FrameBytes, Memory: c.Memory, Window: c.Window, CheckpointInterval: c.CheckpointInterval, Replicas: c.Replicas,
	}.Validate()
	if s.Workers < 0 {
		err = errors.Join(err, fmt.Errorf("workers is %d, want 0 (all) or a positive number", s.Workers))
	}
	return err
}

// choose takes the workers that have the fewest parts of jobs, of those that have the program.
func (m *Machine) choose(s Submission) ([]*member, error) {
	able, load := m.able(s.Query.Program), m.load()
	n := s.Workers
	if n == 0 {
		n = max(len(able), 1)
	}
	if n > len(able) {
		return nil, errorf(Unavailable, "there are %d workers that have program %q, want %d", len(able), s.Query.Program, n)
	}
	slices.SortStableFunc(able, func(a, b *member) int { return load[a] - load[b] })
	return able[:n], nil
}

// lay plans a job for the chosen workers: which tasks there are, and on which loop each runs.
func (m *Machine) lay(r *JobRecord, s Submission, chosen []*member) error {
	for _, w := range chosen {
		r.Deploy.Workers = append(r.Deploy.Workers, control.Host{Worker: w.id, Incarnation: w.incarnation, Addr: w.addr})
	}
	r.Deploy.Slots = slots(chosen)
	r.Deploy.Spec = control.JobSpec{
		Program: s.Query.Program, Params: s.Query.Params, Parallelism: s.Parallelism, Workers: len(chosen), Default: len(r.Deploy.Slots),
		Pins: s.Pins, Fingerprint: s.Query.Graph.Fingerprint(), Config: s.Config,
	}
	plan, err := graph.NewPlan(s.Query.Graph.Untyped(), graph.PlanConfig{
		Parallelism: s.Parallelism, Default: len(r.Deploy.Slots), NoFuse: s.Config.NoFuse,
	})
	if err != nil {
		return err
	}
	workers := make([]int, len(r.Deploy.Slots))
	for i, slot := range r.Deploy.Slots {
		workers[i] = slot.Worker
	}
	if r.Deploy.Place, err = plan.Place(workers, s.Pins); err != nil {
		return err
	}
	for _, u := range plan.Units {
		r.Deploy.Ranges = append(r.Deploy.Ranges, u.Ranges)
	}
	r.Topology = topology(plan, r.Deploy.Workers, r.Deploy.Slots, r.Deploy.Place)
	return nil
}

// slots are the loops of workers: the first of each, then the second of each, and so on, so that an operator with few tasks
// has them on different workers.
func slots(workers []*member) []control.Slot {
	var list []control.Slot
	for loop := range loopsMax {
		for i, w := range workers {
			if loop < w.loops {
				list = append(list, control.Slot{Worker: i, Loop: loop})
			}
		}
	}
	return list
}
