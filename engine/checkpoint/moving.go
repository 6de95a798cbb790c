package checkpoint

import (
	"slices"

	"github.com/fullspate/spate/engine/task"
	"github.com/fullspate/spate/wire"
)

// moving is what there is of a task that is to be taken over from, or has been.
type moving struct {
	left  bool      // no checkpoints are taken of it any more
	at    wire.Time // one is wanted at or beyond this, 0 for none
	exact bool      // at it
	then  func()    // to be called once it is frozen
	keeps bool      // that one is to stay the newest
}

// frozen says that a checkpoint of the task has begun, at a position.
func (m *moving) frozen(at wire.Time) {
	if then := m.then; then != nil && at >= m.at {
		m.then = nil
		then()
	}
}

// Cut has a checkpoint taken of a task as soon as its position is at or beyond a time, and no later, unless one is durable that
// is. With exact it is to be at that time: the caller holds the task there, until then is called (by Step, once the checkpoint
// has begun or is needless). A task that the taker does not have is passed over.
func (k *Taker) Cut(t *task.Task, at wire.Time, exact bool, then func()) {
	for i, s := range k.tasks {
		if s.Task == t && !s.left {
			s.at, s.exact, s.then, s.keeps = at, exact, then, false
			k.sched.Ask(i)
		}
	}
}

// Release ends what Cut has begun.
func (k *Taker) Release(t *task.Task) {
	for _, s := range k.tasks {
		if s.Task == t {
			s.moving = moving{left: s.left}
		}
	}
}

// rests says that nothing is to be begun of the task.
func (m *moving) rests() bool { return m.left || m.keeps && m.at == 0 }

// cut is the task of which a checkpoint is wanted at a time that it has reached.
func (k *Taker) cut() (index int, ok bool) {
	for i, s := range k.tasks {
		if s.at == 0 || s.left || s.Position() < s.at {
			continue
		}
		if s.durable == s.at || s.durable > s.at && !s.exact || s.exact && s.Position() > s.at {
			s.frozen(s.Position())
			s.at, s.keeps = 0, s.exact // there is one, or it is too late
			continue
		}
		s.again = true
		return i, true
	}
	return 0, false
}

// Remove has no more checkpoints taken of a task. As long as one of it is under way Holds says so: then the task must not be
// closed.
func (k *Taker) Remove(t *task.Task) {
	for i, s := range k.tasks {
		if s.Task != t || s.left {
			continue
		}
		s.left = true
		if k.run == nil || k.run.index != i {
			k.sched.Remove(i)
			continue
		}
		if !k.run.copied {
			k.run.freeze.Abort()
			k.run.copied = true
			if k.cfg.Backlog < 0 { // nobody is at it yet
				k.run = nil
				k.sched.Remove(i)
			}
		}
	}
}

// Has says that checkpoints of the task are taken.
func (k *Taker) Has(t *task.Task) bool {
	return slices.ContainsFunc(k.tasks, func(s *subject) bool { return s.Task == t && !s.left })
}

// Busy says that a checkpoint is under way.
func (k *Taker) Busy() bool { return k.run != nil }

// Holds says that a checkpoint of the task is under way.
func (k *Taker) Holds(t *task.Task) bool { return k.run != nil && k.tasks[k.run.index].Task == t }
