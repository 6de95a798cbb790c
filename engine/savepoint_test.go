package engine_test

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/fullspate/spate/engine"
	"github.com/fullspate/spate/ft"
)

// visit is what the graph of these tests reads.
type visit struct{ User, Page uint64 }

// tally is what it writes.
type tally struct{ Key, N, Sum uint64 }

// cutSeconds is how long its longer input is.
const cutSeconds = 20

// cutGraph counts visits by user and page in windows, and sums them up by page. It has two sources, of which one ends early,
// an operator with two inputs, sub-keys, and timers that are due long after the input has ended.
func cutGraph(path string) *engine.Graph {
	g := engine.NewGraph("cut")
	long := engine.SliceSource(g, "long", visits(1, 3000, cutSeconds), visits(2, 3000, cutSeconds), visits(3, 2000, cutSeconds), visits(4, 100, 2))
	short := engine.SliceSource(g, "short", visits(5, 1000, cutSeconds/4), visits(6, 1500, cutSeconds/3))
	odd := engine.Stateless(g, "odd", long, func(d *engine.Decl) engine.Handler[visit] {
		out := engine.Output[visit](d, "odd")
		return func(c *engine.Ctx, v *visit) {
			if v.Page%2 == 1 {
				out.Emit(c, v)
			}
		}
	})
	byUser := func(v *visit) uint64 { return v.User }
	users := engine.Operator(g, "users", func(d *engine.Decl) {
		pages := engine.Table[tally](d, "pages")
		out := engine.Output[tally](d, "tallies")
		late := engine.Timer(d, "late", func(c *engine.Ctx) { out.Emit(c, &tally{Key: 1000 + c.Hash()%7}) })
		window := engine.Timer(d, "window", func(c *engine.Ctx) {
			pages.Each(c, func(page uint64, v *tally) bool {
				out.Emit(c, &tally{Key: page, N: v.N, Sum: v.Sum})
				return true
			})
		})
		handle := func(c *engine.Ctx, v *visit) {
			t, _ := pages.Upsert(c, v.Page)
			t.N++
			t.Sum += v.User
			window.Set(c, c.NextMultiple(time.Second))
			late.Set(c, time.Duration(100+v.User%50)*time.Second)
		}
		engine.KeyedInput(d, engine.From[visit](odd, "odd"), byUser, handle)
		engine.KeyedInput(d, short, byUser, handle)
	})
	sums := engine.Keyed(g, "sums", engine.From[tally](users, "tallies"), func(v *tally) uint64 { return v.Key }, func(d *engine.Decl) engine.Handler[tally] {
		total := engine.Value[tally](d, "total")
		out := engine.Output[tally](d, "sums")
		return func(c *engine.Ctx, v *tally) {
			t, _ := total.Upsert(c)
			t.Key, t.N, t.Sum = v.Key, t.N+v.N, t.Sum+v.Sum
			out.Emit(c, t)
		}
	})
	engine.FileSink(g, "file", engine.From[tally](sums, "sums"), path, func(dst []byte, c *engine.Ctx, v *tally) []byte {
		return fmt.Appendf(dst, "%v %d %d %d\n", c.Now(), v.Key, v.N, v.Sum)
	})
	return g
}

// visits are n of them within some seconds.
func visits(seed uint64, n, seconds int) []engine.Record[visit] {
	r := rand.New(rand.NewPCG(seed, 1))
	list := make([]engine.Record[visit], n)
	for i := range list {
		list[i] = engine.Record[visit]{Millis: int64(i * seconds * 1000 / n), Value: visit{r.Uint64N(60), r.Uint64N(40)}}
	}
	return list
}

// cutWhole writes what one run writes, and returns the file.
func cutWhole(t *testing.T) string {
	t.Helper()
	want := filepath.Join(t.TempDir(), "want")
	if _, err := engine.Run(t.Context(), cutGraph(want), engine.Config{Loops: 2}); err != nil {
		t.Fatal(err)
	}
	return want
}

