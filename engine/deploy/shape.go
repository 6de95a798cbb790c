package deploy

import (
	"errors"

	"github.com/fullspate/spate/engine/graph"
	"github.com/fullspate/spate/engine/task"
	"github.com/fullspate/spate/partition"
)

// Shape says which tasks there are, by unit and index. The ranges of those that speak tile the hashes.
type Shape [][]Part

// Part is one task as far as others are concerned.
type Part struct {
	Keys partition.Range
	Gone bool // there is no task with this index, or not any more
	Mute bool // it is fed, but nobody reads what it emits
}

// ShapeOf is the shape that a plan has from the beginning.
func ShapeOf(plan *graph.Plan) Shape {
	s := make(Shape, len(plan.Units))
	for u, unit := range plan.Units {
		for _, r := range unit.Ranges {
			s[u] = append(s[u], Part{Keys: r})
		}
	}
	return s
}

// Reshape takes up another shape. Tasks that come have a place from then on, and those that are gone have theirs no more: who
// has one of these in this process is to have taken it out with Remove. What feeds them is brought in line by Adjust.
func (d *Deployment) Reshape(shape Shape) {
	d.shape.Lock()
	defer d.shape.Unlock()
	for len(d.Units) < len(shape) {
		d.Units = append(d.Units, nil)
	}
	for u, parts := range shape {
		for i, p := range parts {
			if i == len(d.Units[u]) {
				d.Units[u] = append(d.Units[u], d.place(u, i, p))
				continue
			}
			if t := d.Units[u][i]; t.Gone && !p.Gone {
				d.Units[u][i] = d.place(u, i, p) // another task than the one that had this index
			} else {
				t.Gone, t.Mute = p.Gone, p.Mute
			}
		}
	}
}

func (d *Deployment) place(unit, index int, p Part) *Task {
	return &Task{Unit: unit, Index: index, Part: p, Number: uint32(unit<<graph.IndexBits | index), Life: 1}
}

// Remove takes a task of this process out of its place, which with ends is nobody's any more. The caller has it, and discards it.
func (d *Deployment) Remove(t *Task, ends bool) {
	d.shape.Lock()
	defer d.shape.Unlock()
	part := t.Part
	part.Gone = ends
	place := d.place(t.Unit, t.Index, part)
	place.Life = t.Life
	d.Units[t.Unit][t.Index] = place
	d.Tasks(func(up *Task) { d.relink(up) })
}

// order is the place of a task, by range, among those of its unit that speak, and how many these are. For a mute one that is to
// take over a whole range it is the place of who has it.
func (d *Deployment) order(t *Task) (nth, of int) {
	for _, other := range d.Units[t.Unit] {
		if other.Gone || other.Mute {
			continue
		}
		of++
		if other.Keys.First < t.Keys.First {
			nth++
		}
	}
	return min(nth, max(of-1, 0)), max(of, 1)
}

// Adjust brings the logs of a task of this process in line with who is there, between two of its turns: consumers that have come
// get an empty log, from where the task stands, and the logs of those that are gone are closed; no cursor on these may be used
// any more. It returns the channels that have come.
func (d *Deployment) Adjust(t *Task) (come []Link, err error) {
	for _, o := range t.outs {
		var rest []Edge
		var errs []error
		for _, e := range o.logs {
			if e.To = d.Units[e.To.Unit][e.To.Index]; !e.To.Gone {
				rest = append(rest, e)
			} else {
				errs = append(errs, e.Log.Close())
			}
		}
		o.logs = rest
		for _, to := range d.Units[o.unit] {
			if to.Gone || t.leads(o, to) {
				continue
			}
			l, err := d.addLog(o, to)
			if err == nil {
				err = t.Begin(l)
			}
			errs = append(errs, err)
			come = append(come, d.link(o.edge, to))
		}
		for _, e := range o.logs {
			e.Log.SetCapacity(d.capacity(t, e.To), d.overrun(t, e.To))
		}
		t.list()
		if err := errors.Join(append(errs, d.route(o))...); err != nil {
			return nil, err
		}
	}
	return come, nil
}

func (t *Task) leads(o *outgoing, to *Task) bool {
	for _, e := range o.logs {
		if e.To == to {
			return true
		}
	}
	return false
}

// Lost are the channels of a task of this process whose consumers are gone, until it is adjusted.
func (d *Deployment) Lost(t *Task) (list []Link) {
	for _, o := range t.outs {
		for _, e := range o.logs {
			if to := d.Units[e.To.Unit][e.To.Index]; to.Gone {
				list = append(list, Link{From: t, To: to, Port: e.Port, Channel: e.Channel})
			}
		}
	}
	return list
}

// Idle says that nobody reads the task's logs any more.
func (t *Task) Idle() bool {
	for _, e := range t.Logs {
		if e.Log.IsRead() {
			return false
		}
	}
	return true
}

// Sender names the task, where it is now, to its consumers.
func (t *Task) Sender() task.Sender { return task.Sender{Index: t.Index, Life: t.Life, Keys: t.Keys} }
