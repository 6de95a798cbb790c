//go:build linux

package main

import (
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"github.com/google/pprof/profile"
)

// endless are the parameters of a job that lasts until it is ended.
var endless = []string{"submit", "linearroad", "--params", `{"xways":1,"to":10800}`, "--pace", "1"}

// TestCommandsOnACluster go through a job's life, as text and as JSON.
func TestCommandsOnACluster(t *testing.T) {
	t.Parallel()
	f := startFleet(t, 2, "--heartbeat-timeout", "2s", "--dismiss")
	run := func(args ...string) ended { t.Helper(); return spate(t, f.join(args...)...) }

	whole := run("status")
	whole.want(t, 0)
	contains(t, whole.stdout, "cluster ", "2 ready", "WORKER", "w1", "w2", "jobs: none")
	params := write(t, "params.json", `{"xways":1,"to":10800}`)
	submitted := run("submit", "linearroad", "--params", "@"+params, "--pace", "20", "--parallelism", "calculator=3", "--pin", "account=1", "--memory", "1GiB")
	submitted.want(t, 0)
	if submitted.stdout != "j1\n" {
		t.Errorf("submit printed %q, want the job's id and nothing else", submitted.stdout)
	}
	if o := run(append(endless, "--json", "--workers", "1")...).object(t, "spate.submit/1"); o["id"] != "j2" {
		t.Errorf("submit said %v", o)
	}
	f.awaitJob("j1", 5000)
	testLooks(t, run)
	testProfiles(t, run)

	drained := run("drain", "j1", "--wait")
	drained.want(t, 0)
	contains(t, drained.stdout, "job j1 · linearroad · completed", "RESULT", "answers")
	cancelled := run("cancel", "j2", "--wait", "--json")
	cancelled.want(t, 0)
	if job := cancelled.object(t, "spate.job/1")["job"].(map[string]any); job["state"] != "cancelled" {
		t.Errorf("after cancel: %v", job["state"])
	}
	if o := run("status", "--json").object(t, "spate.status/1"); len(o["jobs"].([]any)) != 2 || len(o["workers"].([]any)) != 2 {
		t.Errorf("status said %v", o)
	}
	testDismissal(t, f)
}

// testLooks looks at a job that runs.
func testLooks(t *testing.T, run func(...string) ended) {
	t.Helper()
	one := run("status", "j1")
	one.want(t, 0)
	contains(t, one.stdout, "job j1 · linearroad · running", "calculator", "forwarder (in feeder)", "calculator/2", "TRUE/s", "BEHIND",
		"FROM", "job_started")
	for _, line := range strings.Split(one.stdout, "\n") {
		if strings.HasPrefix(line, "account/") && !strings.Contains(line, "w2") {
			t.Errorf("an account that is not on the worker it is pinned to: %s", line)
		}
	}
	o := run("status", "j1", "--json").object(t, "spate.status.job/1")
	if o["job"].(map[string]any)["id"] != "j1" || o["metrics"].(map[string]any)["job"] != "j1" {
		t.Errorf("status j1 said %v", o)
	}
	top := run("top", "j1") // standard output is no terminal
	top.want(t, 0)
	contains(t, top.stdout, "cluster ", "job j1", "OPERATOR", "BYTES/s")
	if o := run("top", "--json").object(t, "spate.top/1"); o["job"].(map[string]any)["id"] != "j2" {
		t.Errorf("top without a job shows %v, want the youngest", o["job"])
	}
}

// testProfiles takes profiles of workers that run jobs.
func testProfiles(t *testing.T, run func(...string) ended) {
	t.Helper()
	for _, kind := range []string{"cpu", "heap", "slabs"} {
		out := filepath.Join(t.TempDir(), kind)
		o := run("profile", "--kind", kind, "--seconds", "1", "--out", out, "--json").object(t, "spate.profile/1")
		f, err := os.Open(out)
		if err != nil {
			t.Fatal(err)
		}
		p, err := profile.Parse(f)
		f.Close()
		if err != nil {
			t.Fatalf("%s: %v", kind, err)
		}
		seen := map[string]bool{}
		for _, s := range p.Sample {
			for _, label := range []string{"worker", "operator", "task"} {
				for _, v := range s.Label[label] {
					seen[label+" "+v] = true
				}
			}
		}
		want := []string{"worker w1", "worker w2"}
		if kind == "slabs" {
			want = append(want, "operator calculator")
		}
		for _, label := range want {
			if !seen[label] {
				t.Errorf("%s: no sample of %s, there are %v", kind, label, seen)
			}
		}
		if o["kind"] != kind || o["samples"] != float64(len(p.Sample)) {
			t.Errorf("%s: %v samples, the file has %d", kind, o["samples"], len(p.Sample))
		}
	}
	text := run("profile", "--kind", "slabs", "--out", filepath.Join(t.TempDir(), "slabs"))
	text.want(t, 0)
	contains(t, text.stdout, "slabs profile of ", "WORKER", "calculator", "%")
}

