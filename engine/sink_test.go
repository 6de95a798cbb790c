package engine_test

import (
	"context"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/fullspate/spate/engine"
	"github.com/fullspate/spate/ft/flock"
)

// TestFileTakenOver restores a file that a process still has which was given up for lost. What that one writes from then on
// is in nobody's way.
func TestFileTakenOver(t *testing.T) {
	if !flock.Supported {
		t.Skip("this system has no locks")
	}
	path := filepath.Join(t.TempDir(), "out")
	line := func(dst []byte, _ *engine.Ctx, v *Word) []byte {
		return append(dst, strings.TrimRight(string(v.Text[:]), "\x00")+"\n"...)
	}
	open := func() engine.SinkWriter[Word] {
		t.Helper()
		w, err := engine.FileWriter(engine.SinkPart{Of: 1}, path, line)
		if err != nil {
			t.Fatal(err)
		}
		return w
	}
	write := func(w engine.SinkWriter[Word], s string) {
		var v Word
		copy(v.Text[:], s)
		w.Write(nil, &v)
	}
	zombie := open()
	write(zombie, "one")
	mark, err := zombie.Commit(1)
	if err != nil {
		t.Fatal(err)
	}
	write(zombie, "two")
	if err := zombie.Flush(); err != nil {
		t.Fatal(err)
	}
	heir := open()
	if err := heir.Restore(mark); err != nil {
		t.Fatal(err)
	}
	write(heir, "TWO")
	if _, err := heir.Commit(2); err != nil {
		t.Fatal(err)
	}
	write(zombie, "three")
	if err := zombie.Close(); err != nil {
		t.Fatal(err)
	}
	write(heir, "THREE")
	if err := heir.Close(); err != nil {
		t.Fatal(err)
	}
	if got, err := os.ReadFile(path); err != nil || string(got) != "one\nTWO\nTHREE\n" {
		t.Fatalf("the file has %q, %v; want what the heir wrote after what was committed", got, err)
	}
	if left, err := filepath.Glob(path + ".*"); err != nil || len(left) > 0 {
		t.Errorf("left behind: %v, %v", left, err)
	}
}

// TestFileBegunAnew has an heir to whom nothing was left begin a file that a process still has.
func TestFileBegunAnew(t *testing.T) {
	if !flock.Supported {
		t.Skip("this system has no locks")
	}
	path := filepath.Join(t.TempDir(), "out")
	line := func(dst []byte, _ *engine.Ctx, v *Word) []byte { return append(dst, v.Text[0], '\n') }
	var writers []engine.SinkWriter[Word]
	for _, heir := range []bool{false, true} {
		w, err := engine.FileWriter(engine.SinkPart{Of: 1, Heir: heir}, path, line)
		if err != nil {
			t.Fatal(err)
		}
		writers = append(writers, w)
		for _, c := range "abc" {
			w.Write(nil, &Word{Text: [16]byte{byte(c)}})
		}
		if _, err := w.Commit(1); err != nil {
			t.Fatal(err)
		}
	}
	writers[0].Write(nil, &Word{Text: [16]byte{'d'}})
	for _, w := range writers {
		if err := w.Close(); err != nil {
			t.Fatal(err)
		}
	}
	if got, err := os.ReadFile(path); err != nil || string(got) != "a\nb\nc\n" {
		t.Fatalf("the file has %q, %v; want what the heir wrote", got, err)
	}
}

// TestFileLocked has two runs that are to write one file, which the second is refused.
func TestFileLocked(t *testing.T) {
	if !flock.Supported {
		t.Skip("this system has no locks")
	}
	path := filepath.Join(t.TempDir(), "out")
	f, err := flock.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	_, err = engine.Run(context.Background(), durableGraph(path, 10_000), engine.Config{})
	if err == nil || !strings.Contains(err.Error(), "locked by another process") {
		t.Fatalf("a file that another process writes is written: %v", err)
	}
}
