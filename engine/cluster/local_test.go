package cluster

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/fullspate/spate/engine"
	"github.com/fullspate/spate/engine/coordinator"
)

// TestLocalRunsPrograms as one process does, on workers that have something to say to each other, and leaves nothing.
func TestLocalRunsPrograms(t *testing.T) {
	params := paramsOf(t, settings{Rows: 20_000})
	embedded, err := engine.Embedded{}.Start(t.Context(), summing, params, engine.Config{Loops: 1})
	if err != nil {
		t.Fatal(err)
	}
	if err := embedded.Wait(); err != nil {
		t.Fatal(err)
	}
	want := totalOf(t, embedded.Results())
	for _, network := range []string{"tcp", "unix"} {
		l := localCluster(t, LocalConfig{Workers: 2, Network: network, Loops: 2, Memory: 256 << 20})
		job, err := l.Runner().Start(t.Context(), summing, params, engine.Config{})
		if err != nil {
			t.Fatal(err)
		}
		if err := job.Wait(); err != nil {
			t.Fatal(err)
		}
		if got := totalOf(t, job.Results()); got != want {
			t.Errorf("%s: total %d, want %d", network, got, want)
		}
		s := job.Stats()
		if len(s.Processes) != 2 || s.Links.TuplesOut == 0 || s.Links.TuplesOut != s.Links.TuplesIn || s.SlabBytesMax == 0 {
			t.Errorf("%s: %d processes, links %+v, slabs %d", network, len(s.Processes), s.Links, s.SlabBytesMax)
		}
		dir := l.dir
		if err := l.Close(); err != nil {
			t.Error(err)
		}
		for _, w := range l.Processes() {
			within(t, "a worker's end", w.Done())
		}
		if _, err := os.Stat(dir); !errors.Is(err, os.ErrNotExist) {
			t.Errorf("%s is still there: %v", dir, err)
		}
	}
}

// TestFailuresAreTold with all that is known, and end the job alone.
func TestFailuresAreTold(t *testing.T) {
	l := localCluster(t, LocalConfig{Workers: 2})
	defer func() {
		if err := l.Close(); err != nil {
			t.Error(err)
		}
	}()
	job, err := l.Runner().Start(t.Context(), summing, paramsOf(t, settings{Rows: 100, Fail: 42}), engine.Config{})
	if err != nil {
		t.Fatal(err)
	}
	var failed *JobError
	if err := job.Wait(); !errors.As(err, &failed) || failed.Failure.Operator != "sum" || !strings.Contains(err.Error(), "number 42 is not wanted") {
		t.Errorf("the job ended with %v", err)
	}
	var refused *coordinator.Error
	if _, err := l.Runner().Start(t.Context(), engine.Program{Name: "nothing"}, nil, engine.Config{}); !errors.As(err, &refused) || refused.Code != coordinator.Invalid {
		t.Errorf("a program that there is not: %v", err)
	}
	if _, err := (Runner{Manager: l.Server, Workers: 3}).Start(t.Context(), summing, paramsOf(t, settings{}), engine.Config{}); !errors.As(err, &refused) || refused.Code != coordinator.Unavailable {
		t.Errorf("more workers than there are: %v", err)
	}
}

// TestJobsEndEarly when they are told to, or their context is done.
func TestJobsEndEarly(t *testing.T) {
	l := localCluster(t, LocalConfig{Workers: 2})
	defer l.Close()
	hour := paramsOf(t, settings{Rows: 3_600_000})
	for name, end := range map[string]func(engine.Running, context.CancelFunc){
		"drain":   func(j engine.Running, _ context.CancelFunc) { j.Drain() },
		"cancel":  func(j engine.Running, _ context.CancelFunc) { j.Cancel() },
		"context": func(_ engine.Running, cancel context.CancelFunc) { cancel() },
	} {
		ctx, cancel := context.WithCancel(t.Context())
		job, err := l.Runner().Start(ctx, summing, hour, engine.Config{Pace: 1})
		if err != nil {
			t.Fatal(err)
		}
		end(job, cancel)
		within(t, name, job.Done())
		err = job.Wait()
		if wantErr := name != "drain"; errors.Is(err, context.Canceled) != wantErr || !wantErr && err != nil {
			t.Errorf("%s: the job ended with %v", name, err)
		}
		cancel()
	}
}

