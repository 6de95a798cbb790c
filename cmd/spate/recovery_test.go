//go:build linux

package main

import (
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/fullspate/spate/engine/coordinator"
)

// mishapsEnv is how many mishaps befall a run; make mishaps sets it to more.
const mishapsEnv = "SPATE_TEST_MISHAPS"

// doomed is a run whose workers die.
type doomed struct {
	*fleet
	rand *rand.Rand
	live []*exec.Cmd
}

// mishapsOf is how many mishaps befall a run, by default and in short tests, unless make mishaps says otherwise.
func mishapsOf(usual, short int) int {
	if n, err := strconv.Atoi(os.Getenv(mishapsEnv)); err == nil {
		return n
	}
	if testing.Short() {
		return short
	}
	return usual
}

// doom starts a run on four workers that has time for so many mishaps, with the given flags besides, and waits until it goes well.
// finish waits for its end, and compares its answers with those of an undisturbed run.
func doom(t *testing.T, mishaps int, args ...string) (d *doomed, finish func()) {
	t.Helper()
	input := rushHour(t, 40*(mishaps+1)) // at pace 20; a mishap and what follows takes less than 2 s
	want := embeddedAnswers(t, input)
	f := startFleet(t, 4, "--heartbeat-timeout", "800ms")
	finish = f.run(input, want, append([]string{"--pace", "20", "--recovery", "sm", "--replicas", "2", "--checkpoint-interval", "300ms"}, args...)...)
	d = &doomed{fleet: f, rand: rand.New(rand.NewPCG(uint64(time.Now().UnixNano()), 0)), live: f.workers}
	d.settled()
	return d, finish
}

// TestWorkersAreLost has workers of a run killed, one or two at once, stopped until they are given up and then continued, and
// the coordinator killed. Other workers take over, and the answers are those of an undisturbed run.
func TestWorkersAreLost(t *testing.T) {
	t.Parallel()
	mishaps := mishapsOf(6, 3)
	d, finish := doom(t, mishaps)
	for i := range mishaps {
		switch i % 4 {
		case 0:
			d.kill(1)
		case 1:
			d.kill(2)
		case 2:
			d.zombie()
		case 3:
			d.coordinatorAway()
		}
		d.settled()
	}
	d.over()
	finish()
	job, err := d.client.Look(t.Context(), "j1")
	if err != nil || len(job.Losses) == 0 {
		t.Errorf("job %+v, %v: want losses", job, err)
	}
	t.Logf("%d mishaps, %d parts lost, recoveries %+v", mishaps, len(job.Losses), job.Recoveries)
}

// rushHour is so many seconds of traffic at its densest, as if the day began with it.
func rushHour(t *testing.T, seconds int) (input string) {
	t.Helper()
	const begin = 9000
	input = filepath.Join(t.TempDir(), "input.dat")
	spate(t, strings.Fields(fmt.Sprintf("lr generate --xways 1 --seed 12 --from %d --to %d --out %s", begin, begin+seconds, input))...).want(t, 0)
	text, err := os.ReadFile(input)
	if err != nil {
		t.Fatal(err)
	}
	var shifted []byte
	for line := range strings.Lines(string(text)) {
		fields := strings.SplitN(line, ",", 3)
		second, err := strconv.Atoi(fields[1])
		if err != nil {
			t.Fatal(err)
		}
		shifted = fmt.Appendf(shifted, "%s,%d,%s", fields[0], second-begin, fields[2])
	}
	if err := os.WriteFile(input, shifted, 0o666); err != nil {
		t.Fatal(err)
	}
	return input
}

// over waits until the job has ended, and tells where it stands still if it does not.
func (d *doomed) over() {
	d.t.Helper()
	for deadline := time.Now().Add(40 * time.Second); ; time.Sleep(100 * time.Millisecond) {
		job, err := d.client.Look(d.t.Context(), "j1")
		if err == nil && job.State.Over() {
			return
		}
		if time.Now().After(deadline) {
			for _, task := range job.Tasks {
				if !task.Fused {
					text, _ := json.Marshal(task)
					d.t.Logf("%s", text)
				}
			}
			d.t.Fatalf("job j1 is %s, %v", job.State, err)
		}
	}
}

// pick takes a worker out of those that live.
func (d *doomed) pick() *exec.Cmd {
	i := d.rand.IntN(len(d.live))
	c := d.live[i]
	d.live = append(d.live[:i:i], d.live[i+1:]...)
	return c
}

// kill kills workers, and starts as many.
func (d *doomed) kill(n int) {
	for range n {
		kill(d.pick(), syscall.SIGKILL)
	}
	for range n {
		d.add()
	}
}

// add starts a worker.
func (d *doomed) add() {
	d.t.Helper()
	number := len(d.workers) + 1
	c := d.daemon(number, "worker"+strconv.Itoa(number), nil, "worker", "--coordinator", d.listen, "--listen", "tcp://127.0.0.1:0",
		"--secret-file", d.secretFile(), "--loops", "1")
	d.workers = append(d.workers, c)
	d.live = append(d.live, c)
}

// zombie stops a worker until it is given up, and for a while after, and then lets it go on.
func (d *doomed) zombie() {
	d.t.Helper()
	c := d.pick()
	if err := c.Process.Signal(syscall.SIGSTOP); err != nil {
		d.t.Fatal(err)
	}
	d.settledFor(300 * time.Millisecond) // it is given up
	if err := c.Process.Signal(syscall.SIGCONT); err != nil {
		d.t.Fatal(err)
	}
	d.live = append(d.live, c) // as good as new
}

// coordinatorAway kills the coordinator, and a worker while it is away.
func (d *doomed) coordinatorAway() {
	d.t.Helper()
	kill(d.coordinator, syscall.SIGKILL)
	kill(d.pick(), syscall.SIGKILL)
	d.startCoordinator()
	d.add()
}

// settled waits until the job runs with all its tasks in place, and for a while, in which checkpoints are taken.
func (d *doomed) settled() { d.settledFor(time.Second) }

func (d *doomed) settledFor(more time.Duration) {
	d.t.Helper()
	await(d.t, "the job to run", func() bool {
		job, err := d.client.Look(d.t.Context(), "j1")
		if err == nil && job.State == coordinator.Failed {
			d.t.Fatalf("job j1 has failed: %+v", job.Failure)
		}
		return err == nil && (job.State == coordinator.Running || job.State.Over()) && d.whole().Workers[coordinator.WorkerReady] == len(d.live)
	})
	time.Sleep(more) // for checkpoints: what is lost before has no others
}
