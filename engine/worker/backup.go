package worker

import (
	"slices"

	"github.com/fullspate/spate/engine/checkpoint"
	"github.com/fullspate/spate/engine/internal/background"
	"github.com/fullspate/spate/engine/rewire"
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
			Keep:     j.keep, Wake: l.reactor.Wake, Logger: j.w.log, Go: func(fn func()) { j.work.Go(func() { background.Run(fn) }) },
		})
		if err != nil {
			return err
		}
		l.taker = taker
		l.loop.Keep(taker)
	}
	for _, t := range slices.Backward(rewire.Places(j.order)) { // sinks first
		if j.own[t] != nil {
			d := j.dep.Units[t.Unit][t.Index]
			if err := j.laneOf(d).taker.Add(d.Task, j.dep.Member(d), 0); err != nil {
				return err
			}
		}
	}
	return nil
}

// keep gives a checkpoint to those who are to have it.
func (j *job) keep(c checkpoint.Kept, done func(error)) {
	done(j.w.backups.Put(j.ctx, j.name, j.backups.Load().Holders[c.Task], c))
}

// assignBackups decides, by the order, who keeps the checkpoints of whose tasks, and who may write them here. A task whose
// holders are others than before has a complete checkpoint taken at once.
func (j *job) assignBackups() {
	if !j.durable() {
		return
	}
	backups := rewire.Assign(j.dep, j.order)
	j.w.vault.Owners(j.name, backups.Owners, backups.Readers)
	before := j.backups.Swap(&backups)
	if before == nil {
		return
	}
	j.each(func(l *lane) {
		l.taker.Renew(func(id ft.TaskID) bool { return !backups.Same(*before, id) })
		l.ran = false // though its tasks may be at their end
		l.reactor.Wake()
	})
}
