package ft_test

import (
	"bytes"
	"errors"
	"io/fs"
	"log/slog"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/fullspate/spate/ft"
	"github.com/fullspate/spate/ft/flock"
	"github.com/fullspate/spate/ft/fttest"
	"github.com/fullspate/spate/state"
)

// openDir opens a directory until the test ends.
func openDir(t *testing.T, cfg ft.DirConfig) *ft.Dir {
	t.Helper()
	d, err := ft.OpenDir(cfg)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { d.Close() })
	return d
}

// reopen closes a directory and opens it again.
func reopen(t *testing.T, d *ft.Dir, cfg ft.DirConfig) *ft.Dir {
	t.Helper()
	if err := d.Close(); err != nil {
		t.Fatal(err)
	}
	return openDir(t, cfg)
}

// TestDirOnTheSystem looks at the files that there are.
func TestDirOnTheSystem(t *testing.T) {
	created := time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)
	path := filepath.Join(t.TempDir(), "new", "checkpoints")
	cfg := ft.DirConfig{Path: path, Graph: 0xabc, Now: func() time.Time { return created }}
	d := openDir(t, cfg)
	if _, err := ft.OpenDir(cfg); flock.Supported && !errors.Is(err, flock.ErrLocked) {
		t.Fatalf("a second one: %v, want ErrLocked", err)
	}
	w := newWorker(t, task("a/b"), 1)
	for range 3 {
		w.work(1000)
		store(t, d, w.checkpoint(state.Base))
	}
	folder := filepath.Join(path, "a%2Fb-0000000000000000-ffffffffffffffff")
	left := filepath.Join(folder, "00000000000000000009.spck.new")
	if err := errors.Join(os.WriteFile(left, []byte("half"), 0o600), os.WriteFile(filepath.Join(path, "notes"), nil, 0o600)); err != nil {
		t.Fatal(err)
	}
	var log strings.Builder
	cfg.Logger = slog.New(slog.NewTextHandler(&log, nil))
	d = reopen(t, d, cfg)
	got, err := filepath.Glob(filepath.Join(folder, "*"))
	want := []string{filepath.Join(folder, "00000000000000000002.spck"), filepath.Join(folder, "00000000000000000003.spck")}
	if err != nil || !slices.Equal(got, want) {
		t.Errorf("files %v, want %v", got, want)
	}
	if !strings.Contains(log.String(), "notes") || strings.Count(log.String(), "\n") != 1 {
		t.Errorf("logged %q, want a line on the stray file", log.String())
	}
	if c := newest(t, d, w.id); sumOf(t, c) != w.sum() {
		t.Error("another sum")
	}
	if !d.Created().Equal(created) {
		t.Errorf("created %v, want %v", d.Created(), created)
	}
	cfg.Graph = 0xdef
	var graph *ft.GraphError
	if err := d.Close(); err != nil {
		t.Fatal(err)
	}
	if _, err := ft.OpenDir(cfg); !errors.As(err, &graph) || graph.Have != "0000000000000abc" {
		t.Errorf("with another graph: %v, want a GraphError", err)
	}
	if err := d.Put(t.Context(), w.id, 4, 0, w.checkpoint(state.Base).Append(nil)); !errors.Is(err, fs.ErrClosed) {
		t.Errorf("put after close: %v, want ErrClosed", err)
	}
}

