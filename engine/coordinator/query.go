package coordinator

import (
	"encoding/json"
	"fmt"
	"runtime/debug"
	"strings"

	"github.com/fullspate/spate/engine"
	"github.com/fullspate/spate/engine/control"
	"github.com/fullspate/spate/engine/graph"
	"github.com/fullspate/spate/engine/task"
	"github.com/fullspate/spate/partition"
)

// paramsMax bounds the parameters of a program, in bytes.
const paramsMax = 1 << 20

// Query is a program with parameters, built in order to be looked at.
type Query struct {
	Program string
	Params  json.RawMessage
	Graph   *engine.Graph
}

// BuildQuery builds and checks a program's graph. What is wrong with program or parameters is an *Error; a program that
// panics is wrong, too. It runs the program's code and may take as long as that does.
func BuildQuery(programs []engine.Program, name string, params json.RawMessage) (*Query, error) {
	if len(params) > paramsMax {
		return nil, errorf(Invalid, "params have %d bytes, want at most %d", len(params), paramsMax)
	}
	if len(params) > 0 && !json.Valid(params) {
		return nil, errorf(Invalid, "params are not JSON")
	}
	var names []string
	for _, p := range programs {
		if p.Name == name {
			g, err := build(p, params)
			if err != nil {
				return nil, errorf(Invalid, "program %q: %v", name, err)
			}
			return &Query{Program: name, Params: params, Graph: g}, nil
		}
		names = append(names, p.Name)
	}
	return nil, errorf(Invalid, "there is no program %q, want one of: %s", name, strings.Join(names, ", "))
}

func build(p engine.Program, params json.RawMessage) (g *engine.Graph, err error) {
	defer func() {
		if v := recover(); v != nil {
			err = fmt.Errorf("panic while the graph was built: %v\n%s", v, debug.Stack())
		}
	}()
	if g, err = p.Build(new(engine.Env), params); err != nil {
		return nil, err
	}
	return g, g.Validate()
}

// Topology is the execution graph of a job: operators, and in which tasks they run where. It is never changed:
// a job that is carried on elsewhere gets another.
type Topology struct {
	Name      string     `json:"name"`
	Operators []Operator `json:"operators"` // each after those that feed it
}

// Operator is an operator of a job.
type Operator struct {
	ID     string  `json:"id"`
	Kind   string  `json:"kind"` // source, process or sink
	Inputs []Input `json:"inputs,omitempty"`
	Host   string  `json:"host"`            // the operator in whose tasks it runs: itself, unless it is fused
	Unit   int     `json:"unit"`            // of the plan: those who share tasks have the same
	Group  string  `json:"group,omitempty"` // those of a group are placed alike
	Tasks  []Place `json:"tasks"`           // by index, of which some are nowhere
}

// Input is where the tuples of a port come from.
type Input struct {
	Operator string `json:"operator"`
	Output   string `json:"output"`
}

// Place is a task: its share of the work, and where it does it. A task that is not there (any more) is on no worker.
type Place struct {
	Worker string          `json:"worker"`
	Part   int             `json:"part"` // of the job, by number from 0: which process of that name it is
	Loop   int             `json:"loop"`
	Range  partition.Range `json:"range"`            // of key hashes
	Splits []string        `json:"splits,omitempty"` // of a source
	Mute   bool            `json:"mute,omitempty"`   // it is to take over from others, and nobody reads what it emits so far
}

// There says whether the task is there.
func (p Place) There() bool { return p.Part >= 0 }

// host is the operator that a unit's tasks are named after.
func (t *Topology) host(unit int) *Operator {
	for i, op := range t.Operators {
		if op.Unit == unit && op.ID == op.Host {
			return &t.Operators[i]
		}
	}
	return nil
}

// topology describes a plan and where its tasks are.
func topology(p *graph.Plan, hosts []control.Host, slots []control.Slot, place [][]int) Topology {
	t := Topology{Name: p.Graph.Name}
	for _, op := range p.Graph.Operators {
		u, _ := p.Where(op)
		unit := p.Units[u]
		o := Operator{ID: op.ID, Kind: op.Kind.String(), Host: unit.Host().ID, Unit: u, Group: op.Group}
		for _, in := range op.Inputs {
			o.Inputs = append(o.Inputs, Input{in.From.ID, in.From.Outs[in.Out].Name})
		}
		for i, slot := range place[u] {
			s := slots[slot]
			o.Tasks = append(o.Tasks, Place{Worker: hosts[s.Worker].Worker, Part: s.Worker, Loop: s.Loop, Range: unit.Ranges[i]})
		}
		if op.Reading != nil {
			for i, splits := range graph.Spread(op.Reading.Splits, unit.Tasks) {
				for _, s := range splits {
					o.Tasks[i].Splits = append(o.Tasks[i].Splits, splitName(s))
				}
			}
		}
		t.Operators = append(t.Operators, o)
	}
	return t
}

func splitName(s task.Split) string {
	if s.Name == "" {
		return fmt.Sprintf("split %d", s.Ordinal)
	}
	return s.Name
}
