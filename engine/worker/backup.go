package worker

import (
	"slices"

	"github.com/fullspate/spate/engine/checkpoint"
	"github.com/fullspate/spate/engine/control"
	"github.com/fullspate/spate/ft"
)

// keepCheckpoints has checkpoints taken of every lane's tasks, if the job takes any.
func (j *job) keepCheckpoints() error {
	if !j.durable() {
		return nil
	}
	j.w.vault.Open(j.name)
	j.assignBackups()
	for _, l := range j.lanes {
		if l == nil {
			continue
		}
		taker, err := checkpoint.New(checkpoint.Config{
			Schedule: ft.ScheduleConfig{Interval: j.order.Spec.Config.CheckpointInterval},
			Keep:     j.keep, Wake: l.reactor.Wake, Logger: j.w.log, Go: func(fn func()) { j.work.Go(fn) },
		})
		if err != nil {
			return err
		}
		l.taker = taker
		l.loop.Keep(taker)
	}
	for t, here := range j.own {
		if here {
			d := j.dep.Units[t.unit][t.index]
			if err := j.laneOf(d).taker.Add(d.Task, j.dep.Member(d), 0); err != nil {
				return err
			}
		}
	}
	return nil
}

// keep gives a checkpoint to those who are to have it.
func (j *job) keep(c checkpoint.Kept, done func(error)) {
	holders := *j.holders.Load()
	done(j.w.backups.Put(j.ctx, j.name, holders[c.Task], c))
}

// idOf names a task as stores of checkpoints do.
func (j *job) idOf(t at) ft.TaskID {
	u := j.dep.Plan.Units[t.unit]
	return ft.TaskID{Operator: u.Host().ID, Range: u.Ranges[t.index]}
}

// hosts are the workers of the job that are not gone.
func (j *job) hosts() (list []control.Host) {
	for i, h := range j.order.Workers {
		if !slices.Contains(j.order.Gone, i) {
			list = append(list, h)
		}
	}
	return list
}

// assignBackups decides, by the order, who keeps the checkpoints of whose tasks, and who may write them here. A task whose
// holders are others than before has a complete checkpoint taken at once.
func (j *job) assignBackups() {
	if !j.durable() {
		return
	}
	hosts := j.hosts()
	byName, names := map[string]control.Host{}, []string{}
	for _, h := range hosts {
		byName[h.Worker] = h
		names = append(names, h.Worker)
	}
	owners := map[ft.TaskID]uint64{}
	holders := map[ft.TaskID][]control.Host{}
	for _, t := range tasksOf(j.order) {
		id, host := j.idOf(t), j.order.Workers[j.slot(t.unit, t.index).Worker]
		owners[id] = host.Incarnation
		for _, name := range ft.Holders(id, host.Worker, j.upstream(t), names, max(j.order.Spec.Config.Replicas, 1)) {
			holders[id] = append(holders[id], byName[name])
		}
		if len(holders[id]) == 0 { // there is no other: at least the logs can be trimmed
			holders[id] = []control.Host{host}
		}
	}
	j.w.vault.Owners(j.name, owners)
	before := j.holders.Swap(&holders)
	if before == nil {
		return
	}
	j.each(func(l *lane) {
		l.taker.Renew(func(id ft.TaskID) bool { return !slices.Equal((*before)[id], holders[id]) })
		l.ran = false // though its tasks may be at their end
		l.reactor.Wake()
	})
}

// upstream are the workers of the tasks that feed a task.
func (j *job) upstream(t at) (names []string) {
	for _, d := range j.dep.Inbound(j.dep.Units[t.unit][t.index]) {
		name := j.order.Workers[j.slot(d.From.Unit, d.From.Index).Worker].Worker
		if !slices.Contains(names, name) {
			names = append(names, name)
		}
	}
	return names
}