// TestSavepoints takes savepoints of running jobs at random times, and starts others from them with another parallelism: what
// they write together is what one run writes.
func TestSavepoints(t *testing.T) {
	want := cutWhole(t)
	seed := uint64(time.Now().UnixNano())
	t.Logf("seed %d", seed)
	r := rand.New(rand.NewPCG(seed, 1))
	runs, taken := 12, 0
	if testing.Short() {
		runs = 3
	}
	random := func(dir string) engine.Config {
		c := engine.Config{
			Loops: 1 + r.IntN(3), NoFuse: r.IntN(2) == 0, LogBytes: 8 << 10, FrameBytes: 4 << 10,
			Parallelism: map[string]int{"long": 1 + r.IntN(4), "short": 1 + r.IntN(2), "users": 1 + r.IntN(5), "sums": 1 + r.IntN(4)},
		}
		if r.IntN(2) == 0 {
			c.CheckpointDir, c.CheckpointInterval, c.LogBytes = filepath.Join(dir, "checkpoints"), 2*time.Millisecond, 64<<10
		}
		return c
	}
	for range runs {
		dir := t.TempDir()
		got := filepath.Join(dir, "got")
		cfg := random(dir)
		cfg.Pace = 50
		job, err := engine.Start(t.Context(), cutGraph(got), cfg)
		if err != nil {
			t.Fatal(err)
		}
		var points []string
		for i := range 3 {
			at := time.Duration(r.IntN(cutSeconds*1000*(i+1)/3)) * time.Millisecond
			if i == 2 {
				at = cutSeconds*time.Second + 500*time.Millisecond // the input has ended, timers have yet to fire
			}
			point := filepath.Join(dir, fmt.Sprint("point", i))
			info, err := job.SavepointAt(t.Context(), point, at)
			if errors.Is(err, engine.ErrEnded) {
				break // the machine has other things to do
			}
			if err != nil {
				t.Fatal(err)
			}
			if info.Position.Millis() < uint64(at.Milliseconds()) || info.Parallelism("users") != cfg.Parallelism["users"] {
				t.Fatalf("at %v: %+v", at, info)
			}
			points = append(points, point)
			taken++
		}
		if err := job.Wait(); err != nil {
			t.Fatal(err)
		}
		compareFiles(t, want, got)
		for _, point := range points {
			next := random(t.TempDir())
			next.Savepoint = point
			s, err := engine.Run(t.Context(), cutGraph(got), next)
			if err != nil {
				t.Fatalf("%v\nfirst %+v\nnext %+v", err, cfg, next)
			}
			if s.Checkpoints.Restored == 0 || s.Checkpoints.From == 0 {
				t.Errorf("the job from a savepoint: %+v", s.Checkpoints)
			}
			compareFiles(t, want, got)
		}
	}
	if taken < runs {
		t.Errorf("%d savepoints of %d jobs", taken, runs)
	}
}

// TestSavepointNow takes one wherever the job is, and starts a job from it that is interrupted before it has taken a checkpoint:
// the directory of checkpoints is then enough to go on.
func TestSavepointNow(t *testing.T) {
	want, dir := cutWhole(t), t.TempDir()
	got, point := filepath.Join(dir, "got"), filepath.Join(dir, "point")
	job, err := engine.Start(t.Context(), cutGraph(got), engine.Config{Loops: 2, Pace: 8})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := job.SavepointAt(t.Context(), filepath.Join(dir, "first"), 3*time.Second); err != nil {
		t.Fatal(err)
	}
	info, err := job.Savepoint(t.Context(), point)
	if err != nil || info.Position.Millis() < 3000 {
		t.Fatalf("%+v, %v", info, err)
	}
	job.Cancel()
	if err := job.Wait(); !errors.Is(err, context.Canceled) {
		t.Fatal(err)
	}
	if _, err := job.Savepoint(t.Context(), filepath.Join(dir, "none")); err == nil || !strings.Contains(err.Error(), "has ended") {
		t.Errorf("a savepoint of a job that has ended: %v", err)
	}
	cfg := engine.Config{Loops: 3, Pace: 0.001, Savepoint: point, CheckpointDir: filepath.Join(dir, "checkpoints"), CheckpointInterval: time.Hour}
	if job, err = engine.Start(t.Context(), cutGraph(got), cfg); err != nil {
		t.Fatal(err)
	}
	job.Cancel()
	if err := job.Wait(); !errors.Is(err, context.Canceled) {
		t.Fatal(err)
	}
	cfg.Pace = 0
	if _, err := engine.Run(t.Context(), cutGraph(got), cfg); err == nil || !strings.Contains(err.Error(), "has checkpoints already") {
		t.Errorf("from a savepoint over checkpoints: %v", err)
	}
	cfg.Savepoint = ""
	s, err := engine.Run(t.Context(), cutGraph(got), cfg)
	if err != nil || s.Checkpoints.From.Millis() < 3000 {
		t.Fatalf("%+v, %v", s.Checkpoints, err)
	}
	compareFiles(t, want, got)
}

