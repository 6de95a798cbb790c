//go:build linux

package main

import (
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// TestRunFromASavepoint takes a savepoint of a run, and starts others from it behind the same answers, with other tasks: what they
// write is what the one run has written.
func TestRunFromASavepoint(t *testing.T) {
	input, dir := dense(t), t.TempDir()
	point, plain, out := filepath.Join(dir, "points", "one"), filepath.Join(dir, "plain"), filepath.Join(dir, "out")
	args := func(out string, more ...string) []string {
		return append([]string{"lr", "run", "--input", input, "--out", out, "--loops", "2"}, more...)
	}
	spate(t, args(plain)...).want(t, 0)
	want := answersOf(t, plain)
	same := func(what string) {
		t.Helper()
		for name, lines := range answersOf(t, out) {
			if string(lines) != string(want[name]) {
				t.Errorf("%s: %s differs from that of one run: %d bytes, want %d", what, name, len(lines), len(want[name]))
			}
		}
	}
	if e := spate(t, args(out, "--savepoint", point, "--savepoint-at", "9100")...); e.code != 0 || !strings.Contains(e.stdout, "savepoint    "+point) {
		t.Fatalf("%+v", e)
	}
	same("the run that a savepoint is taken of")
	for _, more := range []string{"--loops 1", "--parallelism calculator=3,account=2", "--loops 3 --checkpoints " + filepath.Join(dir, "checkpoints")} {
		e := spate(t, args(out, slices.Concat([]string{"--from-savepoint", point}, strings.Fields(more))...)...)
		if e.code != 0 || !strings.Contains(e.stderr, "going on at second 9") {
			t.Fatalf("%s: exit code %d\n%s", more, e.code, e.stderr)
		}
		same(more)
	}
	list := spate(t, "savepoint", "list", filepath.Dir(point))
	if list.code != 0 || !strings.Contains(list.stdout, point) || !strings.Contains(list.stdout, "linearroad-file") {
		t.Errorf("%+v", list)
	}
	if e := spate(t, "savepoint", "inspect", point); e.code != 0 || !strings.Contains(e.stdout, "calculator  process, key uint64, 2 tasks") {
		t.Errorf("%+v", e)
	}
	if e := spate(t, "state", "inspect", point, "--task", "assessment/1", "--json"); e.code != 0 || !strings.Contains(e.stdout, `"accounts"`) {
		t.Errorf("%+v", e)
	}
	spate(t, args(out, "--savepoint", point, "--savepoint-at", "9100")...).want(t, 1, "already exists")
	spate(t, args(out, "--rules", "official", "--from-savepoint", point)...).want(t, 1, "computes something else")
	spate(t, args(out, "--savepoint", point)...).want(t, 2, "belong together")
	spate(t, args(out, "--from-savepoint", point, "--workers", "2")...).want(t, 2, "savepoints are of runs in this process")
}
