package graph

import (
	"fmt"
	"math/bits"
	"slices"

	"github.com/fullspate/spate/engine/task"
	"github.com/fullspate/spate/partition"
)

// Unit is a set of operators that run in the same tasks: Members[0] is the host, the others are fused into it, each after
// the one that feeds it.
type Unit struct {
	Members []Member
	Tasks   int               // parallelism
	Ranges  []partition.Range // of key hashes, by task
}

// Member is an operator of a unit. A fused one is fed by output Out of member Feeder; for the host both are −1.
type Member struct {
	Op          *Operator
	Feeder, Out int
}

// Host is the operator that the unit's tasks are named after.
func (u *Unit) Host() *Operator { return u.Members[0].Op }

// Specs are the members' specifications, in order.
func (u *Unit) Specs() []*task.Spec {
	specs := make([]*task.Spec, len(u.Members))
	for i := range u.Members {
		specs[i] = &u.Members[i].Op.Spec
	}
	return specs
}

// Plan says which operators run together and in how many tasks.
type Plan struct {
	Graph *Graph
	Units []*Unit // in topological order
	where map[*Operator]place
}

type place struct{ unit, member int }

// PlanConfig is what a plan depends on besides the graph.
type PlanConfig struct {
	Parallelism map[string]int // by operator id; others get their own default
	Default     int            // tasks of an operator that says nothing: one per loop
	NoFuse      bool
}

// What a plan may have at most. A channel takes some 2 KiB before anything is in it.
const (
	IndexBits   = 10
	TasksMax    = 1 << IndexBits // of an operator
	ChannelsMax = 1 << 17        // in all
)

// NewPlan decides on units and parallelism. A stateless operator that is the only consumer of its input is fused into its
// producer, unless it is given a parallelism of its own.
func NewPlan(g *Graph, cfg PlanConfig) (*Plan, error) {
	p := &Plan{Graph: g, where: map[*Operator]place{}}
	for id, n := range cfg.Parallelism {
		if !slices.ContainsFunc(g.Operators, func(op *Operator) bool { return op.ID == id }) {
			return nil, fmt.Errorf("parallelism is given for %q, which is no operator of %q (these are %v)", id, g.Name, g.ids())
		}
		if n < 1 || n > TasksMax {
			return nil, fmt.Errorf("parallelism of %q is %d, want 1 to %d", id, n, TasksMax)
		}
	}
	for _, op := range g.Operators {
		if p.fuse(op, cfg) {
			continue
		}
		p.where[op] = place{len(p.Units), 0}
		u := &Unit{Members: []Member{{op, -1, -1}}, Tasks: tasksOf(op, cfg)}
		p.Units = append(p.Units, u)
		var err error
		if u.Ranges, err = ranges(u.Tasks, op.Weights); err != nil {
			return nil, fmt.Errorf("weights of %q: %w", op.ID, err)
		}
	}
	return p, p.checkSize()
}

// checkSize refuses what no memory would hold: every task has a channel to every task of each consumer.
func (p *Plan) checkSize() error {
	if channels := p.Channels(); channels > ChannelsMax {
		return fmt.Errorf("%q would have %d channels between tasks, want at most %d: lower the parallelism of operators that feed each other", p.Graph.Name, channels, ChannelsMax)
	}
	if have, room := bits.Len(uint(len(p.Units)-1))+p.EdgeBits(), 32-2*IndexBits; have > room {
		return fmt.Errorf("%q has too many operators or streams for the numbers of channels: %d operators that are not fused, and up to %d streams out of one of them, take %d bits of %d",
			p.Graph.Name, len(p.Units), 1<<p.EdgeBits(), have, room)
	}
	return nil
}

