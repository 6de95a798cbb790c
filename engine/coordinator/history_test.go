package coordinator

import (
	"fmt"
	"slices"

	"github.com/fullspate/spate/engine/control"
	"github.com/fullspate/spate/partition"
)

// history is what was on disk at some time, and what that has decided.
type history struct {
	epochs  map[string]uint64          // the newest of each job
	decided map[string]bool            // reassignments that have switched, by job and id
	ended   map[string]ReassignState   // those that have ended
	retired map[string]map[string]bool // tasks whose successors have taken over, by job, as unit/index
}

func newHistory() history {
	return history{map[string]uint64{}, map[string]bool{}, map[string]ReassignState{}, map[string]map[string]bool{}}
}

func reassignKey(job string, id uint64) string { return fmt.Sprintf("%s#%d", job, id) }

// auditRecord looks at a record that is on disk: epochs grow, what is decided is not undone, what has ended does not begin again,
// and tasks that speak have all hashes.
func (w *world) auditRecord(r Record) {
	h := &w.history
	switch {
	case r.Job != nil:
		w.auditEpoch(&r.Job.Deploy)
	case r.Recovering != nil:
		w.auditEpoch(&r.Recovering.Deploy)
	case r.Order != nil:
		re, d := &r.Order.Reassignment, &r.Order.Deploy
		key := reassignKey(d.Job, re.ID)
		w.auditEpoch(d)
		if h.decided[key] && !re.State.switched() || h.ended[key] != "" {
			w.t.Errorf("reassignment %s is %s, but switched is %v, and it has ended as %q", key, re.State, h.decided[key], h.ended[key])
		}
		if re.State == Switching {
			h.decided[key] = true
			w.retire(r.Order)
		}
	case r.Reassigned != nil:
		re := &r.Reassigned.Reassignment
		key := reassignKey(r.Reassigned.Job, re.ID)
		if was := h.ended[key]; was != "" && was != re.State || h.decided[key] != (re.State == Done) {
			w.t.Errorf("reassignment %s ends as %s, but switched is %v, and it has ended as %q", key, re.State, h.decided[key], was)
		}
		h.ended[key] = re.State
	}
}

// retire notes whose tasks' successors have taken over.
func (w *world) retire(r *OrderRecord) {
	job := r.Deploy.Job
	if w.history.retired[job] == nil {
		w.history.retired[job] = map[string]bool{}
	}
	for _, op := range r.Topology.Operators {
		for _, old := range r.Reassignment.Old {
			if op.ID == r.Reassignment.Operator {
				w.history.retired[job][fmt.Sprintf("%d/%d", op.Unit, old.Task)] = true
			}
		}
	}
}

func (w *world) auditEpoch(d *control.Deploy) {
	if last := w.history.epochs[d.Job]; d.Epoch < last {
		w.t.Errorf("job %s is journaled with epoch %d after %d", d.Job, d.Epoch, last)
	}
	w.history.epochs[d.Job] = d.Epoch
	w.auditRanges(d)
}

// auditRanges looks whether the tasks that speak have all hashes, each one once, and the mute ones those of their old ones.
func (w *world) auditRanges(d *control.Deploy) {
	for u, unit := range d.Place {
		var speaking []partition.Range
		for i, slot := range unit {
			if slot != control.Nowhere && !isMute(d, u, i) {
				speaking = append(speaking, d.Ranges[u][i])
			}
		}
		if err := partition.CheckTiling(partition.Full(), sortedRanges(speaking)); err != nil {
			w.t.Errorf("job %s, epoch %d, unit %d: %v", d.Job, d.Epoch, u, err)
		}
	}
	for _, re := range d.Reassign {
		pick := func(tasks []int) (list []partition.Range) {
			for _, i := range tasks {
				if d.Place[re.Unit][i] == control.Nowhere {
					w.t.Errorf("job %s, epoch %d: task %d/%d of a reassignment is nowhere", d.Job, d.Epoch, re.Unit, i)
				}
				list = append(list, d.Ranges[re.Unit][i])
			}
			return sortedRanges(list)
		}
		if old, new := hull(pick(re.Old)), hull(pick(re.New)); !slices.Equal(old, new) {
			w.t.Errorf("job %s, epoch %d: %v are to take over from %v", d.Job, d.Epoch, new, old)
		}
	}
}

