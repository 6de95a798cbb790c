package graph

// Place spreads the tasks of a plan over slots, which are loops, of one process or of many: it returns the slot of each
// task, by unit and index. Task i of n goes to slot i·S/n; operators with fewer tasks than there are slots begin at
// different ones, those of one group (Operator.Group) at the same.
func (p *Plan) Place(slots int) [][]int {
	groups := map[string]int{}
	all := make([][]int, len(p.Units))
	for u, unit := range p.Units {
		first := u
		if g := unit.Host().Group; g != "" {
			if known, ok := groups[g]; ok {
				first = known
			}
			groups[g] = first
		}
		all[u] = make([]int, unit.Tasks)
		for i := range all[u] {
			all[u][i] = i * slots / unit.Tasks
			if unit.Tasks < slots {
				all[u][i] = (i + first) % slots
			}
		}
	}
	return all
}