// EdgeBits is how many bits the number of an edge takes among those that lead out of one unit.
func (p *Plan) EdgeBits() int {
	most := 0
	for _, u := range p.Units {
		n := 0
		for _, m := range u.Members {
			for o := range m.Op.Outs {
				for _, c := range p.Graph.Consumers(m.Op, o) {
					if _, at := p.Where(c.Op); at == 0 {
						n++
					}
				}
			}
		}
		most = max(most, n)
	}
	return bits.Len(uint(max(most-1, 0)))
}

// Channels is how many channels there are between tasks.
func (p *Plan) Channels() (n int) {
	for _, op := range p.Graph.Operators {
		to, at := p.Where(op)
		if at > 0 {
			continue // fused
		}
		for _, in := range op.Inputs {
			from, _ := p.Where(in.From)
			n += p.Units[from].Tasks * p.Units[to].Tasks
		}
	}
	return n
}

// ranges cuts the key space for n tasks.
func ranges(n int, weights []partition.Weight) ([]partition.Range, error) {
	if len(weights) == 0 {
		return partition.Even(n), nil
	}
	plan, err := partition.PlanSplit(partition.Full(), weights, n)
	if err != nil {
		return nil, err
	}
	return partition.Full().Cut(plan.Cuts...)
}

func (p *Plan) fuse(op *Operator, cfg PlanConfig) bool {
	if cfg.NoFuse || !op.Stateless() || len(op.Inputs) != 1 {
		return false
	}
	in := op.Inputs[0]
	if len(p.Graph.Consumers(in.From, in.Out)) != 1 {
		return false
	}
	at := p.where[in.From]
	u := p.Units[at.unit]
	if n, ok := cfg.Parallelism[op.ID]; ok && n != u.Tasks {
		return false
	}
	p.where[op] = place{at.unit, len(u.Members)}
	u.Members = append(u.Members, Member{op, at.member, in.Out})
	return true
}

func tasksOf(op *Operator, cfg PlanConfig) int {
	n := op.Parallelism
	if n == 0 {
		n = max(cfg.Default, 1)
	}
	if m, ok := cfg.Parallelism[op.ID]; ok {
		n = m
	}
	if op.Kind == task.Source {
		n = min(n, len(op.Reading.Splits))
	}
	return max(n, 1)
}

// Where is the unit that op runs in and which member it is there.
func (p *Plan) Where(op *Operator) (unit, member int) {
	at := p.where[op]
	return at.unit, at.member
}

// Ranks are the longest ways from each unit to a sink, or to another unit that nothing consumes, in channels: 0 for those.
func (p *Plan) Ranks() []int {
	ranks := make([]int, len(p.Units))
	for u := len(p.Units) - 1; u >= 0; u-- { // consumers first
		for _, m := range p.Units[u].Members {
			for o := range m.Op.Outs {
				for _, c := range p.Graph.Consumers(m.Op, o) {
					if to, at := p.Where(c.Op); at == 0 {
						ranks[u] = max(ranks[u], ranks[to]+1)
					}
				}
			}
		}
	}
	return ranks
}

func (g *Graph) ids() []string {
	ids := make([]string, len(g.Operators))
	for i, op := range g.Operators {
		ids[i] = op.ID
	}
	return ids
}

// Spread distributes a source's splits over n tasks: by weight, the heaviest first, each to the task that has least. What
// it yields depends on splits and n alone.
func Spread(splits []task.Split, n int) [][]task.Split {
	parts, load := make([][]task.Split, n), make([]float64, n)
	order := slices.Clone(splits)
	slices.SortStableFunc(order, func(a, b task.Split) int {
		switch wa, wb := weight(a), weight(b); {
		case wa > wb:
			return -1
		case wa < wb:
			return 1
		}
		return int(a.Ordinal) - int(b.Ordinal)
	})
	for _, s := range order {
		least := 0
		for i := range load {
			if load[i] < load[least] {
				least = i
			}
		}
		parts[least] = append(parts[least], s)
		load[least] += weight(s)
	}
	return parts
}

func weight(s task.Split) float64 {
	if s.Weight <= 0 {
		return 1
	}
	return s.Weight
}
