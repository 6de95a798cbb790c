package engine_test

import (
	"bytes"
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/fullspate/spate/engine"
	"github.com/fullspate/spate/ft"
)

// durableGraph counts keys in windows, and writes every count to a file.
func durableGraph(path string, tuples int) *engine.Graph {
	return durableGraphTo(path, tuples, nil)
}

func durableGraphTo(path string, tuples int, seen func(n int)) *engine.Graph {
	input := make([]engine.Record[Word], tuples)
	for i := range input {
		input[i].Millis = int64(i / 8)
		binary.LittleEndian.PutUint64(input[i].Value.Text[:], uint64(i*i%5003))
	}
	g := engine.NewGraph("durable")
	words := engine.SliceSource(g, "words", input)
	counter := engine.KeyedBytes(g, "counter", words, key, func(d *engine.Decl) engine.Handler[Word] {
		n := engine.Value[Count](d, "count")
		out := engine.Output[Count](d, "counts")
		window := engine.Timer(d, "window", func(c *engine.Ctx) {
			out.Emit(c, n.Get(c))
			n.Delete(c)
		})
		return func(c *engine.Ctx, w *Word) {
			v, _ := n.Upsert(c)
			v.Text = w.Text
			v.N++
			window.Set(c, c.NextMultiple(time.Second))
		}
	})
	lines := 0
	engine.FileSink(g, "file", engine.From[Count](counter, "counts"), path, func(dst []byte, c *engine.Ctx, v *Count) []byte {
		if lines++; seen != nil {
			seen(lines)
		}
		return fmt.Appendf(dst, "%v %x %d\n", c.Now(), v.Text[:8], v.N)
	})
	return g
}

// TestGoesOn ends a job again and again before its input has ended, wherever it is then. The runs after it go on from what
// it has left; together they write what one run writes.
func TestGoesOn(t *testing.T) {
	dir := t.TempDir()
	want, got, checkpoints := filepath.Join(dir, "want"), filepath.Join(dir, "got"), filepath.Join(dir, "checkpoints")
	const tuples = 200_000
	if _, err := engine.Run(context.Background(), durableGraph(want, tuples), engine.Config{}); err != nil {
		t.Fatal(err)
	}
	cfg := engine.Config{
		Loops: 2, CheckpointDir: checkpoints, CheckpointInterval: 2 * time.Millisecond, LogBytes: 64 << 10, FrameBytes: 4 << 10,
	}
	runs, ended := 0, false
	for ; !ended && runs < 60; runs++ { // some 20 are enough; from the beginning each time it would be 125
		ctx, cancel := context.WithCancel(context.Background())
		left := 500 + 400*runs // lines of this run
		_, err := engine.Run(ctx, durableGraphTo(got, tuples, func(n int) {
			if n == left {
				cancel()
			}
		}), cfg)
		cancel()
		if ended = err == nil; !ended && !errors.Is(err, context.Canceled) {
			t.Fatal(err)
		}
	}
	if runs < 5 {
		t.Errorf("the input came to its end in %d runs: nothing was interrupted", runs)
	}
	compareFiles(t, want, got)
	if list, err := filepath.Glob(filepath.Join(checkpoints, "*", "*")); err != nil || len(list) > 0 {
		t.Errorf("a job that has come to its end has left %v, %v", list, err)
	}
}

func compareFiles(t *testing.T, want, got string) {
	t.Helper()
	a, err := os.ReadFile(want)
	if err != nil {
		t.Fatal(err)
	}
	b, err := os.ReadFile(got)
	if err != nil {
		t.Fatal(err)
	}
	if len(a) == 0 {
		t.Fatal("nothing was written")
	}
	if bytes.Equal(a, b) {
		return
	}
	la, lb := strings.Split(string(a), "\n"), strings.Split(string(b), "\n")
	for i := range min(len(la), len(lb)) {
		if la[i] != lb[i] {
			t.Fatalf("%d lines, want %d; line %d is %q, want %q", len(lb), len(la), i+1, lb[i], la[i])
		}
	}
	t.Fatalf("%d lines, want %d", len(lb), len(la))
}

