//go:build linux

package main

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/fullspate/spate/engine/auth"
	"github.com/fullspate/spate/engine/cluster"
	"github.com/fullspate/spate/engine/coordinator"
	"github.com/fullspate/spate/engine/coordinator/api"
)

// fleet is a coordinator and workers, each a process of its own, that end with the test.
type fleet struct {
	t           *testing.T
	dir         string
	flags       []string // of the coordinator, beside those that say where it is
	listen      string   // where workers connect
	http        string
	coordinator *exec.Cmd
	workers     []*exec.Cmd
	client      *cluster.Client
	secret      auth.Secret
	prefix      func(process int) []string // what starts a process: the coordinator is 0; nil for nothing
	host        func(process int) string   // the address that a process has for itself; nil for that of the loopback interface
}

// newFleet makes a fleet whose processes are to be started.
func newFleet(t *testing.T, flags ...string) *fleet {
	f := &fleet{t: t, dir: t.TempDir(), flags: flags, listen: "tcp://127.0.0.1:0", http: "127.0.0.1:0"}
	t.Cleanup(f.report)
	return f
}

// startFleet starts a coordinator, and workers of one loop each that have registered when it returns.
func startFleet(t *testing.T, workers int, flags ...string) *fleet {
	t.Helper()
	f := newFleet(t, flags...)
	f.startCoordinator()
	f.startWorkers(workers)
	return f
}

// daemon starts a process that is killed with the test, if it has not ended by then. What it logs is kept in a file.
func (f *fleet) daemon(number int, name string, stdout io.Writer, args ...string) *exec.Cmd {
	f.t.Helper()
	c := exec.Command(os.Args[0], args...)
	c.Env = append(os.Environ(), asSpate+"=1")
	f.place(c, number)
	log, err := os.OpenFile(filepath.Join(f.dir, name+".log"), os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600)
	if err != nil {
		f.t.Fatal(err)
	}
	defer log.Close() // the process has its own
	c.Stdout, c.Stderr = stdout, log
	c.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
	if err := c.Start(); err != nil {
		f.t.Fatal(err)
	}
	f.t.Cleanup(func() { kill(c, syscall.SIGKILL) })
	return c
}

// place has a command run where a process of the fleet does.
func (f *fleet) place(c *exec.Cmd, process int) {
	f.t.Helper()
	if f.prefix == nil {
		return
	}
	c.Args = append(f.prefix(process), c.Args...)
	var err error
	if c.Path, err = exec.LookPath(c.Args[0]); err != nil {
		f.t.Fatal(err)
	}
}

// kill ends a process with a signal and waits for it; one that has ended already does not mind.
func kill(c *exec.Cmd, signal syscall.Signal) {
	_ = c.Process.Signal(signal)
	_ = c.Wait()
}

// startCoordinator starts the coordinator, the first time on ports that are free and then on the same again.
func (f *fleet) startCoordinator() {
	f.t.Helper()
	read, write, err := os.Pipe()
	if err != nil {
		f.t.Fatal(err)
	}
	defer read.Close()
	args := append([]string{"coordinator", "--json", "--listen", f.listen, "--http", f.http, "--state", filepath.Join(f.dir, "state"),
		"--secret-file", f.secretFile()}, f.flags...)
	f.coordinator = f.daemon(0, "coordinator", write, args...)
	write.Close()
	var at struct{ Schema, Listen, HTTP string }
	if err := json.NewDecoder(read).Decode(&at); err != nil || at.Schema != "spate.coordinator/1" {
		f.t.Fatalf("the coordinator says %+v, %v", at, err)
	}
	f.listen, f.http = at.Listen, at.HTTP
	if f.secret, err = auth.ReadSecretFile(f.secretFile()); err != nil {
		f.t.Fatal(err)
	}
	if f.client, err = cluster.NewClient(cluster.ClientConfig{Addr: f.http, Secret: f.secret}); err != nil {
		f.t.Fatal(err)
	}
}

func (f *fleet) secretFile() string { return filepath.Join(f.dir, "secret") }

