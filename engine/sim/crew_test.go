package sim_test

import (
	"testing"

	"github.com/fullspate/spate/engine/enginetest"
	"github.com/fullspate/spate/engine/sim"
)

// crewSchedules is how many schedules with workers that die a test runs.
func crewSchedules() int {
	if testing.Short() {
		return 300
	}
	return 5000
}

// Workers die, several at once, with what they keep for others, in the middle of everything; they are given up and go on;
// connections break; what is kept is damaged: the results are the oracle's, or the run ends with an error that says what is lost.
func TestWorkersDie(t *testing.T) {
	in, short := input(5, 100)
	n := crewSchedules()
	var census sim.Census
	for i := range 2 {
		out, err := enginetest.Try(diamond(in, short, variant{variable: i == 1}), enginetest.Config{
			Schedules: n / 2, Want: sim.Results{"out": oracle(in, short)},
			Sim: sim.Config{Scenario: sim.Workers, Seed: uint64(i * 1_000_000)},
		})
		if err != nil {
			t.Errorf("%v\nto run it alone: %s=SEED go test -run '^%s$' ./engine/sim", err, enginetest.Seed, t.Name())
		}
		census.Add(&out.Sum.Census)
		t.Logf("%d schedules, of which %d end with a loss: %d workers died (%d of them zombies), %d tasks came back, %d connections broke, %d checkpoints were damaged, %d of them passed over",
			out.Schedules, out.Lost, out.Sum.Deaths, out.Sum.Zombies, out.Sum.Restores, out.Sum.Cuts, out.Sum.Damages, out.Sum.Passed)
	}
	t.Logf("faults by step:\n%v", &census)
	if f, s, least := census.Least(); !testing.Short() && least < n/500 {
		t.Errorf("%v while %v was met %d times, want %d", f, s, least, n/500)
	}
}

// Seeds that have found bugs, with what they found.
func TestCrewSeeds(t *testing.T) {
	in, short := input(5, 120)
	for _, c := range []struct {
		seed uint64
		bug  string
	}{
		{18, "a log kept what the consumer of a restored task had durable, and was full of it for ever"},
		{76, "an acknowledgement that a broken connection had lost was never said again"},
		{68, "whoever had received all of a lost task's output did not tell its successor what was durable"},
		{89, "a zombie took a result file away from its successor"},
		{724, "a channel wanted from beyond the input's end was taken for a frontier beyond it"},
	} {
		rep, err := sim.Run(diamond(in, short, variant{variable: c.seed%2 == 1}), sim.Config{Scenario: sim.Workers, Seed: c.seed, StepsMax: 300_000})
		if err != nil {
			t.Errorf("%s: %v", c.bug, err)
		} else if diff := rep.Results.Diff(sim.Results{"out": oracle(in, short)}); diff != "" && rep.Outcome == sim.Complete {
			t.Errorf("%s: seed %d: %s", c.bug, c.seed, diff)
		}
	}
}

// A seed decides everything also where workers die.
func TestASeedDecidesOnDeaths(t *testing.T) {
	in, short := input(1, 60)
	for seed := range uint64(20) {
		var digests [2]uint64
		for i := range digests {
			rep, err := sim.Run(diamond(in, short, variant{}), sim.Config{Scenario: sim.Workers, Seed: seed})
			if err != nil {
				t.Fatal(err)
			}
			digests[i] = rep.Digest
		}
		if digests[0] != digests[1] {
			t.Errorf("seed %d gave two schedules", seed)
		}
	}
}