// TestLostWorker: the job fails with a report, and Close says how the process ended.
func TestLostWorker(t *testing.T) {
	l := localCluster(t, LocalConfig{Workers: 2, HeartbeatTimeout: 300 * time.Millisecond})
	job, err := l.Runner().Start(t.Context(), summing, paramsOf(t, settings{Rows: 3_600_000}), engine.Config{Pace: 1})
	if err != nil {
		t.Fatal(err)
	}
	for len(job.Stats().Processes) < 2 { // both have reported
		time.Sleep(lookEvery)
	}
	victim := l.Processes()[1]
	if err := victim.Signal(syscall.SIGKILL); err != nil {
		t.Fatal(err)
	}
	within(t, "the job's end", job.Done())
	var failed *JobError
	if err := job.Wait(); !errors.As(err, &failed) || len(failed.Losses) != 1 || failed.Losses[0].PID != victim.PID() || len(failed.Losses[0].Tasks) == 0 {
		t.Errorf("the job ended with %v", err)
	}
	if err := l.Close(); err == nil || !strings.Contains(err.Error(), "has ended by itself: signal: killed") {
		t.Errorf("closed with %v", err)
	}
}

// TestLocalThatCannotStart says why.
func TestLocalThatCannotStart(t *testing.T) {
	t.Setenv(asWorker, "broken")
	cfg := LocalConfig{Workers: 1, Programs: programs, Build: build, Command: []string{os.Args[0]}}
	_, err := StartLocal(t.Context(), cfg)
	if err == nil || !strings.Contains(err.Error(), "before it registered") || !strings.Contains(err.Error(), "exit status 7") {
		t.Errorf("workers that end at once: %v", err)
	}
	cfg.Command = []string{filepath.Join(t.TempDir(), "missing")}
	if _, err := StartLocal(t.Context(), cfg); err == nil || !strings.Contains(err.Error(), "missing") {
		t.Errorf("a program that there is not: %v", err)
	}
	_, err = StartLocal(t.Context(), LocalConfig{Workers: 65, Loops: -1, Network: "udp"})
	for _, part := range []string{"Workers is 65", "Loops is -1", `"udp"`} {
		if err == nil || !strings.Contains(err.Error(), part) {
			t.Errorf("a wrong configuration: %v, want %s named", err, part)
		}
	}
}

// TestSweep: what a killed process has left behind is removed, and nothing else.
func TestSweep(t *testing.T) {
	tmp := t.TempDir()
	t.Setenv("TMPDIR", tmp)
	made := func(name string, files ...string) string {
		dir := filepath.Join(tmp, name)
		for _, f := range files {
			path := filepath.Join(dir, f)
			if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
				t.Fatal(err)
			}
			if err := os.WriteFile(path, nil, 0o600); err != nil {
				t.Fatal(err)
			}
		}
		return dir
	}
	left, other, foreign := made("spate-local-1", aliveFile, "journal/x"), made("other-2", aliveFile), made("spate-local-3", "x")
	living, alive, err := makeDir()
	if err != nil {
		t.Fatal(err)
	}
	defer alive.Close()
	there := func(dir string) bool { _, err := os.Stat(dir); return err == nil }
	sweep(tmp, time.Now())
	if !there(left) {
		t.Error("a directory that was made just now is gone")
	}
	sweep(tmp, time.Now().Add(2*sweepAge))
	if there(left) || !there(other) || !there(foreign) || !there(living) {
		t.Errorf("left behind %v, others %v %v, alive %v", there(left), there(other), there(foreign), there(living))
	}
}