// startWorkers starts workers and waits until they have registered.
func (f *fleet) startWorkers(n int, flags ...string) {
	f.t.Helper()
	for range n {
		number := len(f.workers) + 1
		host := "127.0.0.1"
		if f.host != nil {
			host = f.host(number)
		}
		args := append([]string{"worker", "--coordinator", f.listen, "--listen", "tcp://" + host + ":0", "--secret-file", f.secretFile(),
			"--loops", "1"}, flags...)
		f.workers = append(f.workers, f.daemon(number, "worker"+strconv.Itoa(number), nil, args...))
	}
	await(f.t, fmt.Sprintf("%d workers", len(f.workers)), func() bool {
		return f.whole().Workers[coordinator.WorkerReady] == len(f.workers)
	})
}

// whole is how the cluster is, by the coordinator's word, which is asked where it is heard; nothing if it does not answer.
func (f *fleet) whole() api.Cluster {
	if f.prefix == nil {
		c, _ := f.client.Cluster(f.t.Context())
		return c
	}
	status := process(f.t, f.join("status", "--json")...)
	f.place(status, 0)
	var s struct{ Cluster api.Cluster }
	_ = json.Unmarshal([]byte(wait(f.t, status).stdout), &s)
	return s.Cluster
}

// join are the flags with which commands use the fleet.
func (f *fleet) join(args ...string) []string {
	return append(args, "--join", f.http, "--secret-file", f.secretFile())
}

// run starts the query over a file on the fleet, and returns what waits for its end and checks the answers.
func (f *fleet) run(input string, want map[string][]byte, flags ...string) (finish func()) {
	f.t.Helper()
	out := f.t.TempDir()
	args := append(f.join("lr", "run", "--json", "--input", input, "--out", out), flags...)
	c := process(f.t, args...)
	f.place(c, 0)
	end := start(f.t, c)
	return func() {
		f.t.Helper()
		got := end()
		got.want(f.t, 0)
		o := got.object(f.t, "spate.lr.run/1")
		f.t.Logf("%v workers, %.1f bytes per report between them", o["workers"], o["link_bytes_per_report"])
		sameAnswers(f.t, want, answersOf(f.t, out))
	}
}

// awaitJob waits until a job has come to a moment of its input, by the last of its tasks that has reported.
func (f *fleet) awaitJob(id string, ms uint64) api.Job {
	f.t.Helper()
	var job api.Job
	await(f.t, fmt.Sprintf("job %s to reach %d ms", id, ms), func() bool {
		var err error
		if job, err = f.client.Look(f.t.Context(), id); err != nil {
			return false
		}
		if job.State.Over() {
			f.t.Fatalf("job %s is %s: %+v", id, job.State, job.Failure)
		}
		for _, t := range job.Tasks {
			if !t.Fused && (t.Position == nil || t.PositionMS != nil && *t.PositionMS < ms) {
				return false
			}
		}
		return true
	})
	return job
}

// alive fails unless every process is the one that was started.
func (f *fleet) alive() {
	f.t.Helper()
	for i, c := range append([]*exec.Cmd{f.coordinator}, f.workers...) {
		if !alive(c.Process.Pid) {
			f.t.Errorf("process %d (0 is the coordinator) has ended", i)
		}
	}
}

// report prints what processes have logged last, if the test has failed.
func (f *fleet) report() {
	if !f.t.Failed() {
		return
	}
	logs, _ := filepath.Glob(filepath.Join(f.dir, "*.log"))
	for _, log := range logs {
		text, _ := os.ReadFile(log)
		lines := bytes.Split(bytes.TrimSpace(text), []byte("\n"))
		f.t.Logf("%s:\n%s", filepath.Base(log), bytes.Join(lines[max(len(lines)-15, 0):], []byte("\n")))
	}
}

// embeddedAnswers are the answers of a run in one process, on one loop.
func embeddedAnswers(t *testing.T, input string) map[string][]byte {
	t.Helper()
	return runAnswers(t, []string{"--input", input, "--loops", "1"})
}

// resident is how much memory of a process is resident, in bytes.
func resident(t *testing.T, pid int) int64 {
	t.Helper()
	text, err := os.ReadFile(fmt.Sprintf("/proc/%d/statm", pid))
	if err != nil {
		t.Fatal(err)
	}
	pages, err := strconv.ParseInt(strings.Fields(string(text))[1], 10, 64)
	if err != nil {
		t.Fatal(err)
	}
	return pages * int64(os.Getpagesize())
}

