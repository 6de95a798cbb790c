package main

import (
	"bytes"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// line is one tuple of an input.
const line = "0,0,1,30,0,0,0,5,27000,-1,-1,-1,-1,-1,-1\n"

// TestFilesAreKeptApart names a file for two purposes.
func TestFilesAreKeptApart(t *testing.T) {
	t.Chdir(t.TempDir())
	for _, name := range []string{"in.dat", "history.csv"} {
		if err := os.WriteFile(name, []byte(line), 0o666); err != nil {
			t.Fatal(err)
		}
	}
	if err := os.Symlink(".", "here"); err != nil {
		t.Fatal(err)
	}
	const run = "lr run --input in.dat --history history.csv --out new "
	for args, parts := range map[string][]string{
		run + "--trace in.dat":                             {"--trace", "--input", "in.dat"},
		run + "--memprofile here/in.dat":                   {"--memprofile", "--input"},
		run + "--cpuprofile history.csv":                   {"--cpuprofile", "--history"},
		run + "--cpuprofile new/tolls.csv":                 {"--cpuprofile", "--out"},
		run + "--trace here/new/summary.json":              {"--trace", "--out"},
		run + "--cpuprofile prof --memprofile ./prof":      {"--cpuprofile", "--memprofile", "prof"},
		run + "--trace t --memprofile t.stall-1":           {"--trace", "--memprofile"},
		"bench lr --pace 1 --hdr x --trace x":              {"--hdr", "--trace"},
		"bench topk --pace 1 --hdr x --trace x.partial":    {"--hdr", "--trace"},
		"bench hops --hdr x --cpuprofile here/x":           {"--hdr", "--cpuprofile"},
		"bench keyed --memprofile x --cpuprofile here/x":   {"--memprofile", "--cpuprofile"},
		"bench plot --out here/in.dat in.dat history.csv ": {"--out", "in.dat"},
	} {
		spate(t, strings.Fields(args)...).want(t, 2, parts...)
	}
	left, err := filepath.Glob("*")
	if err != nil || len(left) != 3 {
		t.Errorf("there are %v: something was opened, %v", left, err)
	}
	for _, name := range []string{"in.dat", "history.csv"} {
		if text, err := os.ReadFile(name); err != nil || string(text) != line {
			t.Errorf("%s was overwritten: %q, %v", name, text, err)
		}
	}
	spate(t, strings.Fields("lr run --input in.dat --out new --cpuprofile /dev/null --memprofile /dev/null")...).want(t, 0)
}

// TestFailedRunLeavesNoOldAnswers runs into a folder with the answers of an earlier run.
func TestFailedRunLeavesNoOldAnswers(t *testing.T) {
	good, bad := write(t, "good.dat", line), write(t, "bad.dat", line+"nonsense\n")
	for _, input := range []string{bad, "missing.dat"} {
		out := t.TempDir()
		spate(t, "lr", "run", "--input", good, "--out", out).want(t, 0)
		spate(t, "lr", "validate", "--input", good, "--results", out).want(t, 0)
		spate(t, "lr", "run", "--input", input, "--out", out).want(t, 1, input)
		if got := spate(t, "lr", "validate", "--input", good, "--results", out); got.code == 0 {
			t.Errorf("after a run of %s failed, the answers of the run before are valid", input)
		}
		for _, name := range []string{"summary.json", "balances.csv"} {
			if info, err := os.Stat(filepath.Join(out, name)); err == nil && info.Size() > 0 {
				t.Errorf("%s is left", name)
			}
		}
	}
}

// TestProfileOnAFullDisk fails, though what runtime/pprof says of it is nothing.
func TestProfileOnAFullDisk(t *testing.T) {
	const full = "/dev/full"
	if _, err := os.Stat(full); err != nil {
		t.Skipf("%v: this test needs a device that is always full", err)
	}
	input := write(t, "in.dat", line)
	spate(t, "lr", "run", "--input", input, "--out", t.TempDir(), "--cpuprofile", full).want(t, 1, full, "no space left")
}

// TestHelpOnAFullDisk is no fault of the flags.
func TestHelpOnAFullDisk(t *testing.T) {
	full, err := os.OpenFile("/dev/full", os.O_WRONLY, 0)
	if err != nil {
		t.Skipf("%v: this test needs a device that is always full", err)
	}
	defer full.Close()
	for _, args := range []string{"--help", "lr run --help", "version"} {
		var stderr bytes.Buffer
		c := process(t, strings.Fields(args)...)
		c.Stdout, c.Stderr = full, &stderr
		c.Run() // its error says no more than the exit code
		if code := c.ProcessState.ExitCode(); code != 1 || !strings.Contains(stderr.String(), "no space left") {
			t.Errorf("%s: exit code %d, want 1\n%s", args, code, stderr.String())
		}
	}
}

// TestEveryFaultHasThePrefix gives several wrong flags.
func TestEveryFaultHasThePrefix(t *testing.T) {
	got := spate(t, strings.Fields("lr run --input x --out y --loops 0 --pace=-1 --cpuprofile p --trace p")...)
	got.want(t, 2, "--loops", "--pace", "--trace")
	lines := strings.Split(strings.TrimSpace(got.stderr), "\n")
	for _, line := range lines[:len(lines)-1] {
		if !strings.HasPrefix(line, "spate: lr run: --") {
			t.Errorf("a line of standard error does not say whose it is: %q", line)
		}
	}
}
