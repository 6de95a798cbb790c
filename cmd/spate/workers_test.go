//go:build linux

package main

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"
)

// parallelisms are ways to spread the query: everything on every loop, and what is uneven over them.
var parallelisms = []string{
	"",
	"calculator=3,assessment=5,expenditure=2",
	"forwarder=2,calculator=1,account=4,assessment=2",
}

// TestAnswersAreTheSameOnWorkers: however many workers there are, whatever they speak over, and however the query is spread.
func TestAnswersAreTheSameOnWorkers(t *testing.T) {
	inputs := map[string][]string{
		"hostile": {"--input", dense(t, "--hostile"), "--history", write(t, "history.csv", "1,1,0,7\n2,3,1,9\n")},
	}
	if exists(genuine) {
		inputs["genuine"] = []string{
			"--input", filepath.Join(genuine, "lr3h_first324s.dat"), "--history", filepath.Join(genuine, "lr3h_first324s.tolls.csv"),
		}
	} else {
		t.Logf("there is no genuine traffic to run (%s): only generated traffic is", genuine)
	}
	for name, input := range inputs {
		want := runAnswers(t, append(input, "--loops", "1"))
		for workers := 1; workers <= 4; workers++ {
			for i, network := range []string{"tcp", "unix"} {
				for k, parallelism := range parallelisms {
					if testing.Short() && (workers+i)%len(parallelisms) != k {
						continue
					}
					args := append(input, "--workers", strconv.Itoa(workers), "--network", network)
					if parallelism != "" {
						args = append(args, "--parallelism", parallelism)
					}
					t.Run(fmt.Sprintf("%s/%d/%s/%s", name, workers, network, parallelism), func(t *testing.T) {
						sameAnswers(t, want, runAnswers(t, args))
					})
				}
			}
		}
	}
}

// runAnswers runs the query and returns its answers without emit. It sees to it that workers had something to say to each other.
func runAnswers(t *testing.T, args []string) map[string][]byte {
	t.Helper()
	out := t.TempDir()
	ran := spate(t, append([]string{"lr", "run", "--json", "--out", out}, args...)...)
	ran.want(t, 0)
	o := ran.object(t, "spate.lr.run/1")
	bytes, _ := o["link_bytes_per_report"].(float64)
	workers, _ := o["workers"].(float64)
	if (bytes > 0) != (workers > 1) {
		t.Errorf("%v workers sent each other %v bytes per report", workers, bytes)
	}
	t.Logf("%v workers, %.1f bytes per report between them", workers, bytes)
	return answersOf(t, out)
}

func sameAnswers(t *testing.T, want, got map[string][]byte) {
	t.Helper()
	for name, lines := range got {
		if !bytes.Equal(lines, want[name]) {
			t.Errorf("%s differs: %d bytes, want %d", name, len(lines), len(want[name]))
		}
	}
}

// early generates the first minutes of one expressway, for runs with a pace, and returns the file.
func early(t *testing.T, to string) string {
	t.Helper()
	input := filepath.Join(t.TempDir(), "early.dat")
	spate(t, strings.Fields("lr generate --xways 1 --seed 5 --hostile --from 0 --to "+to+" --out "+input)...).want(t, 0)
	return input
}

// slow are flags of a run that lasts for half a minute, on workers that it starts.
func slow(t *testing.T, workers int) (args []string, out string) {
	t.Helper()
	out = t.TempDir()
	flags := strings.Fields("lr run --pace 20 --heartbeat-timeout 1s --workers " + strconv.Itoa(workers))
	return append(flags, "--input", early(t, "600"), "--out", out), out
}

// TestWorkersEndWithTheirParent, however it ends.
func TestWorkersEndWithTheirParent(t *testing.T) {
	for _, signal := range []syscall.Signal{syscall.SIGINT, syscall.SIGTERM, syscall.SIGKILL} {
		t.Run(signal.String(), func(t *testing.T) {
			args, out := slow(t, 3)
			c := process(t, args...)
			end := start(t, c)
			workers := childrenOf(t, c.Process.Pid, 3)
			await(t, "the first answers", func() bool { return size(filepath.Join(out, "tolls.csv")) > 0 })
			if err := c.Process.Signal(signal); err != nil {
				t.Fatal(err)
			}
			since := time.Now()
			got := end()
			for _, pid := range workers {
				if !gone(pid, since.Add(time.Second)) && signal == syscall.SIGKILL {
					t.Errorf("worker process %d is there a second after its parent was killed", pid)
				} else if !gone(pid, since.Add(patience)) {
					t.Errorf("worker process %d has outlived its parent", pid)
				}
			}
			if signal != syscall.SIGKILL {
				got.want(t, 1, "interrupted")
				if n := strings.Count(got.stderr, "\n"); n != 1 {
					t.Errorf("%d lines on standard error, want one:\n%s", n, got.stderr)
				}
			}
		})
	}
}

