//go:build linux

package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"
)

// busy is traffic that takes some seconds to run with checkpoints, with a line that is none in it, and a history.
func busy(t *testing.T) (input, history string) {
	t.Helper()
	input = filepath.Join(t.TempDir(), "input.dat")
	spate(t, strings.Fields("lr generate --xways 1 --seed 12 --from 9000 --to 9420 --out "+input)...).want(t, 0)
	text, err := os.ReadFile(input)
	if err != nil {
		t.Fatal(err)
	}
	half := len(text)/2 + strings.IndexByte(string(text[len(text)/2:]), '\n') + 1
	text = append(append(append([]byte(nil), text[:half]...), "nonsense\n"...), text[half:]...)
	if err := os.WriteFile(input, text, 0o666); err != nil {
		t.Fatal(err)
	}
	return input, write(t, "history.csv", "1,1,0,7\n2,3,1,9\n")
}

// resumable is a run with checkpoints, and what it should come to.
type resumable struct {
	t       *testing.T
	args    []string
	out     string
	answers map[string][]byte
	summary map[string]any
}

func resumableRun(t *testing.T) *resumable {
	t.Helper()
	input, history := busy(t)
	dir := t.TempDir()
	plain := filepath.Join(dir, "plain")
	args := []string{"lr", "run", "--input", input, "--history", history, "--skip-bad", "--loops", "2", "--out"}
	spate(t, append(args, plain)...).want(t, 0)
	r := &resumable{t: t, out: filepath.Join(dir, "out"), answers: answersOf(t, plain), summary: lasting(t, plain)}
	if r.summary["skipped_lines"] != 1.0 || r.summary["history_rows"] != 2.0 || r.summary["reports"] == 0.0 {
		t.Fatalf("the plain run has %v", r.summary)
	}
	r.args = slices.Clip(append(args, r.out, "--checkpoints", filepath.Join(dir, "checkpoints"), "--checkpoint-interval", "10ms"))
	return r
}

// checkpoints is the folder for them.
func (r *resumable) checkpoints() string { return r.args[len(r.args)-3] }

// lasting are the members of a summary that do not depend on the time and memory that the run took.
func lasting(t *testing.T, dir string) map[string]any {
	t.Helper()
	text, err := os.ReadFile(filepath.Join(dir, "summary.json"))
	if err != nil {
		t.Fatal(err)
	}
	var s map[string]any
	if err := json.Unmarshal(text, &s); err != nil {
		t.Fatal(err)
	}
	for _, name := range strings.Fields(`seconds reports_per_s state_bytes state_bytes_per_vehicle rss_bytes allocs_per_report cpu_ns_per_report
		history_seconds history_late_s checkpoints resumed_at warm_up_measured`) {
		delete(s, name)
	}
	return s
}

// size is how much of the tolls is in their file.
func (r *resumable) size() int64 {
	info, err := os.Stat(filepath.Join(r.out, "tolls.csv"))
	if err != nil {
		return 0
	}
	return info.Size()
}

// stop starts the run, and sends it a signal when it has written so much. It says whether it has ended before.
func (r *resumable) stop(signal os.Signal, at int64) (e ended, over bool) {
	r.t.Helper()
	c := process(r.t, r.args...)
	end := start(r.t, c)
	r.underWay(c)
	for r.size() < at && !hasEnded(c) {
		time.Sleep(time.Millisecond)
	}
	if err := c.Process.Signal(signal); err != nil && !errors.Is(err, os.ErrProcessDone) {
		r.t.Fatal(err)
	}
	e = end()
	return e, e.code == 0
}

// underWay waits until a process has the checkpoints.
func (r *resumable) underWay(c *exec.Cmd) {
	r.t.Helper()
	for !holdsLock(r.t, c) && !hasEnded(c) {
		time.Sleep(time.Millisecond)
	}
}

// hasEnded says whether a process has ended, before it is waited for.
func hasEnded(c *exec.Cmd) bool {
	text, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", c.Process.Pid))
	return errors.Is(err, fs.ErrNotExist) || strings.Contains(string(text), ") Z ")
}

// finish runs it to its end, and expects what one run comes to.
func (r *resumable) finish() {
	r.t.Helper()
	last := spate(r.t, r.args...)
	if last.code != 0 || !strings.Contains(last.stderr, "going on at second 9") || !strings.Contains(last.stdout, "resumed ") {
		r.t.Fatalf("exit code %d\n%s%s", last.code, last.stdout, last.stderr)
	}
	r.check()
}

func (r *resumable) check() {
	r.t.Helper()
	for name, lines := range answersOf(r.t, r.out) {
		if string(lines) != string(r.answers[name]) {
			r.t.Errorf("%s differs from that of one run: %d bytes, want %d", name, len(lines), len(r.answers[name]))
		}
	}
	if s := lasting(r.t, r.out); !reflect.DeepEqual(s, r.summary) {
		r.t.Errorf("summary %v\nwant %v", s, r.summary)
	}
	spate(r.t, "lr", "validate", "--input", r.args[3], "--history", r.args[5], "--results", r.out).want(r.t, 0)
}