// testDismissal: a coordinator that is interrupted ends in good order, and with --dismiss its workers do, too.
func testDismissal(t *testing.T, f *fleet) {
	t.Helper()
	if err := f.coordinator.Process.Signal(syscall.SIGINT); err != nil {
		t.Fatal(err)
	}
	if err := f.coordinator.Wait(); err != nil {
		t.Errorf("the coordinator ended with %v", err)
	}
	for i, w := range f.workers {
		if err := w.Wait(); err != nil {
			t.Errorf("worker %d ended with %v", i+1, err)
		}
	}
}

// TestWorkersOutliveTheirCoordinator when it ends in good order, and end in good order themselves.
func TestWorkersOutliveTheirCoordinator(t *testing.T) {
	t.Parallel()
	f := startFleet(t, 1, "--heartbeat-timeout", "2s")
	first, err := f.client.Cluster(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if err := f.coordinator.Process.Signal(syscall.SIGTERM); err != nil {
		t.Fatal(err)
	}
	if err := f.coordinator.Wait(); err != nil {
		t.Errorf("the coordinator ended with %v", err)
	}
	f.startCoordinator()
	f.startWorkers(0) // waits until the one is back
	if again, err := f.client.Cluster(t.Context()); err != nil || again.ID != first.ID || again.Epoch != first.Epoch+1 {
		t.Errorf("cluster %s, start %d, %v, was %s, start %d", again.ID, again.Epoch, err, first.ID, first.Epoch)
	}
	if err := f.workers[0].Process.Signal(syscall.SIGINT); err != nil {
		t.Fatal(err)
	}
	if err := f.workers[0].Wait(); err != nil {
		t.Errorf("the worker ended with %v", err)
	}
}

// TestCommandsFail with the right code and a clear word.
func TestCommandsFail(t *testing.T) {
	t.Parallel()
	f := startFleet(t, 1, "--heartbeat-timeout", "2s")
	other := write(t, "other", strings.Repeat("ab", 32))
	if err := os.Chmod(other, 0o600); err != nil {
		t.Fatal(err)
	}
	tests := []struct {
		args []string
		code int
		part string
	}{
		{f.join("submit", "nothing"), 2, `no program "nothing"`},
		{f.join("submit", "linearroad", "--params", "{"), 2, "--params is not JSON"},
		{f.join("submit", "linearroad", "--params", "@missing"), 2, "missing"},
		{f.join("submit", "linearroad", "--params", `{"xways":0}`), 2, "linearroad"},
		{f.join("submit", "linearroad", "--workers", "-1"), 2, "--workers"},
		{f.join(append(endless, "--workers", "2")...), 1, "want 2"},
		{f.join(append(endless, "--pin", "calculator=7")...), 2, "calculator"},
		{f.join("submit"), 2, "PROGRAM"},
		{f.join("status", "j9"), 1, `no job "j9"`},
		{f.join("top", "j9"), 1, `no job "j9"`},
		{f.join("top", "--interval", "1ms"), 2, "--interval"},
		{f.join("drain", "j9"), 1, `no job "j9"`},
		{f.join("cancel"), 2, "<job>"},
		{f.join("profile", "--kind", "dance"), 2, "--kind"},
		{f.join("profile", "--seconds", "0"), 2, "--seconds"},
		{f.join("profile", "--out", filepath.Join(f.dir, "missing", "x")), 1, "missing"},
		{[]string{"submit", "linearroad", "--join", f.http}, 2, "SPATE_SECRET"},
		{[]string{"submit", "linearroad", "--join", f.http, "--secret-file", other}, 1, "secret"},
		{[]string{"status", "--join", "127.0.0.1:1"}, 1, "connection refused"},
		{[]string{"status", "--join", "https://x"}, 2, "http://host:port"},
		{[]string{"coordinator", "--state", f.dir, "--secret-file", f.secretFile(), "--http", f.http, "--listen", "tcp://127.0.0.1:0"}, 1, "address already in use"},
		{[]string{"coordinator", "--state", filepath.Join(f.dir, "state"), "--secret-file", f.secretFile(), "--listen", "tcp://127.0.0.1:0"}, 1, "another coordinator"},
		{[]string{"coordinator", "--heartbeat-timeout", "1ms"}, 2, "--heartbeat-timeout"},
		{[]string{"coordinator", "--listen", "nowhere", "--secret-file", other, "--state", f.dir}, 2, "nowhere"},
		{[]string{"coordinator", "--state", f.dir}, 2, "SPATE_SECRET"},
		{[]string{"worker", "--coordinator", f.listen, "--secret-file", other}, 1, "refuse"},
		{[]string{"worker", "--coordinator", "localhost", "--secret-file", other}, 2, "localhost"},
		{[]string{"worker", "--coordinator", f.listen, "--listen", ":0", "--secret-file", other}, 2, "all interfaces"},
		{[]string{"worker"}, 2, "--coordinator"},
	}
	for _, tt := range tests {
		got := spate(t, tt.args...)
		if got.code != tt.code || !strings.Contains(got.stderr, tt.part) || got.stdout != "" {
			t.Errorf("spate %s: exit code %d, want %d and %q\n%s%s", strings.Join(tt.args, " "), got.code, tt.code, tt.part, got.stdout, got.stderr)
		}
	}
	f.alive()
}

func contains(t *testing.T, text string, parts ...string) {
	t.Helper()
	for _, part := range parts {
		if !strings.Contains(text, part) {
			t.Errorf("lacks %q:\n%s", part, text)
		}
	}
}
