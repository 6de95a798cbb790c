package sim

import (
	"bytes"
	"context"
	"errors"
	"fmt"

	"github.com/fullspate/spate/engine/checkpoint"
	"github.com/fullspate/spate/engine/internal/mutant"
	"github.com/fullspate/spate/engine/rewire"
	"github.com/fullspate/spate/ft"
	"github.com/fullspate/spate/wire"
)

// safe is what a worker keeps of others' checkpoints: a real store, and the rules by which engine/vault admits who puts and
// who asks.
type safe struct {
	store  *ft.Memory
	owners map[ft.TaskID]uint64 // by the newest order that the worker has followed
	copies map[saved]*kept
}

// saved names a checkpoint in a safe.
type saved struct {
	task ft.TaskID
	gen  uint64
}

// kept is the memory of a checkpoint, which the safe alone refers to.
type kept struct {
	encoded []byte
	damaged bool
}

// Why a safe, or a worker, does not do what it is asked for.
var (
	errUnknown     = errors.New("who runs the task is not known here, or not yet")
	errFenced      = errors.New("somebody else runs the task")
	errUnreachable = errors.New("nobody answers")
)

func newSafe() *safe {
	m, err := ft.NewMemory(ft.MemoryConfig{})
	if err != nil {
		panic("BUG: " + err.Error())
	}
	return &safe{store: m, copies: map[saved]*kept{}}
}

// admit says whether an incarnation runs a task.
func (s *safe) admit(id ft.TaskID, from uint64) error {
	owner, known := s.owners[id]
	switch {
	case mutant.Active == mutant.ZombieKept:
		return nil
	case !known:
		return errUnknown
	case owner != from:
		return errFenced
	}
	return nil
}

// put takes a checkpoint.
func (s *safe) put(from uint64, k checkpoint.Kept) error {
	if err := s.admit(k.Task, from); err != nil {
		return err
	}
	own := bytes.Clone(k.Encoded)
	if err := s.store.Put(context.Background(), k.Task, k.Generation, k.Follows, own); err != nil {
		return err
	}
	key := saved{k.Task, k.Generation}
	if s.copies[key] == nil { // else it was here
		s.copies[key] = &kept{encoded: own}
	}
	s.forget(k.Task)
	return nil
}

// forget drops what the store has dropped.
func (s *safe) forget(id ft.TaskID) {
	here := map[uint64]bool{}
	for _, i := range s.list(id) {
		here[i.Generation] = true
	}
	for key := range s.copies {
		if key.task == id && !here[key.gen] {
			delete(s.copies, key)
		}
	}
}

// fold makes a base of a task's newest checkpoint, where that pays. Damage is found by that, at the latest.
func (s *safe) fold(id ft.TaskID) {
	before := s.list(id)
	if s.store.Fold(context.Background(), id) != nil {
		if len(before) > 0 {
			_, _ = s.get(id, before[0].Generation) // forgets it
		}
		return
	}
	if after := s.list(id); len(after) > 0 && after[0].Follows == 0 && before[0].Follows != 0 {
		encoded, err := s.store.Encoded(context.Background(), id, after[0].Generation)
		if err == nil {
			s.copies[saved{id, after[0].Generation}] = &kept{encoded: encoded}
		}
	}
	s.forget(id)
}

// list tells what there is, newest first.
func (s *safe) list(id ft.TaskID) []ft.Info {
	infos, err := s.store.Generations(context.Background(), id)
	if err != nil {
		panic("BUG: " + err.Error()) // the context's, which has none
	}
	return infos
}

// get returns a checkpoint.
func (s *safe) get(id ft.TaskID, gen uint64) (*ft.Checkpoint, error) {
	encoded, err := s.store.Encoded(context.Background(), id, gen)
	if err != nil {
		s.forget(id)
		return nil, err
	}
	c, err := ft.Decode(encoded)
	if err == nil && (c.Task() != id || c.Generation != gen) {
		err = fmt.Errorf("checkpoint %d of %v came for checkpoint %d of %v", c.Generation, c.Task(), gen, id)
	}
	return c, err
}

// intact is the greatest position to which a task can be brought back from here, 0 for none.
func (s *safe) intact(id ft.TaskID) (best wire.Time) {
	infos := s.list(id)
	follows := map[uint64]uint64{}
	for _, i := range infos {
		follows[i.Generation] = i.Follows
	}
	for _, i := range infos {
		whole := true
		for gen := i.Generation; gen != 0; gen = follows[gen] {
			k := s.copies[saved{id, gen}]
			whole = whole && k != nil && !k.damaged
		}
		if whole {
			best = max(best, i.Position)
		}
	}
	return best
}

// damage changes a bit of the newest checkpoint of a task, or of what that builds upon. It says whether there was one.
func (s *safe) damage(id ft.TaskID, pick func(n int) int) bool {
	infos := s.list(id)
	if len(infos) == 0 {
		return false
	}
	k := s.copies[saved{id, infos[pick(len(infos))].Generation}]
	if k == nil || k.damaged {
		return false
	}
	k.encoded[pick(len(k.encoded))] ^= 1 << pick(8)
	k.damaged = true
	return true
}

// put is a checkpoint on its way to its holders.
type put struct {
	kept checkpoint.Kept
	left int // answers to come
	errs []error
	done func(error)
}

// keep gives a checkpoint to those who are to have it. They get it, and answer, in any order, late, and not at all where they
// are gone.
func (m *member) keep(k checkpoint.Kept, done func(error)) {
	if m.life == dead {
		return
	}
	holders := m.backups.Holders[k.Task]
	p := &put{kept: k, left: len(holders), done: done}
	if mutant.Active == mutant.DurableEarly {
		done(nil)
		p.done = func(error) {}
	}
	m.reach(Putting)
	for _, h := range holders {
		m.c.send(m, h, p)
	}
}

// send puts a checkpoint into the safe of a holder, some time.
func (c *crew) send(from *member, h controlHost, p *put) {
	to, answered := c.memberOf(h), false
	answer := func(err error) {
		if !answered {
			answered = true
			c.later(from, func() error { from.answered(p, err); return nil })
		}
	}
	c.later(nil, func() error {
		err := errUnreachable
		if to != nil && to.life != dead {
			err = to.safe.put(from.host.Incarnation, p.kept)
			c.later(to, func() error { to.safe.fold(p.kept.Task); return nil })
		}
		if err == nil && from.step == Putting {
			from.reach(Spreading)
		}
		answer(err)
		return nil
	})
	if c.chance(c.nature.lostAnswers) { // though it may yet arrive, after what comes later
		c.report.Late++
		answer(errUnreachable)
	}
}

// answered hears of one of the holders.
func (m *member) answered(p *put, err error) {
	p.errs = append(p.errs, err)
	if p.left--; p.left == 0 || mutant.Active == mutant.OneIsEnough && err == nil && len(p.errs) == 1 {
		m.reach(Kept)
		p.done(errors.Join(p.errs...))
	}
}

// assignBackups decides, by the order, who keeps the checkpoints of whose tasks.
func (m *member) assignBackups() {
	before := m.backups
	m.backups = rewire.Assign(m.dep, m.order)
	m.safe.owners = m.backups.Owners
	m.taker.Renew(func(id ft.TaskID) bool { return !m.backups.Same(before, id) && mutant.Active != mutant.NoRenew })
}