// TestLostWorkerIsReported: who, why, which tasks, and how far they had come.
func TestLostWorkerIsReported(t *testing.T) {
	args, out := slow(t, 2)
	c := process(t, args...)
	end := start(t, c)
	workers := childrenOf(t, c.Process.Pid, 2)
	await(t, "the first answers", func() bool { return size(filepath.Join(out, "tolls.csv")) > 0 })
	if err := syscall.Kill(workers[1], syscall.SIGKILL); err != nil {
		t.Fatal(err)
	}
	got := end()
	pid := strconv.Itoa(workers[1])
	got.want(t, 1, "job j1: worker w", "is lost", "pid "+pid, "calculator/", "assessment/", " at ", "nobody listens at its address any more",
		"worker process "+pid+" has ended by itself: signal: killed")
	if got.stdout != "" || exists(filepath.Join(out, "summary.json")) {
		t.Errorf("a failed run has a result:\n%s", got.stdout)
	}
	if !gone(workers[0], time.Now().Add(time.Second)) {
		t.Error("the other worker has outlived the run")
	}
}

// TestFailuresOnWorkers: what is wrong with an input is told as if it had been read here.
func TestFailuresOnWorkers(t *testing.T) {
	input := write(t, "short.dat", "0,0,1,30,0,0,0,5,27000,-1,-1,-1,-1,-1,-1\n0,1,2\n")
	for args, want := range map[string]struct {
		code  int
		parts []string
	}{
		"--workers 2":                               {1, []string{input + ":2", "15 comma separated"}},
		"--workers 65":                              {2, []string{"--workers is 65"}},
		"--workers 2 --join localhost:1":            {2, []string{"--join"}},
		"--workers 2 --heartbeat-timeout 1ms":       {2, []string{"--heartbeat-timeout"}},
		"--heartbeat-timeout 1s":                    {2, []string{"--heartbeat-timeout is for --workers"}},
		"--workers 2 --cpuprofile cpu":              {2, []string{"--cpuprofile", "spate profile"}},
		"--workers 2 --secret-file secret":          {2, []string{"--secret-file"}},
		"--join localhost:1 --secret-file missing":  {2, []string{"missing"}},
		"--join localhost:1":                        {2, []string{"SPATE_SECRET"}},
		"--workers 2 --parallelism calculator=2000": {2, []string{"calculator", "1024"}},
	} {
		got := spate(t, append(strings.Fields("lr run "+args), "--input", input, "--out", t.TempDir())...)
		if got.stdout != "" {
			t.Errorf("%s: printed\n%s", args, got.stdout)
		}
		got.want(t, want.code, want.parts...)
	}
}

// childrenOf waits until a process has n children, and returns their process ids.
func childrenOf(t *testing.T, parent, n int) []int {
	t.Helper()
	var pids []int
	await(t, fmt.Sprintf("%d children of process %d", n, parent), func() bool {
		pids = pids[:0]
		lists, _ := filepath.Glob(fmt.Sprintf("/proc/%d/task/*/children", parent))
		for _, list := range lists {
			text, _ := os.ReadFile(list) // a thread may have ended
			for _, field := range strings.Fields(string(text)) {
				if pid, err := strconv.Atoi(field); err == nil {
					pids = append(pids, pid)
				}
			}
		}
		return len(pids) == n
	})
	return pids
}

// await waits until something is so.
func await(t *testing.T, what string, so func() bool) {
	t.Helper()
	for deadline := time.Now().Add(patience); !so(); time.Sleep(10 * time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatalf("waited %v for %s", patience, what)
		}
	}
}

// gone waits until a process is no more, or only to be buried, and says whether it was so in time.
func gone(pid int, deadline time.Time) bool {
	for {
		if !alive(pid) {
			return true
		}
		if time.Now().After(deadline) {
			return false
		}
		time.Sleep(5 * time.Millisecond)
	}
}

// alive says whether a process runs.
func alive(pid int) bool {
	if errors.Is(syscall.Kill(pid, 0), syscall.ESRCH) {
		return false
	}
	stat, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	if err != nil {
		return false
	}
	_, after, _ := strings.Cut(string(stat), ") ")
	return !strings.HasPrefix(after, "Z")
}

// size is the size of a file, 0 if it is not there.
func size(name string) int64 {
	info, err := os.Stat(name)
	if err != nil {
		return 0
	}
	return info.Size()
}
