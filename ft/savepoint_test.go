package ft_test

import (
	"encoding/json"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/fullspate/spate/ft"
	"github.com/fullspate/spate/ft/flock"
	"github.com/fullspate/spate/ft/fttest"
	"github.com/fullspate/spate/partition"
	"github.com/fullspate/spate/state"
)

// cut is a job of an operator with two tables and a source, cut at one position.
type cut struct {
	info  ft.SavepointInfo
	tasks []*ft.Checkpoint
	sum   uint64 // of the first table
}

func newCut(t testing.TB, tasks int) *cut {
	t.Helper()
	w := newWorker(t, task("count"), 8)
	w.work(500)
	c := &cut{sum: w.sum()}
	whole := w.checkpoint(state.Base)
	whole.Generation, whole.Logs = 0, nil
	pieces, err := ft.Repartition([]*ft.Checkpoint{whole}, partition.Even(tasks))
	if err != nil {
		t.Fatal(err)
	}
	source := &ft.Checkpoint{Operator: "words", Range: partition.Full(), Position: whole.Position, Splits: []ft.SplitState{{Ordinal: 3}}}
	c.tasks = append([]*ft.Checkpoint{source}, pieces...)
	info, err := ft.DecodeInfo(whole.Append(nil))
	if err != nil {
		t.Fatal(err)
	}
	counter := ft.OperatorInfo{ID: "count", Kind: "process", Key: "uint64"}
	for i, name := range []string{"accounts", "timers"} {
		counter.Tables = append(counter.Tables, ft.SchemaInfo{Name: name, Key: "uint64", Sub: "none", ValueSize: 16, Fingerprint: ft.Hex(info.Tables[i].Fingerprint)})
	}
	c.info = ft.SavepointInfo{
		Created: time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC), Key: 7,
		Job: ft.JobInfo{Graph: "g", Fingerprint: 9, Operators: []ft.OperatorInfo{{ID: "words", Kind: "source", Key: "none"}, counter}},
	}
	return c
}

// write writes it.
func (c *cut) write(fsys ft.FS, path string) (ft.SavepointInfo, error) {
	w, err := ft.CreateSavepoint(fsys, path, c.info)
	if err != nil {
		return ft.SavepointInfo{}, err
	}
	for _, p := range c.tasks {
		if err := w.Put(p); err != nil {
			return ft.SavepointInfo{}, errors.Join(err, w.Abort())
		}
	}
	return w.Commit(c.tasks[0].Position)
}

// read reads all of it and says whether it is what was written.
func (c *cut) read(fsys ft.FS, path string) error {
	s, err := ft.OpenSavepoint(fsys, path)
	if err != nil {
		return err
	}
	pieces, err := s.Read("count")
	if err != nil {
		return err
	}
	merged, err := ft.Merge(pieces, partition.Full())
	if err != nil {
		return err
	}
	info, err := state.Verify(merged.Tables[0])
	if err != nil || info.Checksum != c.sum {
		return errors.Join(errors.New("another sum"), err)
	}
	source, err := s.Read("words")
	if err != nil || len(source) != 1 || len(source[0].Splits) != 1 || source[0].Splits[0].Ordinal != 3 {
		return errors.Join(errors.New("other splits"), err)
	}
	return nil
}

func TestSavepoint(t *testing.T) {
	c := newCut(t, 3)
	path := filepath.Join(t.TempDir(), "new", "point")
	info, err := c.write(nil, path)
	if err != nil {
		t.Fatal(err)
	}
	if err := c.read(nil, path); err != nil {
		t.Fatal(err)
	}
	if info.Parallelism("count") != 3 || info.Parallelism("words") != 1 || info.Tasks[0].Operator != "words" || info.Bytes == 0 || info.At != "0.001s/0#0" {
		t.Errorf("%+v", info)
	}
	if left, err := os.ReadDir(filepath.Dir(path)); err != nil || len(left) != 1 {
		t.Errorf("beside it there are %v, %v", left, err)
	}
	if _, err := c.write(nil, path); !errors.Is(err, fs.ErrExist) {
		t.Errorf("a second one at its path: %v", err)
	}
	other := filepath.Join(t.TempDir(), "other")
	w, err := ft.CreateSavepoint(nil, other, c.info)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := ft.CreateSavepoint(nil, other, c.info); flock.Supported && !errors.Is(err, flock.ErrLocked) {
		t.Errorf("two writers at one path: %v", err)
	}
	if err := errors.Join(w.Put(c.tasks[0]), w.Abort()); err != nil {
		t.Fatal(err)
	}
	if left, err := os.ReadDir(filepath.Dir(other)); err != nil || len(left) != 0 {
		t.Errorf("what was given up has left %v, %v", left, err)
	}
}