// TestCoordinatorIsKilled while a job runs, twice, and started again: nothing changes.
func TestCoordinatorIsKilled(t *testing.T) {
	t.Parallel()
	input := early(t, "300")
	want := embeddedAnswers(t, input)
	f := startFleet(t, 3, "--heartbeat-timeout", "2s")
	finish := f.run(input, want, "--pace", "30")
	f.awaitJob("j1", 30_000)
	for range 2 {
		kill(f.coordinator, syscall.SIGKILL)
		time.Sleep(500 * time.Millisecond) // so long nobody answers
		f.startCoordinator()
		await(t, "the workers to be back", func() bool {
			c, err := f.client.Cluster(t.Context())
			return err == nil && c.Workers[coordinator.WorkerReady] == 3
		})
		job, err := f.client.Look(t.Context(), "j1")
		if err != nil || job.State != coordinator.Running {
			t.Fatalf("job j1 is %s, %v", job.State, err)
		}
		await(t, "a report", func() bool {
			job, err := f.client.Look(t.Context(), "j1")
			return err == nil && job.Tasks[0].Position != nil
		})
	}
	finish()
	f.alive()
	if c, err := f.client.Cluster(t.Context()); err != nil || c.Epoch != 3 {
		t.Errorf("cluster %+v, %v: want the third start of the coordinator", c, err)
	}
}

// TestCoordinatorIsAway when the job ends: workers keep what they have to tell.
func TestCoordinatorIsAway(t *testing.T) {
	t.Parallel()
	input := early(t, "60")
	want := embeddedAnswers(t, input)
	f := startFleet(t, 2, "--heartbeat-timeout", "2s")
	finish := f.run(input, want, "--pace", "30")
	job := f.awaitJob("j1", 1000)
	kill(f.coordinator, syscall.SIGKILL)
	// 60 s of input at 30 s a second, from when the job was started.
	time.Sleep(time.Until(job.Started.Add(3 * time.Second)))
	f.startCoordinator()
	finish()
	f.alive()
}

// TestTwoJobs on one cluster, and two that come to nothing beside them: each has answers of its own.
func TestTwoJobs(t *testing.T) {
	t.Parallel()
	first, second := early(t, "300"), dense(t, "--hostile")
	wantFirst, wantSecond := embeddedAnswers(t, first), embeddedAnswers(t, second)
	f := startFleet(t, 2, "--heartbeat-timeout", "2s")
	finishFirst := f.run(first, wantFirst, "--pace", "50", "--parallelism", "calculator=3")
	f.awaitJob("j1", 1000)
	bad := write(t, "bad.dat", "0,0,1,30,0,0,0,5,27000,-1,-1,-1,-1,-1,-1\nnonsense\n")
	spate(t, f.join("lr", "run", "--input", bad, "--out", t.TempDir())...).want(t, 1, bad+":2")
	spate(t, f.join("submit", "linearroad", "--params", `{"xways":1,"to":10800}`, "--pace", "1")...).want(t, 0)
	f.run(second, wantSecond)()
	spate(t, f.join("cancel", "j3", "--wait")...).want(t, 0)
	finishFirst()
	f.alive()
	jobs, err := f.client.Jobs(t.Context())
	var states []coordinator.State
	for _, j := range jobs {
		states = append(states, j.State)
	}
	if want := []coordinator.State{coordinator.Completed, coordinator.Failed, coordinator.Cancelled, coordinator.Completed}; err != nil || !slices.Equal(states, want) {
		t.Errorf("jobs are %v, %v, want %v", states, err, want)
	}
}

// TestInterruptCancelsTheJob that a command has had a cluster run.
func TestInterruptCancelsTheJob(t *testing.T) {
	t.Parallel()
	f := startFleet(t, 2, "--heartbeat-timeout", "2s")
	out := t.TempDir()
	c := process(t, f.join("lr", "run", "--pace", "10", "--input", early(t, "300"), "--out", out)...)
	end := start(t, c)
	f.awaitJob("j1", 1000)
	if err := c.Process.Signal(syscall.SIGINT); err != nil {
		t.Fatal(err)
	}
	end().want(t, 1, "interrupted")
	if job, err := f.client.Look(t.Context(), "j1"); err != nil || job.State != coordinator.Cancelled {
		t.Errorf("the job is %s, %v", job.State, err)
	}
	f.alive()
}
