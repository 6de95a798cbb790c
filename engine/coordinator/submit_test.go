package coordinator

import (
	"encoding/json"
	"slices"
	"strings"
	"testing"

	"github.com/fullspate/spate/engine/control"
	"github.com/fullspate/spate/engine/graph"
	"github.com/fullspate/spate/partition"
)

func TestBuildQueryRefuses(t *testing.T) {
	tests := []struct{ name, program, params, want string }{
		{"unknown program", "nothing", ``, "want one of: count, sums, broken, panics"},
		{"no JSON", "count", `{`, "not JSON"},
		{"wrong parameters", "count", `"x"`, "cannot unmarshal"},
		{"too long", "count", `"` + strings.Repeat("x", paramsMax) + `"`, "want at most 1048576"},
		{"invalid graph", "broken", ``, "no operators"},
		{"panic", "panics", ``, "panic while the graph was built: no graph"},
	}
	for _, tt := range tests {
		_, err := BuildQuery(testPrograms, tt.program, json.RawMessage(tt.params))
		wantCode(t, err, Invalid)
		if err == nil || !strings.Contains(err.Error(), tt.want) {
			t.Errorf("%s: got %v, want %q", tt.name, err, tt.want)
		}
	}
}

func TestSubmitRefuses(t *testing.T) {
	tests := []struct {
		name string
		s    Submission
		code Code
		want string
	}{
		{"too many workers", Submission{Workers: 3}, Unavailable, "there are 2 workers"},
		{"negative workers", Submission{Workers: -1}, Invalid, "workers is -1"},
		{"unknown operator", Submission{Parallelism: map[string]int{"sum": 1}}, Invalid, `"sum"`},
		{"no tasks", Submission{Parallelism: map[string]int{"count": 0}}, Invalid, "want 1 to"},
		{"too many tasks", Submission{Parallelism: map[string]int{"count": graph.TasksMax + 1}}, Invalid, "want 1 to"},
		{"unknown pin", Submission{Pins: map[string]int{"sum": 0}}, Invalid, `"sum" is pinned`},
		{"pinned elsewhere", Submission{Pins: map[string]int{"count": 2}}, Invalid, "worker 2"},
		{"step", Submission{Config: control.JobConfig{StepBytes: -1}}, Invalid, "StepBytes"},
		{"log", Submission{Config: control.JobConfig{LogBytes: 1}}, Invalid, "LogBytes"},
		{"window", Submission{Config: control.JobConfig{Window: -1}}, Invalid, "Window"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			r := newRig(t)
			r.add("", "")
			r.log = nil
			_, err := r.submit(tt.s)
			wantCode(t, err, tt.code)
			if err == nil || !strings.Contains(err.Error(), tt.want) {
				t.Errorf("got %v, want %q", err, tt.want)
			}
			if len(r.log) > 0 || len(r.m.Jobs()) > 0 {
				t.Errorf("it has done %q", r.log)
			}
		})
	}
	_, err := newRig(t).submit(Submission{})
	wantCode(t, err, Unavailable)
}

// Every keyed operator has tasks on every worker, few tasks are spread over workers, and pins are kept.
func TestPlacement(t *testing.T) {
	r := newRig(t)
	r.add("", "")
	where := func(s Submission, op string) (list []string) {
		for _, o := range r.job(r.mustSubmit(s)).Topology.Operators {
			for _, p := range o.Tasks {
				if o.ID == op {
					list = append(list, p.Worker+"/"+string(rune('0'+p.Loop)))
				}
			}
		}
		return list
	}
	tests := []struct {
		name string
		s    Submission
		want []string
	}{
		{"one per loop", Submission{}, []string{"w1/0", "w2/0", "w1/1", "w2/1"}},
		{"two", Submission{Parallelism: map[string]int{"count": 2}}, []string{"w2/0", "w1/1"}},
		{"pinned", Submission{Pins: map[string]int{"count": 1}}, []string{"w2/0", "w2/0", "w2/1", "w2/1"}},
	}
	for _, tt := range tests {
		if got := where(tt.s, "count"); !slices.Equal(got, tt.want) {
			t.Errorf("%s: got %v, want %v", tt.name, got, tt.want)
		}
	}
}

func TestTopology(t *testing.T) {
	r := newRig(t)
	r.add("", "")
	j := r.job(r.mustSubmit(Submission{Parallelism: map[string]int{"in": 3, "count": 2}}))
	in, count := j.Topology.Operators[0], j.Topology.Operators[1]
	if in.Kind != "source" || len(in.Tasks) != 3 || !slices.Equal(in.Tasks[0].Splits, []string{"split 0", "split 3"}) {
		t.Errorf("source %+v", in)
	}
	if count.Kind != "process" || count.Host != "count" || !slices.Equal(count.Inputs, []Input{{"in", "out"}}) {
		t.Errorf("operator %+v", count)
	}
	for i, want := range partition.Even(2) {
		if got := count.Tasks[i].Range; got != want {
			t.Errorf("task %d has %v, want %v", i, got, want)
		}
	}
	if j.TaskCount != 5 {
		t.Errorf("%d tasks, want 5", j.TaskCount)
	}
}

// Jobs go to the workers that have least to do, and only to those that have their program.
func TestWorkersAreChosen(t *testing.T) {
	r := newRig(t)
	r.add("a", "b", "c")
	r.m.member("b").build.Programs = nil
	var got []string
	for range 4 {
		got = append(got, r.job(r.mustSubmit(Submission{Workers: 1})).Workers...)
	}
	if want := []string{"a", "c", "a", "c"}; !slices.Equal(got, want) {
		t.Errorf("got %v, want %v", got, want)
	}
}