// TestSavepointGivenUp waits for a time that the job will not reach, and gives up in one way or another: nothing is left, and the
// job goes on where it can.
func TestSavepointGivenUp(t *testing.T) {
	want := cutWhole(t)
	for name, end := range map[string]func(job *engine.Job, cancel func()){
		"context": func(_ *engine.Job, cancel func()) { cancel() },
		"cancel":  func(job *engine.Job, _ func()) { job.Cancel() },
		"drain":   func(job *engine.Job, _ func()) { job.Drain() },
	} {
		dir := t.TempDir()
		got, point := filepath.Join(dir, "got"), filepath.Join(dir, "point")
		job, err := engine.Start(t.Context(), cutGraph(got), engine.Config{Loops: 2, Pace: 50})
		if err != nil {
			t.Fatal(err)
		}
		ctx, cancel := context.WithCancel(t.Context())
		failed := make(chan error)
		go func() {
			_, err := job.SavepointAt(ctx, point, 1000*time.Hour)
			failed <- err
		}()
		for !exists(point + ".new") { // it has begun
		}
		end(job, cancel)
		if err := <-failed; err == nil {
			t.Errorf("%s: there is a savepoint at a time that was not reached", name)
		}
		cancel()
		if err := job.Wait(); (err != nil) != (name == "cancel") {
			t.Errorf("%s: %v", name, err)
		}
		if name == "context" {
			compareFiles(t, want, got)
		}
		if exists(point) || exists(point+".new") {
			t.Errorf("%s: something is left", name)
		}
	}
}

func exists(path string) bool {
	_, err := os.Stat(path)
	return err == nil
}

// TestSavepointAtTheEnd asks for a time after all that the job has to do: the savepoint has all of it, and a job from it has
// nothing left to do.
func TestSavepointAtTheEnd(t *testing.T) {
	want, dir := cutWhole(t), t.TempDir()
	got, point := filepath.Join(dir, "got"), filepath.Join(dir, "point")
	job, err := engine.Start(t.Context(), cutGraph(got), engine.Config{Loops: 2, Pace: 1000})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := job.SavepointAt(t.Context(), point, time.Hour); err != nil {
		t.Fatal(err)
	}
	if err := job.Wait(); err != nil {
		t.Fatal(err)
	}
	compareFiles(t, want, got)
	for _, n := range []int{1, 4} {
		if _, err := engine.Run(t.Context(), cutGraph(got), engine.Config{Loops: n, Savepoint: point}); err != nil {
			t.Fatal(err)
		}
		compareFiles(t, want, got)
	}
}

