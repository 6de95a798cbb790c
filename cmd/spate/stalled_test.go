//go:build linux

package main

import (
	"maps"
	"os"
	"syscall"
	"testing"
	"time"

	"github.com/fullspate/spate/engine/coordinator"
)

const (
	// stallEnv says for how long a worker stands still; make stall sets it to 20s.
	stallEnv     = "SPATE_TEST_STALL"
	stallDefault = 3 * time.Second
	// stallGrowthMax bounds by how much a worker may grow that waits for another one: what logs and credit take when they fill
	// up, and what the runtime does not give back at once. Without back-pressure it is hundreds of MiB a second.
	stallGrowthMax = 128 << 20
)

// TestStalledWorker: while one worker stands still the others wait. They do not grow, nobody is given up, and when it goes on
// so does everything else, with the same answers.
func TestStalledWorker(t *testing.T) {
	t.Parallel()
	stall := stallDefault
	if text := os.Getenv(stallEnv); text != "" {
		var err error
		if stall, err = time.ParseDuration(text); err != nil {
			t.Fatal(err)
		}
	}
	input := early(t, "300")
	want := embeddedAnswers(t, input)
	f := startFleet(t, 3, "--heartbeat-timeout", "60s")
	finish := f.run(input, want, "--pace", "60")
	f.awaitJob("j1", 1)
	// A second job runs as fast as it can, so that memory would show what nobody takes away.
	spate(t, f.join("submit", "linearroad", "--params", `{"xways":20,"from":9000,"to":10800}`)...).want(t, 0)
	f.awaitJob("j1", 30_000)
	f.awaitJob("j2", 20_000)

	victim, before := f.workers[1].Process, f.residents()
	if err := victim.Signal(syscall.SIGSTOP); err != nil {
		t.Fatal(err)
	}
	defer victim.Signal(syscall.SIGCONT)
	time.Sleep(stall / 3) // by then logs and credit are used up
	positions := f.positions("j2", "w2")
	time.Sleep(stall - stall/3)
	for i, bytes := range f.residents() {
		t.Logf("worker %d: %d MiB before, %d MiB after %v", i+1, before[i]>>20, bytes>>20, stall)
		if bytes-before[i] > stallGrowthMax {
			t.Errorf("worker %d grows while it waits", i+1)
		}
	}
	if later := f.positions("j2", "w2"); len(later) == 0 || !maps.Equal(later, positions) {
		t.Errorf("tasks go on without the worker that stands still: from %v to %v", positions, later)
	}
	f.alive()

	if err := victim.Signal(syscall.SIGCONT); err != nil {
		t.Fatal(err)
	}
	spate(t, f.join("drain", "j2", "--wait")...).want(t, 0)
	finish()
	f.alive()
	if c, err := f.client.Cluster(t.Context()); err != nil || c.Workers[coordinator.WorkerReady] != 3 {
		t.Errorf("cluster %+v, %v", c, err)
	}
}

// residents are the resident sizes of the workers.
func (f *fleet) residents() []int64 {
	f.t.Helper()
	var list []int64
	for _, c := range f.workers {
		list = append(list, resident(f.t, c.Process.Pid))
	}
	return list
}

// positions are those of a job's tasks, but for the tasks of one worker.
func (f *fleet) positions(id, but string) map[string]uint64 {
	f.t.Helper()
	job, err := f.client.Look(f.t.Context(), id)
	if err != nil {
		f.t.Fatal(err)
	}
	all := map[string]uint64{}
	for _, task := range job.Tasks {
		if task.Worker != but && task.PositionMS != nil {
			all[task.Operator+"/"+task.Worker] = *task.PositionMS
		}
	}
	return all
}
