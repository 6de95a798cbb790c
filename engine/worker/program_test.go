package worker

import (
	"context"
	"encoding/json"
	"fmt"
	"sort"
	"testing"

	"github.com/fullspate/spate/engine"
	"github.com/fullspate/spate/wire"
)

// number is an input of the test's program.
type number struct{ N, Key uint64 }

// counted is a result: the how-manieth input of its key a number was, and their sum so far.
type counted struct{ N, Key, Nth, Sum uint64 }

// sums is what the program keeps for a key.
type sums struct{ Count, Sum uint64 }

// settings are the program's parameters.
type settings struct {
	Rows, Splits, Keys int
	Fail               uint64 // the number at which the operator fails; 0: none
}

// counting counts numbers by key, in two stages, and hands every result back as text. Its split i holds the numbers that
// are i modulo the number of splits.
var counting = engine.Program{Name: "counting", Build: func(env *engine.Env, params json.RawMessage) (*engine.Graph, error) {
	var s settings
	if err := json.Unmarshal(params, &s); err != nil {
		return nil, err
	}
	splits := make([][]engine.Record[number], s.Splits)
	for i := range s.Rows {
		at := i % s.Splits
		splits[at] = append(splits[at], engine.Record[number]{Millis: int64(i / 9), Value: number{uint64(i), uint64(i % s.Keys)}})
	}
	g := engine.NewGraph("counting")
	in := engine.SliceSource(g, "in", splits...)
	stage := func(id string, in engine.Stream[number], last bool, key func(*number) uint64) *engine.Op {
		return engine.Keyed(g, id, in, key, func(d *engine.Decl) engine.Handler[number] {
			state := engine.Value[sums](d, "sums")
			var again engine.OutputPort[number]
			if !last {
				again = engine.Output[number](d, "numbers")
			}
			out := engine.Output[counted](d, "counted")
			return func(c *engine.Ctx, v *number) {
				if s.Fail != 0 && v.N == s.Fail {
					c.Fail(fmt.Errorf("number %d is not wanted", v.N))
				}
				n, _ := state.Upsert(c)
				n.Count++
				n.Sum += v.N
				if !last {
					again.Emit(c, v)
				}
				out.Emit(c, &counted{v.N, v.Key, n.Count, n.Sum})
			}
		})
	}
	first := stage("first", in, false, func(v *number) uint64 { return v.Key })
	second := stage("second", engine.From[number](first, "numbers"), true, func(v *number) uint64 { return v.Key / 3 })
	for _, s := range []struct {
		id string
		op *engine.Op
	}{{"out1", first}, {"out2", second}} {
		all := new(rowsWritten)
		engine.Sink(g, s.id, engine.From[counted](s.op, "counted"), func(engine.SinkPart) (engine.SinkWriter[counted], error) { return all, nil })
		env.Result(s.id, func() (any, error) { return all.rows, nil })
	}
	return g, nil
}}

// rowsWritten is a sink that keeps what it is given. Its marks hold everything, so that another process can go on.
type rowsWritten struct{ rows []string }

func (w *rowsWritten) Write(c *engine.Ctx, v *counted) {
	w.rows = append(w.rows, fmt.Sprintf("%v %+v", c.Time(), *v))
}
func (w *rowsWritten) Commit(wire.Time) ([]byte, error) { return json.Marshal(w.rows) }
func (w *rowsWritten) Restore(mark []byte) error        { return json.Unmarshal(mark, &w.rows) }
func (w *rowsWritten) Leave()                           { w.rows = nil }
func (w *rowsWritten) Flush() error                     { return nil }
func (w *rowsWritten) Close() error                     { return nil }

// rowsOf puts together what all processes have collected under one name.
func rowsOf(t *testing.T, results []engine.Result, name string) []string {
	t.Helper()
	var all []string
	for _, r := range results {
		if r.Name != name {
			continue
		}
		var rows []string
		if err := json.Unmarshal(r.Data, &rows); err != nil {
			t.Fatal(err)
		}
		all = append(all, rows...)
	}
	sort.Strings(all)
	return all
}

// embedded is what the program yields in one process.
func embedded(t *testing.T, s settings) []engine.Result {
	t.Helper()
	params, err := json.Marshal(s)
	if err != nil {
		t.Fatal(err)
	}
	job, err := engine.Embedded{}.Start(context.Background(), counting, params, engine.Config{Loops: 1})
	if err != nil {
		t.Fatal(err)
	}
	if err := job.Wait(); err != nil {
		t.Fatal(err)
	}
	return job.Results()
}

// rows is how long a test's input is: a quarter in short runs.
func rows(n int) int {
	if testing.Short() {
		return n / 4
	}
	return n
}