// TestSavepointMismatch starts jobs from a savepoint that is not of theirs.
func TestSavepointMismatch(t *testing.T) {
	dir := t.TempDir()
	point := filepath.Join(dir, "point")
	job, err := engine.Start(t.Context(), cutGraph(filepath.Join(dir, "got")), engine.Config{Loops: 2, Pace: 50})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := job.SavepointAt(t.Context(), point, 3*time.Second); err != nil {
		t.Fatal(err)
	}
	job.Cancel()
	job.Wait()
	type wide struct{ Key, N, Sum, More uint64 }
	other := func(id, table string, splits ...[]engine.Record[visit]) *engine.Graph {
		g := engine.NewGraph("other")
		in := engine.SliceSource(g, "long", splits...)
		engine.Keyed(g, id, in, func(v *visit) uint64 { return v.User }, func(d *engine.Decl) engine.Handler[visit] {
			engine.Table[wide](d, table)
			engine.Timer(d, "window", func(*engine.Ctx) {})
			return func(*engine.Ctx, *visit) {}
		})
		return g
	}
	rows := visits(1, 10, 10)
	for _, tt := range []struct {
		g    *engine.Graph
		cfg  engine.Config
		want []string
	}{
		{other("users", "pages", rows), engine.Config{}, []string{
			`graph "cut", which does not fit graph "other"`,
			`table "pages" of operator "users" has values {3:Key uint64@0;1:N uint64@8;3:Sum uint64@16;}24 in the savepoint, values {3:Key uint64@0;1:N uint64@8;3:Sum uint64@16;4:More uint64@24;}32 in the job`,
			`operator "users" has the table "timer late" in the savepoint where it has "timer window" in the job`,
			`table "timer window" of operator "users" of the savepoint is not in the job`,
			`operator "sums" of the savepoint is not in the job`, `operator "users" consumes`,
		}},
		{other("visitors", "pages", rows), engine.Config{}, []string{`operator "visitors" of the job is not in the savepoint (it has ["long" "short" "odd" "users" "sums" "file"])`}},
		{cutGraph(filepath.Join(dir, "got")), engine.Config{CheckpointKey: "other"}, []string{"computes something else"}},
		{cutGraph(filepath.Join(dir, "elsewhere")), engine.Config{}, []string{"were committed"}},
		{cutGraph(filepath.Join(dir, "got")), engine.Config{Parallelism: map[string]int{"file": 2}}, []string{"a mark of 8 bytes, which cannot be cut"}},
	} {
		tt.cfg.Savepoint = point
		_, err := engine.Run(t.Context(), tt.g, tt.cfg)
		for _, want := range tt.want {
			if err == nil || !strings.Contains(err.Error(), want) {
				t.Errorf("got %v\nwant %s", err, want)
			}
		}
		if mismatch := new(engine.MismatchError); len(tt.want) > 3 && !errors.As(err, &mismatch) {
			t.Errorf("%T, want a MismatchError", err)
		}
	}
	if _, err := engine.Run(t.Context(), cutGraph(filepath.Join(dir, "got")), engine.Config{Savepoint: dir}); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("no savepoint: %v", err)
	}
	s, err := ft.OpenSavepoint(nil, point)
	if err != nil {
		t.Fatal(err)
	}
	damaged := filepath.Join(point, s.Info().Tasks[len(s.Info().Tasks)-1].File)
	if err := os.Truncate(damaged, 100); err != nil {
		t.Fatal(err)
	}
	if _, err := engine.Run(t.Context(), cutGraph(filepath.Join(dir, "got")), engine.Config{Savepoint: point}); err == nil || !strings.Contains(err.Error(), damaged) {
		t.Errorf("a damaged file: %v", err)
	}
}

// TestSavepointSplits starts a job whose source has other splits than the savepoint's.
func TestSavepointSplits(t *testing.T) {
	dir := t.TempDir()
	point := filepath.Join(dir, "point")
	graph := func(splits ...[]engine.Record[visit]) *engine.Graph {
		g := engine.NewGraph("splits")
		engine.SinkFunc(g, "sink", engine.SliceSource(g, "in", splits...), func(*engine.Ctx, *visit) {})
		return g
	}
	a, b := visits(1, 1000, 10), visits(2, 1000, 10)
	job, err := engine.Start(t.Context(), graph(a, b), engine.Config{Loops: 2, Pace: 50})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := job.SavepointAt(t.Context(), point, time.Second); err != nil {
		t.Fatal(err)
	}
	if err := job.Wait(); err != nil {
		t.Fatal(err)
	}
	for want, g := range map[string]*engine.Graph{"split 1 that": graph(a), "split 2 () is not": graph(a, b, a)} {
		if _, err := engine.Run(t.Context(), g, engine.Config{Savepoint: point}); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("got %v, want %q", err, want)
		}
	}
}