// TestOtherParallelism refuses to go on with other tasks than those that have left checkpoints.
func TestOtherParallelism(t *testing.T) {
	dir := t.TempDir()
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	cfg := engine.Config{Loops: 2, CheckpointDir: filepath.Join(dir, "checkpoints"), CheckpointInterval: time.Millisecond}
	_, err := engine.Run(ctx, durableGraphTo(filepath.Join(dir, "out"), 400_000, func(n int) {
		if n == 20_000 {
			cancel()
		}
	}), cfg)
	if !errors.Is(err, context.Canceled) {
		t.Fatal(err)
	}
	cfg.Parallelism = map[string]int{"counter": 3}
	_, err = engine.Run(context.Background(), durableGraph(filepath.Join(dir, "out"), 100_000), cfg)
	if err == nil || !strings.Contains(err.Error(), `no such task`) {
		t.Fatalf("other tasks than those that have left checkpoints go on: %v", err)
	}
}

// TestGoesOnAtItsPace interrupts a job, and has another with a pace go on. That gives the rest of the input at the pace, on the
// clock of a job that was not interrupted: what came before, which would take days, is not waited for.
func TestGoesOnAtItsPace(t *testing.T) {
	input := make([]engine.Record[Word], 1_000_000)
	for i := range input {
		input[i].Millis = 1000 * int64(i)
	}
	cfg := engine.Config{
		Loops: 1, CheckpointDir: t.TempDir(), CheckpointInterval: 2 * time.Millisecond, LogBytes: 64 << 10, FrameBytes: 4 << 10,
	}
	run := func(stopAfter int) (s engine.Stats, first time.Duration) {
		ctx, cancel := context.WithCancel(context.Background())
		defer cancel()
		g, n := engine.NewGraph("ticks"), 0
		engine.SinkFunc(g, "clock", engine.SliceSource(g, "ticks", input), func(c *engine.Ctx, _ *Word) {
			if n++; n == 1 {
				first = c.Elapsed()
			}
			if n == stopAfter {
				cancel()
			}
		})
		s, err := engine.Run(ctx, g, cfg)
		if !errors.Is(err, context.Canceled) {
			t.Fatalf("a job of %d tuples, of which it has given %d: %v", len(input), n, err)
		}
		return s, first
	}
	s, _ := run(300_000)
	if c := s.Checkpoints; c.Taken == 0 || c.Bytes == 0 || c.SliceMax == 0 || c.Restored != 0 || c.From != 0 {
		t.Fatalf("the interrupted job: %+v", c)
	}
	cfg.Pace = 1
	s, first := run(1)
	behind := time.Duration(s.Checkpoints.From.Millis()) * time.Millisecond
	if s.Checkpoints.Restored != 2 || behind < time.Hour {
		t.Fatalf("it has not gone on where it was: %+v", s.Checkpoints)
	}
	if first < behind || first > time.Duration(len(input))*time.Second {
		t.Errorf("it has %v behind it, and says that it is at %v", behind, first)
	}
}

// TestKey has jobs with the same graph and different keys use a directory: not before the one whose checkpoints are there has
// come to its end.
func TestKey(t *testing.T) {
	dir := t.TempDir()
	out := filepath.Join(dir, "out")
	cfg := engine.Config{Loops: 1, CheckpointDir: filepath.Join(dir, "checkpoints"), CheckpointInterval: time.Millisecond, LogBytes: 64 << 10}
	run := func(key string, stopAfter int) error {
		ctx, cancel := context.WithCancel(context.Background())
		defer cancel()
		cfg.CheckpointKey = key
		_, err := engine.Run(ctx, durableGraphTo(out, 100_000, func(n int) {
			if n == stopAfter {
				cancel()
			}
		}), cfg)
		return err
	}
	if err := run("a", 20_000); !errors.Is(err, context.Canceled) {
		t.Fatal(err)
	}
	var graph *ft.GraphError
	if err := run("b", 0); !errors.As(err, &graph) {
		t.Fatalf("a job goes on from the checkpoints of another: %v", err)
	}
	if err := errors.Join(run("a", 0), run("b", 0)); err != nil {
		t.Fatal(err)
	}
}