// TestRunGoesOn ends a run in one way or another, again and again.
func TestRunGoesOn(t *testing.T) {
	if testing.Short() {
		t.Skip("it takes 20 s")
	}
	seed := uint64(time.Now().UnixNano())
	t.Logf("seed %d", seed)
	random := rand.New(rand.NewPCG(seed, 1))
	for _, signal := range []syscall.Signal{syscall.SIGKILL, syscall.SIGTERM, syscall.SIGINT} {
		t.Run(signal.String(), func(t *testing.T) {
			r := resumableRun(t)
			whole := int64(len(r.answers["tolls.csv"]))
			const deaths = 7
			times, resumed := 0, 0
			for i := range int64(deaths) {
				e, over := r.stop(signal, whole*i/(deaths+1)+random.Int64N(whole/(deaths+1)))
				if over {
					t.Logf("it has come to its end before it could be ended %d times", i+1)
					break
				}
				times++
				if signal != syscall.SIGKILL {
					e.want(t, 1, "interrupted")
				}
				if strings.Contains(e.stderr, "going on at second") {
					resumed++
				}
			}
			if times < 5 || resumed < 3 {
				t.Fatalf("it was ended %d times, and %d of those had gone on", times, resumed)
			}
			r.finish()
		})
	}
}

// TestCheckpointsAreOfOneRun has others use the folder of an interrupted run, and of one that is under way.
func TestCheckpointsAreOfOneRun(t *testing.T) {
	r := resumableRun(t)
	whole := int64(len(r.answers["tolls.csv"]))
	if e, over := r.stop(syscall.SIGINT, whole/2); over {
		t.Fatalf("it was not interrupted:\n%s", e.stdout)
	}
	for _, args := range [][]string{{"--rules", "official"}, {"--pace", "100"}, {"--input", dense(t)}, {"--out", t.TempDir()}} {
		spate(t, append(r.args, args...)...).want(t, 1, "another graph, or of a job with it that computes something else", r.checkpoints())
	}
	spate(t, append(r.args, "--workers", "2")...).want(t, 2, "--checkpoints is for runs in this process")
	spate(t, append(r.args, "--out", r.checkpoints())...).want(t, 2, "a folder of their own")
	c := process(t, r.args...)
	end := start(t, c)
	r.underWay(c)
	if err := c.Process.Signal(syscall.SIGSTOP); err != nil {
		t.Fatal(err)
	}
	second := spate(t, r.args...)
	if err := c.Process.Signal(syscall.SIGCONT); err != nil {
		t.Fatal(err)
	}
	second.want(t, 1, "locked by another process")
	if e := end(); e.code != 0 {
		t.Fatalf("exit code %d\n%s", e.code, e.stderr)
	}
	r.check()
	spate(t, append(r.args, "--input", dense(t))...).want(t, 0) // now that it has come to its end
}

// holdsLock says whether a process holds a lock on a file. Trying the lock would keep the process from it.
func holdsLock(t *testing.T, c *exec.Cmd) bool {
	t.Helper()
	text, err := os.ReadFile("/proc/locks")
	if err != nil {
		t.Skipf("nobody says who has locked a file: %v", err)
	}
	return strings.Contains(string(text), fmt.Sprintf(" FLOCK  ADVISORY  WRITE %d ", c.Process.Pid))
}

// diskBytes is room for all checkpoints of a resumableRun.
const diskBytes = 192 << 20

// TestCheckpointsOnAFullDisk fails at once where not even the folder can be made. Where there is no room later the run says so,
// tries again, and comes to its end when there is some.
func TestCheckpointsOnAFullDisk(t *testing.T) {
	disk := t.TempDir()
	if err := syscall.Mount("tmpfs", disk, "tmpfs", 0, fmt.Sprintf("size=%d", diskBytes)); err != nil {
		t.Skipf("no disk of this test's own: mount: %v", err)
	}
	t.Cleanup(func() {
		if err := syscall.Unmount(disk, 0); err != nil {
			t.Error(err)
		}
	})
	r := resumableRun(t)
	args := append(slices.Clone(r.args[:len(r.args)-3]), filepath.Join(disk, "checkpoints"), "--checkpoint-interval", "100ms")
	filler := filepath.Join(disk, "filler")
	fill(t, filler, diskBytes)
	spate(t, args...).want(t, 1, disk, "no space left")
	if err := os.Truncate(filler, diskBytes-64<<10); err != nil {
		t.Fatal(err)
	}
	c := process(t, args...)
	stderr := new(watched)
	c.Stderr = stderr
	if err := c.Start(); err != nil {
		t.Fatal(err)
	}
	for !stderr.contains("checkpoint failed") && !hasEnded(c) {
		time.Sleep(time.Millisecond)
	}
	if err := os.Remove(filler); err != nil {
		t.Fatal(err)
	}
	if err := c.Wait(); err != nil || !stderr.contains("no space left") {
		t.Fatalf("%v\n%s", err, stderr)
	}
	r.check()
}

// fill makes a file of so many bytes, or as many as there is room for.
func fill(t *testing.T, name string, bytes int) {
	t.Helper()
	if err := os.WriteFile(name, make([]byte, bytes), 0o600); err != nil && !errors.Is(err, syscall.ENOSPC) {
		t.Fatal(err)
	}
}

// watched is standard error that is looked at while it is written.
type watched struct {
	mu   sync.Mutex
	text strings.Builder // guarded by mu
}

func (w *watched) Write(p []byte) (int, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.text.Write(p)
}

func (w *watched) String() string {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.text.String()
}

func (w *watched) contains(part string) bool { return strings.Contains(w.String(), part) }