func TestDirRefusals(t *testing.T) {
	if _, err := ft.OpenDir(ft.DirConfig{Keep: -1}); err == nil || strings.Count(err.Error(), "\n") != 1 {
		t.Errorf("%v, want two problems", err)
	}
	for name, content := range map[string]string{"data": "mine", "job.json": "{", "task/job.json": "{}"} {
		path := t.TempDir()
		file := filepath.Join(path, name)
		if err := errors.Join(os.MkdirAll(filepath.Dir(file), 0o700), os.WriteFile(file, []byte(content), 0o600)); err != nil {
			t.Fatal(err)
		}
		if _, err := ft.OpenDir(ft.DirConfig{Path: path}); err == nil {
			t.Errorf("a directory with %s was taken", name)
		}
	}
	path := t.TempDir()
	if err := os.WriteFile(filepath.Join(path, "job.json"), []byte(`{"format":2}`), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := ft.OpenDir(ft.DirConfig{Path: path}); err == nil || !strings.Contains(err.Error(), "format 2") {
		t.Errorf("%v, want an unknown format", err)
	}
}

// TestDirFallsBack flips a bit of the newest file, while the directory is closed and while it is open.
func TestDirFallsBack(t *testing.T) {
	for _, open := range []bool{false, true} {
		var log bytes.Buffer
		disk := fttest.NewDisk(1)
		cfg := ft.DirConfig{Path: "/job", FS: disk, Logger: slog.New(slog.NewTextHandler(&log, nil))}
		d := openDir(t, cfg)
		w := newWorker(t, task("count"), 1)
		var sums []uint64
		for range 3 {
			w.work(100)
			store(t, d, w.checkpoint(state.Delta))
			sums = append(sums, w.sum())
		}
		files := disk.Files()
		disk.FlipBit(files[2])
		if open {
			if _, err := d.Get(t.Context(), w.id, 3); err == nil {
				t.Fatal("a damaged checkpoint was read")
			}
		} else {
			d = reopen(t, d, cfg)
		}
		if infos, _ := d.Generations(t.Context(), w.id); !slices.Equal(generations(infos), []uint64{2, 1}) {
			t.Fatalf("open %v: generations %v, want 2 and 1", open, generations(infos))
		}
		if !strings.Contains(log.String(), "WARN") || !strings.Contains(log.String(), files[2]) {
			t.Errorf("open %v: logged %q", open, log.String())
		}
		if c := newest(t, d, w.id); sumOf(t, c) != sums[1] {
			t.Error("another sum than that of generation 2")
		}
		w.gen = 2
		store(t, d, w.checkpoint(state.Base)) // in the place of what is damaged
		d = reopen(t, d, cfg)
		if c := newest(t, d, w.id); c.Generation != 3 || sumOf(t, c) != w.sum() {
			t.Error("what was put in the place of the damaged is not there")
		}
	}
}

func TestDirIsFull(t *testing.T) {
	disk := fttest.NewDisk(1)
	d := openDir(t, ft.DirConfig{Path: "/job", FS: disk})
	w := newWorker(t, task("count"), 1)
	w.work(100)
	store(t, d, w.checkpoint(state.Base))
	sum, before := w.sum(), disk.Files()
	w.work(100)
	c := w.checkpoint(state.Delta)
	disk.SetCapacity(1)
	err := d.Put(t.Context(), w.id, c.Generation, c.Follows, c.Append(nil))
	if !errors.Is(err, syscall.ENOSPC) || !strings.Contains(err.Error(), "00000000000000000002.spck") {
		t.Fatalf("%v, want ENOSPC with the file", err)
	}
	if got := newest(t, d, w.id); sumOf(t, got) != sum || !slices.Equal(disk.Files(), before) {
		t.Errorf("files %v, want %v", disk.Files(), before)
	}
	disk.SetCapacity(0)
	store(t, d, c)
	if got := newest(t, d, w.id); sumOf(t, got) != w.sum() {
		t.Error("after room was made: another sum")
	}
}

// TestDirOnAFailingDisk lets single operations fail.
func TestDirOnAFailingDisk(t *testing.T) {
	broken := errors.New("broken")
	for _, op := range []string{"MkdirAll", "Create", "Write", "Sync", "Close", "Rename", "SyncDir"} {
		disk := fttest.NewDisk(1)
		cfg := ft.DirConfig{Path: "/job", FS: disk}
		d := openDir(t, cfg)
		w := newWorker(t, task("count"), 1)
		c := w.checkpoint(state.Base)
		disk.Before = func(o, path string) error {
			if o == op {
				return broken
			}
			return nil
		}
		if err := d.Put(t.Context(), w.id, 1, 0, c.Append(nil)); !errors.Is(err, broken) {
			t.Errorf("%s: %v, want what the disk says", op, err)
		}
		disk.Before = nil
		store(t, d, c)
		d = reopen(t, d, cfg)
		if got := newest(t, d, w.id); got.Generation != 1 {
			t.Errorf("%s: generation %d", op, got.Generation)
		}
	}
}

// TestDirCrashes lets the machine die at any operation, again and again, and requires each time that what was acknowledged is
// there, or something newer.
func TestDirCrashes(t *testing.T) {
	seeds := 150
	if testing.Short() {
		seeds = 40
	}
	for seed := range uint64(seeds) {
		crashes(t, seed)
	}
}

func crashes(t *testing.T, seed uint64) {
	r := rand.New(rand.NewPCG(seed, 3))
	disk := fttest.NewDisk(seed)
	cfg := ft.DirConfig{Path: "/data/job", FS: disk, Keep: 1 + r.IntN(2)}
	w := newWorker(t, task("count"), seed)
	sums := map[uint64]uint64{} // of each generation that was put, also in vain
	acknowledged := uint64(0)
	for range 12 {
		disk.CrashAfter(1 + r.IntN(80))
		acknowledged = max(acknowledged, live(t, r, w, cfg, sums))
		disk.Crash()
		d, err := ft.OpenDir(cfg)
		if err != nil {
			t.Fatalf("seed %d: opening after a crash: %v", seed, err)
		}
		infos, _ := d.Generations(t.Context(), w.id)
		if len(infos) == 0 && acknowledged > 0 || len(infos) > 0 && infos[0].Generation < acknowledged {
			t.Fatalf("seed %d: generations %v, but %d was acknowledged; files %v", seed, generations(infos), acknowledged, disk.Files())
		}
		for _, i := range infos {
			c, err := d.Get(t.Context(), w.id, i.Generation)
			if err != nil || sumOf(t, c) != sums[i.Generation] {
				t.Fatalf("seed %d: generation %d: %v, or another sum than was put", seed, i.Generation, err)
			}
		}
		for _, f := range disk.Files() {
			if strings.HasSuffix(f, ".new") {
				t.Fatalf("seed %d: %s was left", seed, f)
			}
		}
		if err := d.Close(); err != nil {
			t.Fatal(err)
		}
		w.follows = 0 // what it took before may be lost
	}
	if acknowledged == 0 {
		t.Errorf("seed %d: nothing was ever acknowledged", seed)
	}
}

// live puts checkpoints until the machine dies, and returns the last generation that was acknowledged.
func live(t *testing.T, r *rand.Rand, w *worker, cfg ft.DirConfig, sums map[uint64]uint64) (acknowledged uint64) {
	t.Helper()
	d, err := ft.OpenDir(cfg)
	for err == nil {
		w.work(r.IntN(50))
		kind := state.Delta
		if r.IntN(5) == 0 || w.follows == 0 {
			kind = state.Base
		}
		c := w.checkpoint(kind)
		sums[c.Generation] = w.sum()
		if err = d.Put(t.Context(), w.id, c.Generation, c.Follows, c.Append(nil)); err == nil {
			acknowledged = c.Generation
			err = d.Fold(t.Context(), w.id)
		}
	}
	if !errors.Is(err, fttest.ErrCrashed) {
		t.Fatalf("%v, want a crash", err)
	}
	return acknowledged
}