// TestSavepointRefusals spoils what is written, and what was.
func TestSavepointRefusals(t *testing.T) {
	for want, spoil := range map[string]func(c *cut){
		"words":                  func(c *cut) { c.tasks = c.tasks[:1]; c.tasks[0].Range = partition.Even(2)[0] },
		"of which it says":       func(c *cut) { c.info.Job.Operators = c.info.Job.Operators[1:] },
		"must begin where":       func(c *cut) { c.tasks = append(c.tasks[:1:1], c.tasks[2:]...) },
		"of which none are want": func(c *cut) { c.tasks[0].Logs = []ft.LogImage{{}} },
	} {
		bad := newCut(t, 3)
		spoil(bad)
		disk := fttest.NewDisk(1)
		if _, err := bad.write(disk, "/point"); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("got %v, want %q", err, want)
		}
		if files := disk.Files(); len(files) > 0 {
			t.Errorf("%q has left %v", want, files)
		}
	}
	for want, spoil := range map[string]func(dir string, info *ft.SavepointInfo){
		"is no savepoint":          func(dir string, _ *ft.SavepointInfo) { os.Remove(filepath.Join(dir, "savepoint.json")) },
		"format 2":                 func(_ string, i *ft.SavepointInfo) { i.Format = 2 },
		"must be in":               func(_ string, i *ft.SavepointInfo) { i.Tasks[1].File = "../elsewhere" },
		"no such file":             func(dir string, i *ft.SavepointInfo) { os.Remove(filepath.Join(dir, i.Tasks[2].File)) },
		"must have that of \"acco": func(_ string, i *ft.SavepointInfo) { i.Job.Operators[1].Tables[0].Fingerprint++ },
		"must have 1":              func(_ string, i *ft.SavepointInfo) { i.Job.Operators[1].Tables = i.Job.Operators[1].Tables[:1] },
		"must be of":               func(_ string, i *ft.SavepointInfo) { i.Position++ },
		"with the checksum":        func(_ string, i *ft.SavepointInfo) { i.Tasks[1].Sum++ },
		"at most":                  func(_ string, i *ft.SavepointInfo) { i.Tasks[1].Bytes-- },
		"16 hexadecimal digits":    func(dir string, _ *ft.SavepointInfo) { replace(t, dir, `"fingerprint": "0000`, `"fingerprint": "`) },
		"invalid character":        func(dir string, _ *ft.SavepointInfo) { replace(t, dir, `"format"`, `format`) },
	} {
		c, path := newCut(t, 2), filepath.Join(t.TempDir(), "point")
		info, err := c.write(nil, path)
		if err != nil {
			t.Fatal(err)
		}
		before, _ := json.Marshal(info)
		spoil(path, &info)
		if after, _ := json.Marshal(info); string(after) != string(before) {
			if err := os.WriteFile(filepath.Join(path, "savepoint.json"), after, 0o600); err != nil {
				t.Fatal(err)
			}
		}
		if err := c.read(nil, path); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("got %v, want %q", err, want)
		}
	}
}

// replace changes the manifest of a savepoint.
func replace(t *testing.T, dir, old, with string) {
	t.Helper()
	name := filepath.Join(dir, "savepoint.json")
	text, err := os.ReadFile(name)
	if err != nil || !strings.Contains(string(text), old) {
		t.Fatalf("%v, or no %s in %s", err, old, text)
	}
	if err := os.WriteFile(name, []byte(strings.Replace(string(text), old, with, 1)), 0o600); err != nil {
		t.Fatal(err)
	}
}