func sortedRanges(list []partition.Range) []partition.Range {
	slices.SortFunc(list, func(a, b partition.Range) int {
		if a.First < b.First {
			return -1
		}
		return 1
	})
	return list
}

// hull joins ranges that adjoin each other.
func hull(sorted []partition.Range) (list []partition.Range) {
	for _, r := range sorted {
		if n := len(list); n > 0 && list[n-1].Precedes(r) {
			list[n-1].Last = r.Last
			continue
		}
		list = append(list, r)
	}
	return list
}

// auditOrder compares an order with the one before.
func (w *world) auditOrder(m *control.Deploy) {
	old := w.orders[m.Job]
	w.orders[m.Job] = m
	w.auditRanges(m)
	switch {
	case m.Epoch != w.history.epochs[m.Job]:
		w.t.Errorf("job %s is ordered with epoch %d, on disk is %d", m.Job, m.Epoch, w.history.epochs[m.Job])
	case old == nil:
		return
	case m.Epoch < old.Epoch:
		w.t.Errorf("job %s is ordered with epoch %d after %d", m.Job, m.Epoch, old.Epoch)
		return
	case m.Epoch == old.Epoch:
		again := *m
		if again.Coordinator = old.Coordinator; marshal(again) != marshal(old) {
			w.t.Errorf("job %s: epoch %d stands for two orders\n%s\n%s", m.Job, m.Epoch, marshal(old), marshal(again))
		}
		return
	case !m.Recovers:
		w.t.Errorf("job %s: epoch %d is as if it were the first", m.Job, m.Epoch)
	case !slices.Equal(old.Workers, m.Workers[:len(old.Workers)]) || !slices.Equal(old.Slots, m.Slots[:len(old.Slots)]):
		w.t.Errorf("job %s: workers %v and slots %v become %v and %v", m.Job, old.Workers, old.Slots, m.Workers, m.Slots)
	}
	for u, unit := range m.Place {
		for i, slot := range unit {
			if i < len(old.Place[u]) {
				w.auditTask(old, m, u, i, slot)
			}
		}
	}
}

// auditTask looks at where a task was and is: it moves when its worker is lost, goes when its successors have taken over or when
// it was to be one, and does not come back.
func (w *world) auditTask(old, m *control.Deploy, u, i, slot int) {
	was := old.Place[u][i]
	bad := ""
	switch {
	case was == control.Nowhere && slot == control.Nowhere:
	case was == control.Nowhere:
		bad = "comes back"
	case slot == control.Nowhere && !isMute(old, u, i) && !w.history.retired[m.Job][fmt.Sprintf("%d/%d", u, i)]:
		bad = "goes, and nobody has taken over"
	case slot == control.Nowhere:
	case m.Ranges[u][i] != old.Ranges[u][i]:
		bad = fmt.Sprintf("has range %v, and had %v", m.Ranges[u][i], old.Ranges[u][i])
	case isMute(m, u, i) && !isMute(old, u, i):
		bad = "is silent, and has spoken"
	case slot != was && !slices.Contains(m.Gone, old.Slots[was].Worker):
		bad = "moves, and its worker is not lost"
	case slices.Contains(m.Gone, m.Slots[slot].Worker):
		bad = "is on a lost worker"
	}
	if bad != "" {
		w.t.Errorf("job %s, epochs %d and %d: task %d/%d %s", m.Job, old.Epoch, m.Epoch, u, i, bad)
	}
}
