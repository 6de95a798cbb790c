//go:build linux

package main

import (
	"strconv"
	"strings"
	"testing"

	"github.com/fullspate/spate/engine/coordinator/api"
)

// TestReassignOnACluster changes the tasks of a run from the command line while it goes on; the answers are those of a run that
// nobody has disturbed.
func TestReassignOnACluster(t *testing.T) {
	t.Parallel()
	input := rushHour(t, 160) // at pace 20, 8 s
	want := embeddedAnswers(t, input)
	f := startFleet(t, 3, "--heartbeat-timeout", "2s")
	finish := f.run(input, want, "--pace", "20", "--recovery", "sm", "--checkpoint-interval", "300ms", "--parallelism", "calculator=2,account=2")
	f.awaitJob("j1", 10_000)
	run := func(args ...string) ended { t.Helper(); return spate(t, f.join(args...)...) }
	follow := start(t, process(t, f.join("events", "j1", "--follow", "--json")...))

	out := run("rescale", "j1", "calculator", "4")
	out.want(t, 0)
	contains(t, out.stdout, "rescale calculator: 2 on w", ": done in ", "register", "catch up", "switch")
	o := run("rebalance", "j1", "account", "0x4000000000000000", "--json").object(t, "spate.reassignment/1")
	if re := o["reassignment"].(map[string]any); re["state"] != "done" || re["kind"] != "rebalance" || len(re["new"].([]any)) != 2 {
		t.Errorf("rebalance said %v", o)
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
		{[]string{"rescale", "j1", "tolls", "2"}, 2, "a sink cannot be rescaled while it runs"},
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
	run("rescale", "j1", "calculator", "1").want(t, 0)
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
