package ft

import (
	"fmt"
	"slices"

	"github.com/fullspate/spate/state"
)

const (
	// foldDeltas is how many deltas are left to be folded at a restore: each is one more image to be merged.
	foldDeltas = 8
	// foldShare bounds the bytes of deltas by this part of their base's: what a restore has to read is then at most half
	// more than it must, and what folding writes at most three times what was put.
	foldShare = 2
)

// index knows what there is of one task, and what of it builds upon what: generations form a tree, since a task that goes
// back to an older one continues from there.
type index struct {
	task TaskID
	keep int    // how many restorable generations are kept
	gens []Info // ascending, each restorable: what one follows is there too
}

func (x *index) clone() index {
	next := *x
	next.gens = slices.Clone(x.gens)
	return next
}

func (x *index) find(gen uint64) (int, bool) {
	return slices.BinarySearchFunc(x.gens, gen, func(i Info, gen uint64) int {
		switch {
		case i.Generation < gen:
			return -1
		case i.Generation > gen:
			return 1
		}
		return 0
	})
}

func (x *index) get(gen uint64) (Info, bool) {
	n, ok := x.find(gen)
	if !ok {
		return Info{}, false
	}
	return x.gens[n], true
}

func (x *index) newest() uint64 {
	if len(x.gens) == 0 {
		return 0
	}
	return x.gens[len(x.gens)-1].Generation
}

// newestFirst is what can be restored.
func (x *index) newestFirst() []Info {
	infos := slices.Clone(x.gens)
	slices.Reverse(infos)
	return infos
}

// admit says whether a checkpoint may be added: nothing is to be done if it is here, which is so if there is one of its
// generation and position. Since tasks are deterministic it is then as good, even if it was encoded otherwise.
func (x *index) admit(i Info) (here bool, err error) {
	if old, ok := x.get(i.Generation); ok {
		if old.Position != i.Position {
			return false, x.refuse(i, fmt.Sprintf("it is at %v, but that generation is here already, at %v", i.Position, old.Position))
		}
		return true, nil
	}
	if i.Generation == 0 || i.Generation < x.newest() {
		return false, x.refuse(i, "generations must ascend from 1")
	}
	if i.Follows == 0 {
		return false, nil
	}
	before, ok := x.get(i.Follows)
	if !ok {
		return false, x.refuse(i, "what it follows is not here")
	}
	return false, x.follows(before, i)
}

// follows says whether the deltas of a checkpoint build on the tables of another.
func (x *index) follows(before, i Info) error {
	if len(i.Tables) != len(before.Tables) {
		return x.refuse(i, fmt.Sprintf("it has %d tables, what it follows has %d", len(i.Tables), len(before.Tables)))
	}
	for n, t := range i.Tables {
		if t.Fingerprint != before.Tables[n].Fingerprint {
			return x.refuse(i, fmt.Sprintf("table %d has schema %016x, in what it follows %016x", n, t.Fingerprint, before.Tables[n].Fingerprint))
		}
		if t.Kind == state.Delta && t.Parent != before.Position {
			return x.refuse(i, fmt.Sprintf("table %d is a delta to the state at %v, what it follows is at %v", n, t.Parent, before.Position))
		}
	}
	return nil
}

func (x *index) refuse(i Info, reason string) error {
	return &ChainError{Task: x.task, Generation: i.Generation, Follows: i.Follows, Newest: x.newest(), Reason: reason}
}

// add puts a checkpoint in that was admitted, or in the place of the same generation, and takes out what needs not be kept
// any more.
func (x *index) add(i Info) (needless []Info) {
	n, ok := x.find(i.Generation)
	if ok {
		x.gens[n] = i
	} else {
		x.gens = slices.Insert(x.gens, n, i)
	}
	return x.prune()
}

// prune takes out what neither is one of the newest nor is needed to restore one of them.
func (x *index) prune() (needless []Info) {
	needed := make(map[uint64]bool)
	for _, i := range x.gens[max(0, len(x.gens)-x.keep):] {
		for _, l := range x.line(i.Generation) {
			needed[l.Generation] = true
		}
	}
	x.gens = slices.DeleteFunc(x.gens, func(i Info) bool {
		if !needed[i.Generation] {
			needless = append(needless, i)
		}
		return !needed[i.Generation]
	})
	return needless
}

// line is what a generation is restored from: the base, and the deltas up to itself.
func (x *index) line(gen uint64) (line []Info) {
	for gen != 0 {
		i, ok := x.get(gen)
		if !ok {
			return nil
		}
		line = append(line, i)
		gen = i.Follows
	}
	slices.Reverse(line)
	return line
}

// remove takes out a generation that turned out to be damaged, and all that build on it.
func (x *index) remove(gen uint64) (removed []Info) {
	gone := map[uint64]bool{gen: true}
	x.gens = slices.DeleteFunc(x.gens, func(i Info) bool {
		if gone[i.Follows] { // ascending, so what it follows was looked at before
			gone[i.Generation] = true
		}
		if gone[i.Generation] {
			removed = append(removed, i)
		}
		return gone[i.Generation]
	})
	return removed
}

// foldDue says whether the newest generation should be made a base.
func (x *index) foldDue() bool {
	line := x.line(x.newest())
	if len(line) < 2 {
		return false
	}
	var deltas int64
	for _, i := range line[1:] {
		deltas += i.TableBytes()
	}
	return len(line)-1 >= foldDeltas || deltas > line[0].TableBytes()/foldShare
}
