package inspect_test

import (
	"bytes"
	"context"
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/fullspate/spate/cmd/spate/internal/inspect"
	"github.com/fullspate/spate/engine"
	"github.com/fullspate/spate/ft"
)

type hit struct{ User, Page uint64 }

type total struct {
	Name  [8]uint8
	Count uint64
}

// job counts hits by user and page, and remembers a text for each name.
func job() *engine.Graph {
	g := engine.NewGraph("hits")
	var rows []engine.Record[hit]
	for i := range 1000 {
		rows = append(rows, engine.Record[hit]{Millis: int64(10 * i), Value: hit{uint64(i % 10), uint64(i % 3)}})
	}
	in := engine.SliceSource(g, "hits", rows)
	engine.Keyed(g, "users", in, func(h *hit) uint64 { return h.User }, func(d *engine.Decl) engine.Handler[hit] {
		pages := engine.Table[total](d, "pages")
		end := engine.Timer(d, "end", func(*engine.Ctx) {})
		return func(c *engine.Ctx, h *hit) {
			t, _ := pages.Upsert(c, h.Page)
			t.Name, t.Count = [8]uint8{'u', '0' + uint8(h.User)}, t.Count+1
			end.Set(c, time.Hour)
		}
	})
	engine.KeyedBytes(g, "names", in, func(h *hit) []byte { return []byte{'n', '0' + byte(h.User)} }, func(d *engine.Decl) engine.Handler[hit] {
		text := engine.Bytes(d, "text")
		return func(c *engine.Ctx, h *hit) { text.Set(c, []byte("page "+string(rune('0'+h.Page)))) }
	})
	return g
}

// savepoint takes one of the job at a time, and one of its checkpoints.
func savepoint(t *testing.T) (dir string) {
	t.Helper()
	dir = filepath.Join(t.TempDir(), "point")
	j, err := engine.Start(t.Context(), job(), engine.Config{Loops: 1, Pace: 20, Parallelism: map[string]int{"users": 2}})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := j.SavepointAt(t.Context(), dir, 6*time.Second); err != nil {
		t.Fatal(err)
	}
	if err := j.Wait(); err != nil {
		t.Fatal(err)
	}
	return dir
}

// golden is all of the savepoint; what differs between runs is X.
const golden = `X: savepoint of graph "hits", made X, at 6.000s/0#0

hits/0  0000000000000000-ffffffffffffffff  at 6.000s/0#0, 5.00 s old, 1 split

users/0  0000000000000000-7fffffffffffffff  at 6.000s/0#0, 5.00 s old
`

func TestLook(t *testing.T) {
	dir := savepoint(t)
	s, err := ft.OpenSavepoint(nil, dir)
	if err != nil {
		t.Fatal(err)
	}
	created := s.Info().Created
	r, err := inspect.Look(t.Context(), inspect.Config{Dir: dir, Key: "3", Now: created.Add(5 * time.Second)})
	if err != nil {
		t.Fatal(err)
	}
	var b bytes.Buffer
	if err := r.Text(&b); err != nil {
		t.Fatal(err)
	}
	text := strings.NewReplacer(dir, "X", created.Format(time.RFC3339), "X").Replace(b.String())
	if !strings.HasPrefix(text, golden) {
		t.Errorf("got\n%s\nwant it to begin with\n%s", text, golden)
	}
	records, found := int64(0), []string{}
	for _, task := range r.Tasks {
		for _, table := range task.Tables {
			if table.Name == "pages" {
				records += table.Records
			}
			sum := int64(0)
			for _, p := range table.Heaviest {
				sum += p.Bytes
			}
			if sum > table.RawBytes || table.Records > 0 && sum == 0 || len(table.Heaviest) > 8 {
				t.Errorf("%s: %+v", table.Name, table)
			}
			for _, v := range table.Values {
				line, err := json.Marshal(v)
				if err != nil {
					t.Fatal(err)
				}
				found = append(found, table.Name+string(line))
			}
		}
	}
	if records != 30 {
		t.Errorf("%d records, want 30", records)
	}
	all := strings.Join(found, "\n")
	for _, want := range []string{`pages{"sub":0,"value":{"Name":"u3","Count":20}}`, `pages{"sub":2,"value":{"Name":"u3","Count":20}}`, `timer end{"value":3600000}`} {
		if !strings.Contains(all, want) {
			t.Errorf("key 3 has\n%s\nwant %s", all, want)
		}
	}
	for _, key := range []string{"n3", "0x6e33"} {
		r, err = inspect.Look(t.Context(), inspect.Config{Dir: dir, Task: "names", Key: key})
		if err != nil || len(r.Tasks) != 1 || len(r.Tasks[0].Tables[0].Values) != 1 || !strings.HasPrefix(string(r.Tasks[0].Tables[0].Values[0].Value), `"page `) {
			t.Fatalf("%+v, %v", r, err)
		}
	}
	if r, err = inspect.Look(t.Context(), inspect.Config{Dir: dir, Task: "users/1"}); err != nil || len(r.Tasks) != 1 || r.Tasks[0].Index != 1 {
		t.Fatalf("%+v, %v", r, err)
	}
	if _, err = inspect.Look(t.Context(), inspect.Config{Dir: dir, Task: "users/2"}); err == nil || !strings.Contains(err.Error(), "users/0…1") {
		t.Errorf("a task that is not there: %v", err)
	}
	if _, err = inspect.Look(t.Context(), inspect.Config{Dir: t.TempDir()}); err == nil || !strings.Contains(err.Error(), "neither") {
		t.Errorf("an empty directory: %v", err)
	}
}

// TestLookAtARun looks into the checkpoints of a job that goes on, and of one that was interrupted.
func TestLookAtARun(t *testing.T) {
	dir := t.TempDir()
	cfg := engine.Config{Loops: 1, Pace: 5, CheckpointDir: dir, CheckpointInterval: 5 * time.Millisecond}
	j, err := engine.Start(t.Context(), job(), cfg)
	if err != nil {
		t.Fatal(err)
	}
	looks := 0
	for looks < 5 {
		select {
		case <-j.Done():
			t.Fatal("it has ended")
		default:
		}
		r, err := inspect.Look(t.Context(), inspect.Config{Dir: dir, Task: "users", Key: "1", Now: time.Now()})
		if err != nil { // there is none yet
			continue
		}
		if r.Graph != "hits" || r.Kind != "checkpoints" || r.Tasks[0].Generation == 0 || r.Tasks[0].Age == nil || r.Tasks[0].Tables[0].Name != "pages" {
			t.Fatalf("%+v", r)
		}
		looks++
	}
	j.Cancel()
	if err := j.Wait(); err == nil || context.Cause(t.Context()) != nil {
		t.Fatal(err)
	}
	if _, err := inspect.Look(t.Context(), inspect.Config{Dir: dir}); err != nil {
		t.Fatal(err)
	}
	if _, err := os.Stat(filepath.Join(dir, "job.json")); err != nil {
		t.Fatal(err)
	}
}
