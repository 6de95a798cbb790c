package bench_test

import (
	"context"
	"encoding/json"
	"fmt"
	"reflect"
	"strings"
	"testing"

	"go.uber.org/goleak"

	"github.com/fullspate/spate/bench"
	"github.com/fullspate/spate/bench/linearroad"
	"github.com/fullspate/spate/bench/linearroad/query"
	"github.com/fullspate/spate/bench/measure"
	"github.com/fullspate/spate/bench/network"
	"github.com/fullspate/spate/bench/recovery"
	"github.com/fullspate/spate/bench/topk"
	"github.com/fullspate/spate/bench/wordcount"
	"github.com/fullspate/spate/engine"
)

// gnet starts goroutines of its own when it is loaded.
func TestMain(m *testing.M) { goleak.VerifyTestMain(m, goleak.IgnoreCurrent()) }

// examples are parameters for each program, with something in every field. No file that they name is there.
func examples() map[string]any {
	tuples := network.Input{Seed: 1<<64 - 1, Rate: 10, Seconds: 31, Keys: 5}
	return map[string]any{
		"linearroad": &linearroad.Params{
			Seed: 1<<64 - 1, Xways: 3, From: 7, To: 100, Hostile: true, Replicate: true, Rules: query.Official, Warm: 5, Pace: 0.1,
			Sample: []uint16{0, 2},
		},
		"linearroad-file": &linearroad.FileParams{
			Input: "none/in.dat", History: "none/\"h\".csv", Out: "none/ü", Rules: query.Official, SkipBad: true, Lead: 3, Pace: 1e-3,
		},
		"wordcount": &measure.Params[wordcount.InputConfig]{
			Input: wordcount.InputConfig{Seed: 1<<64 - 1, Rate: 10, Seconds: 31, Vocabulary: 5, Splits: 2}, Warm: 3, Pace: 20.5, Check: true,
		},
		"topk": &measure.Params[topk.InputConfig]{
			Input: topk.InputConfig{Seed: 1<<64 - 1, Rate: 10, Seconds: 31, Languages: 5, Pages: 7, Users: 9, K: 3, Splits: 2},
			Warm:  3, Pace: 20.5, Check: true,
		},
		"network-hop":   &network.Params{Input: tuples, Warm: 3, Pace: 20.5},
		"network-keyed": &network.Params{Input: tuples, Warm: 3, Pace: 20.5},
		"network-hops":  &network.Params{Input: tuples, Warm: 3, Pace: 20.5},
		"recovery":      &recovery.Params{Input: recovery.Input{Seed: 1<<64 - 1, Rate: 10, Seconds: 31, Words: 5, Load: 7}, Pace: 20.5},
		"network-bare":  &network.BareParams{Network: "unix", Bytes: 1, Buffer: 2},
	}
}

// programs returns all programs by name.
func programs(t *testing.T) map[string]engine.Program {
	all := make(map[string]engine.Program)
	for _, p := range bench.Programs() {
		if _, twice := all[p.Name]; twice {
			t.Errorf("two programs are called %q", p.Name)
		}
		all[p.Name] = p
	}
	if len(all) != len(examples()) {
		t.Errorf("%d programs, but parameters for %d", len(all), len(examples()))
	}
	return all
}

func TestParamsRoundTrip(t *testing.T) {
	for name, params := range examples() {
		complete(t, name, reflect.ValueOf(params).Elem())
		text, err := json.Marshal(params)
		if err != nil {
			t.Fatal(err)
		}
		again := reflect.New(reflect.TypeOf(params).Elem())
		if err := json.Unmarshal(text, again.Interface()); err != nil {
			t.Fatal(err)
		}
		if !reflect.DeepEqual(again.Interface(), params) {
			t.Errorf("%s: %+v came back as %+v, by way of %s", name, params, again.Interface(), text)
		}
	}
}

// complete fails where a field has the value that it would have if JSON had lost it.
func complete(t *testing.T, path string, v reflect.Value) {
	t.Helper()
	if v.Kind() == reflect.Struct {
		for i := range v.NumField() {
			complete(t, path+"."+v.Type().Field(i).Name, v.Field(i))
		}
	} else if v.IsZero() {
		t.Errorf("%s is zero: that does not tell whether it is lost", path)
	}
}

// TestBuild builds each program twice, as two processes do, and does not run it. That nothing is opened shows in that the
// files are not there, that nothing is started in TestMain.
func TestBuild(t *testing.T) {
	prints := make(map[uint64]string)
	for name, p := range programs(t) {
		text, err := json.Marshal(examples()[name])
		if err != nil {
			t.Fatal(err)
		}
		var first uint64
		for i := range 2 {
			g, err := p.Build(new(engine.Env), text)
			if err != nil {
				t.Fatalf("%s: %v", name, err)
			}
			if err := g.Validate(); err != nil {
				t.Errorf("%s: %v", name, err)
			}
			if i == 0 {
				first = g.Fingerprint()
			} else if g.Fingerprint() != first {
				t.Errorf("%s has the fingerprints %x and %x", name, first, g.Fingerprint())
			}
		}
		if other, same := prints[first]; same {
			t.Errorf("%s and %s have the same fingerprint", name, other)
		}
		prints[first] = name
	}
}

func TestBadParams(t *testing.T) {
	for name, p := range programs(t) {
		for _, params := range []string{`[]`, `{"sead": 1}`, `{} {}`, `{"pace": -1}`, `{`, `{"input": {"seconds": -1}}`} {
			_, err := p.Build(new(engine.Env), json.RawMessage(params))
			if err == nil || strings.Contains(err.Error(), "BUG") {
				t.Errorf("%s with the parameters %s: %v", name, params, err)
			}
		}
	}
}

// ExamplePrograms runs one of the programs as a worker does: by name, with parameters that have come as text.
func ExamplePrograms() {
	for _, p := range bench.Programs() {
		if p.Name != "wordcount" {
			continue
		}
		params := json.RawMessage(`{"input": {"seed": 1, "rate": 10, "seconds": 31, "vocabulary": 2}}`)
		job, err := engine.Embedded{}.Start(context.Background(), p, params, engine.Config{})
		if err != nil {
			fmt.Println(err)
			return
		}
		if err := job.Wait(); err != nil {
			fmt.Println(err)
			return
		}
		for _, r := range job.Results() {
			fmt.Printf("%s: %s\n", r.Name, r.Data)
		}
	}
	// Output: answers: {"count":4}
}
