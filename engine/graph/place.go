package graph

import (
	"fmt"
	"maps"
	"slices"
)

// Place spreads the tasks of a plan over slots, which are loops, of one process or of many: it returns the slot of each
// task, by unit and index. slots[s] is the worker that slot s is on.
//
// Task i of n goes to slot i·S/n; operators with fewer tasks than there are slots begin at different ones, those of one
// group (Operator.Group) at the same. An operator in pins has its tasks on the slots of one worker alone; what is fused into
// another operator goes with that.
func (p *Plan) Place(slots []int, pins map[string]int) ([][]int, error) {
	for _, id := range slices.Sorted(maps.Keys(pins)) {
		if !slices.ContainsFunc(p.Graph.Operators, func(op *Operator) bool { return op.ID == id }) {
			return nil, fmt.Errorf("operator %q is pinned, which is none of %q (these are %v)", id, p.Graph.Name, p.Graph.ids())
		}
		if !slices.Contains(slots, pins[id]) {
			return nil, fmt.Errorf("operator %q is pinned to worker %d, which the job does not run on", id, pins[id])
		}
	}
	groups := map[string]int{}
	all := make([][]int, len(p.Units))
	for u, unit := range p.Units {
		open := allowed(slots, unit.Host().ID, pins)
		first := u
		if g := unit.Host().Group; g != "" {
			if known, ok := groups[g]; ok {
				first = known
			}
			groups[g] = first
		}
		all[u] = make([]int, unit.Tasks)
		for i := range all[u] {
			at := i * len(open) / unit.Tasks
			if unit.Tasks < len(open) {
				at = (i + first) % len(open)
			}
			all[u][i] = open[at]
		}
	}
	return all, nil
}

// allowed are the slots that an operator may have tasks on.
func allowed(slots []int, id string, pins map[string]int) (open []int) {
	worker, pinned := pins[id]
	for s := range slots {
		if !pinned || slots[s] == worker {
			open = append(open, s)
		}
	}
	return open
}
