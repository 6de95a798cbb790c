package main

import (
	"bytes"
	"io"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
)

func TestHelpHasExamples(t *testing.T) {
	for _, command := range []string{"lr generate", "lr history", "lr run", "lr validate", "bench lr", "bench wordcount", "bench topk", "bench compare",
		"coordinator", "worker", "submit", "status", "top", "profile", "drain", "cancel",
		"rescale", "rebalance", "migrate", "events", "worker drain"} {
		got := spate(t, append(strings.Fields(command), "--help")...)
		got.want(t, 0)
		// The first mention is the usage line.
		if strings.Count(got.stdout, "spate "+command+" ") < 2 {
			t.Errorf("help of %s shows no example:\n%s", command, got.stdout)
		}
	}
	top := spate(t, "--help")
	top.want(t, 0)
	if !strings.Contains(top.stdout, "3 answers wrong") {
		t.Errorf("help does not name the exit codes:\n%s", top.stdout)
	}
}

func TestVersion(t *testing.T) {
	text := spate(t, "version")
	text.want(t, 0)
	if !strings.HasPrefix(text.stdout, "spate\n") || !strings.Contains(text.stdout, "go1.") {
		t.Errorf("printed\n%s", text.stdout)
	}
	o := spate(t, "--json", "version").object(t, "spate.version/1")
	for _, name := range []string{"version", "commit", "go", "machine"} {
		if s, _ := o[name].(string); s == "" {
			t.Errorf("%s is %v", name, o[name])
		}
	}
}

func TestUsage(t *testing.T) {
	out := filepath.Join(t.TempDir(), "out.dat")
	tests := []struct {
		args   string
		stderr string
	}{
		{"", "lr"},
		{"dance", "dance"},
		{"lr generate", "--out"},
		{"lr generate --seed 1 --xways 1 --out", "--out"},
		{"lr generate --seed 1 --xways one --out " + out, "--xways"},
		{"lr generate --seed 1 --xways 0 --out " + out, "--xways is 0"},
		{"lr generate --seed 1 --xways 5000 --out " + out, "--xways is 5000"},
		{"lr generate --seed -1 --xways 1 --out " + out, "--seed"},
		{"lr generate --seed 1 --xways 1 --from 600 --to 10m --out " + out, "--from 600 is not before --to 600"},
		{"lr generate --seed 1 --xways 1 --to 4h --out " + out, "10800"},
		{"lr generate --seed 1 --xways 1 --to 1.5s --out " + out, "90m"},
		{"lr generate --seed 1 --xways 1 --fast --out " + out, "--fast"},
		{"lr validate --input x", "--results"},
		{"lr validate --input x --results y --rules mine", "paper"},
		{"bench compare a.json", "b.json"},
	}
	for _, tt := range tests {
		got := spate(t, strings.Fields(tt.args)...)
		if got.code != 2 || !strings.Contains(got.stderr, tt.stderr) || !strings.Contains(got.stderr, "--help") || got.stdout != "" {
			t.Errorf("spate %s: exit code %d, want 2 and %q\n%s%s", tt.args, got.code, tt.stderr, got.stdout, got.stderr)
		}
	}
	if _, err := os.Stat(out); err == nil {
		t.Error("a command with wrong flags wrote its file")
	}
}

func TestGenerate(t *testing.T) {
	dir := t.TempDir()
	a, b := filepath.Join(dir, "a.dat"), filepath.Join(dir, "b.dat")
	text := spate(t, "lr", "generate", "--xways", "2", "--seed", "7", "--from", "10m", "--to", "620", "--out", a)
	text.want(t, 0)
	if !strings.Contains(text.stdout, a) || !strings.Contains(text.stdout, "tuples") {
		t.Errorf("printed\n%s", text.stdout)
	}
	o := spate(t, "lr", "generate", "--xways", "2", "--seed", "7", "--from", "600", "--to", "620s", "--out", b, "--json").object(t, "spate.lr.generate/1")
	da, err := os.ReadFile(a)
	if err != nil {
		t.Fatal(err)
	}
	db, err := os.ReadFile(b)
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(da, db) || len(da) == 0 {
		t.Errorf("the same traffic twice gives %d and %d bytes, or other ones", len(da), len(db))
	}
	if lines := bytes.Count(db, []byte("\n")); o["tuples"] != float64(lines) || o["bytes"] != float64(len(db)) {
		t.Errorf("result says %v tuples and %v bytes, the file has %d and %d", o["tuples"], o["bytes"], lines, len(db))
	}
	leftovers(t, dir)
}

func TestHistory(t *testing.T) {
	name := filepath.Join(t.TempDir(), "history.csv")
	o := spate(t, "lr", "history", "--xways", "1", "--seed", "7", "--out", name, "--json").object(t, "spate.lr.history/1")
	data, err := os.ReadFile(name)
	if err != nil {
		t.Fatal(err)
	}
	if rows := bytes.Count(data, []byte("\n")); rows < 69 || o["rows"] != float64(rows) {
		t.Errorf("result says %v rows, the file has %d", o["rows"], rows)
	}
}

func TestGenerateFails(t *testing.T) {
	dir := t.TempDir()
	missing := filepath.Join(dir, "missing", "out.dat")
	generate := func(out string) ended {
		return spate(t, "lr", "generate", "--xways", "1", "--seed", "1", "--from", "90m", "--to", "5500", "--out", out)
	}
	generate(missing).want(t, 1, missing)
	generate(dir).want(t, 1, dir, "folder")
	generate("/dev/full").want(t, 1, "/dev/full", "no space left")
	if os.Geteuid() != 0 {
		locked := filepath.Join(dir, "locked")
		if err := os.Mkdir(locked, 0o555); err != nil {
			t.Fatal(err)
		}
		generate(filepath.Join(locked, "out.dat")).want(t, 1, locked, "permission")
	}
}

func TestInterruptLeavesNoFile(t *testing.T) {
	dir := t.TempDir()
	name := filepath.Join(dir, "traffic.dat")
	c := process(t, "lr", "generate", "--xways", "100", "--seed", "1", "--out", name)
	got := interrupt(t, c, syscall.SIGINT, func() bool { return exists(name + ".partial") })
	got.want(t, 1, "interrupted")
	if exists(name) {
		t.Error("an interrupted command left a file that looks whole")
	}
	leftovers(t, dir)
}

func TestClosedPipeIsQuiet(t *testing.T) {
	for _, args := range [][]string{
		{"version"},
		{"lr", "generate", "--xways", "1", "--seed", "1", "--out", "/dev/stdout"},
	} {
		c := process(t, args...)
		read, err := c.StdoutPipe()
		if err != nil {
			t.Fatal(err)
		}
		var stderr strings.Builder
		c.Stderr = &stderr
		if len(args) == 1 {
			read.Close() // before the program can write
		}
		if err := c.Start(); err != nil {
			t.Fatal(err)
		}
		if len(args) > 1 {
			if _, err := io.ReadFull(read, make([]byte, 1000)); err != nil {
				t.Error(err)
			}
			read.Close()
		}
		c.Wait()
		if code := c.ProcessState.ExitCode(); code != 1 || stderr.Len() > 0 {
			t.Errorf("%v: exit code %d, want 1, and nothing on standard error:\n%s", args, code, stderr.String())
		}
	}
}