// TestSavepointCrash crashes at every operation of writing a savepoint: under its name there is all of it or nothing, all of it
// if it was said to be there, and a second try works.
func TestSavepointCrash(t *testing.T) {
	c := newCut(t, 2)
	whole, crashes := 0, 0
	for seed := range uint64(20) {
		for at := 1; ; at++ {
			disk := fttest.NewDisk(seed)
			disk.CrashAfter(at)
			_, err := c.write(disk, "/points/one")
			disk.Crash()
			there := c.read(disk, "/points/one")
			switch {
			case err == nil && there != nil:
				t.Fatalf("seed %d, crash at %d: it is lost: %v", seed, at, there)
			case there == nil:
				whole++
			case !errors.Is(there, fs.ErrNotExist):
				t.Fatalf("seed %d, crash at %d: half of it: %v", seed, at, there)
			default:
				if _, err := c.write(disk, "/points/one"); err != nil {
					t.Fatalf("seed %d, crash at %d: the second try: %v", seed, at, err)
				}
				if err := c.read(disk, "/points/one"); err != nil {
					t.Fatalf("seed %d, crash at %d: the second try: %v", seed, at, err)
				}
			}
			if err == nil {
				break
			}
			crashes++
		}
	}
	if crashes < 300 || whole < 25 { // of which 20 are those without a crash
		t.Errorf("%d crashes, %d of which left it whole", crashes, whole)
	}
}

// TestSavepointFullDisk writes where there is not enough room: nothing is left, and there is an error that says so.
func TestSavepointFullDisk(t *testing.T) {
	c := newCut(t, 2)
	disk := fttest.NewDisk(1)
	disk.SetCapacity(2000)
	if _, err := c.write(disk, "/point"); err == nil || !strings.Contains(err.Error(), "no space") {
		t.Errorf("got %v", err)
	}
	if files := disk.Files(); len(files) > 0 {
		t.Errorf("it has left %v", files)
	}
}

// TestView reads a directory of checkpoints while another has it, and changes nothing in it.
func TestView(t *testing.T) {
	disk := fttest.NewDisk(1)
	job := &ft.JobInfo{Graph: "g", Operators: []ft.OperatorInfo{{ID: "count"}}}
	d := openDir(t, ft.DirConfig{Path: "/job", FS: disk, Job: job})
	w := newWorker(t, task("count"), 1)
	for range 3 {
		w.work(100)
		store(t, d, w.checkpoint(state.Delta))
	}
	half, err := disk.Create("/job/count-0000000000000000-ffffffffffffffff/00000000000000000004.spck.new")
	if err != nil {
		t.Fatal(err)
	}
	if err := half.Close(); err != nil {
		t.Fatal(err)
	}
	before := disk.Files()
	v, err := ft.ViewDir(ft.DirConfig{Path: "/job", FS: disk})
	if err != nil {
		t.Fatal(err)
	}
	infos, err := v.Generations(t.Context(), w.id)
	if err != nil || len(infos) == 0 || infos[0].Generation != 3 || v.Job().Graph != "g" {
		t.Fatalf("%v, %v of %+v", infos, err, v.Job())
	}
	c, err := v.Get(t.Context(), w.id, 3)
	if err != nil || sumOf(t, c) != w.sum() {
		t.Fatalf("%v, or another sum", err)
	}
	if after := disk.Files(); strings.Join(after, " ") != strings.Join(before, " ") {
		t.Errorf("files were %v, are %v", before, after)
	}
	if err := d.Drop(t.Context(), w.id); err != nil {
		t.Fatal(err)
	}
	if _, err := v.Get(t.Context(), w.id, 3); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("what is gone: %v", err)
	}
	if _, err := ft.ViewDir(ft.DirConfig{Path: "/none", FS: disk}); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("no directory: %v", err)
	}
}
