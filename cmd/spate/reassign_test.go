//go:build linux

package main

import (
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/fullspate/spate/engine/coordinator"
	"github.com/fullspate/spate/engine/coordinator/api"
)

// TestReassignOnACluster changes the tasks of a run from the command line while it goes on; the answers are those of a run that
// nobody has disturbed.
func TestReassignOnACluster(t *testing.T) {
	t.Parallel()
	input := rushHour(t, 160) // at pace 8, 20 s: one reassignment takes some on a machine that has much else to do
	want := embeddedAnswers(t, input)
	f := startFleet(t, 3, "--heartbeat-timeout", "2s")
	finish := f.run(input, want, "--pace", "8", "--recovery", "sm", "--checkpoint-interval", "300ms", "--parallelism", "calculator=2,account=2")
	f.awaitJob("j1", 10_000)
	run := func(args ...string) ended { t.Helper(); return spate(t, f.join(args...)...) }
	// Tasks that are to be joined wait for each other, but not for long: on a busy machine that may take another try.
	again := func(args ...string) (out ended) {
		t.Helper()
		for range 5 {
			if out = run(args...); !strings.Contains(out.stdout+out.stderr, "was to checkpoint at") {
				break
			}
		}
		return out
	}
	follow := start(t, process(t, f.join("events", "j1", "--follow", "--json")...))

	out := run("rescale", "j1", "calculator", "4")
	out.want(t, 0)
	contains(t, out.stdout, "rescale calculator: 2 on w", ": done in ", "register", "catch up", "switch")
	re := again("rebalance", "j1", "account", "0x4000000000000000", "--json").object(t, "spate.reassignment/1")["reassignment"].(map[string]any)
	if re["state"] != "done" || re["kind"] != "rebalance" || len(re["new"].([]any)) != 2 {
		t.Errorf("rebalance said %v", re)
	}
	feeder := f.task("feeder")
	other := map[string]string{"w1": "w2", "w2": "w3", "w3": "w1"}[feeder.Worker]
	out = run("migrate", "j1", "feeder", strconv.Itoa(feeder.Task), "--to", other)
	out.want(t, 0)
	contains(t, out.stdout, "migrate feeder: ", " on "+other+" for ")
	for _, tt := range []struct {
		args []string
		code int
		part string
	}{
		{[]string{"migrate", "j1", "feeder", strconv.Itoa(f.task("feeder").Task), "--to", other}, 1, "already"},
		{[]string{"rescale", "j1", "tolls", "2"}, 2, "a sink can be migrated, but not rescaled"},
		{[]string{"rescale", "j1", "calculator", "4"}, 1, "has 4 tasks already"},
		{[]string{"rescale", "j9", "calculator", "4"}, 1, `no job "j9"`},
		{[]string{"rescale", "j1", "calculator", "0"}, 2, "TASKS"},
		{[]string{"rebalance", "j1", "account", "0xg"}, 2, `hash "0xg"`},
		{[]string{"worker", "drain", "w9"}, 1, `no worker "w9"`},
	} {
		got := run(tt.args...)
		if got.code != tt.code || !strings.Contains(got.stderr, tt.part) || got.stdout != "" {
			t.Errorf("%v: exit code %d, want %d and %q\n%s%s", tt.args, got.code, tt.code, tt.part, got.stdout, got.stderr)
		}
	}
	again("rescale", "j1", "calculator", "1").want(t, 0)
	drained := run("worker", "drain", other)
	contains(t, drained.stdout, "worker "+other+": ", " tasks have gone elsewhere")
	contains(t, run("status").stdout, "ready, drained")
	contains(t, run("events", "j1").stdout, "reassignment_switched", "rescale calculator: ")
	finish()
	events := follow()
	events.want(t, 0)
	contains(t, events.stdout, `"kind":"job_submitted"`, `"kind":"reassignment_done"`, `"kind":"job_completed"`)
	f.alive()
}

// task is the first task of an operator of the only job.
func (f *fleet) task(operator string) api.Task {
	f.t.Helper()
	job, err := f.client.Look(f.t.Context(), "j1")
	if err != nil {
		f.t.Fatal(err)
	}
	for _, task := range job.Tasks {
		if task.Operator == operator {
			return task
		}
	}
	f.t.Fatalf("there is no task of %s", operator)
	return api.Task{}
}

// TestReassignedWhileWorkersAreLost asks for reassignments, and at random moments of these has workers and the coordinator killed:
// each comes to its end, and the answers are those of a run that nobody has disturbed.
func TestReassignedWhileWorkersAreLost(t *testing.T) {
	t.Parallel()
	mishaps := mishapsOf(6, 2)
	d, finish := doom(t, mishaps, "--parallelism", "calculator=2,account=2")
	states := map[coordinator.ReassignState]int{}
	for i := range mishaps {
		id := d.reassign()
		time.Sleep(time.Duration(d.rand.IntN(100)) * time.Millisecond)
		switch i % 3 {
		case 0:
			d.kill(1)
		case 1:
			d.coordinatorAway()
		case 2:
			d.kill(2)
		}
		d.settled()
		re, err := d.client.Reassigned(t.Context(), "j1", id)
		if err != nil {
			t.Fatalf("reassignment %d: %v", id, err)
		}
		states[re.State]++
	}
	d.over()
	finish()
	t.Logf("%d mishaps, reassignments %v", mishaps, states)
}

// reassign asks for some reassignment.
func (d *doomed) reassign() (id uint64) {
	d.t.Helper()
	await(d.t, "a reassignment to be taken", func() bool {
		var re api.Reassignment
		var err error
		switch d.rand.IntN(3) {
		case 0:
			re, err = d.client.Rescale(d.t.Context(), "j1", "calculator", 1+d.rand.IntN(4))
		case 1:
			re, err = d.client.Rebalance(d.t.Context(), "j1", "account", []api.Hash{api.Hash(d.rand.Uint64() | 1)})
		case 2:
			operator := []string{"feeder", "calculator", "account"}[d.rand.IntN(3)]
			re, err = d.client.Migrate(d.t.Context(), "j1", operator, d.task(operator).Task, "")
		}
		id = re.ID
		return err == nil
	})
	return id
}
