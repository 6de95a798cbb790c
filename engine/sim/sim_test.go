package sim_test

import (
	"os"
	"strconv"
	"testing"

	"github.com/fullspate/spate/engine/sim"
	"github.com/fullspate/spate/wire/slab"
	"go.uber.org/goleak"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func TestReferenceAgreesWithTheOracle(t *testing.T) {
	for seed := range uint64(5) {
		in, short := input(seed, 2400)
		rep, err := sim.Reference(diamond(in, short, false), sim.Config{})
		if err != nil {
			t.Fatal(err)
		}
		want := sim.Results{"out": oracle(in, short)}
		if diff := rep.Results.Diff(want); diff != "" {
			t.Fatalf("input %d: %s", seed, diff)
		}
		t.Logf("input %d: %d results", seed, len(want["out"]))
	}
}

func TestTmp(t *testing.T) {
	n, _ := strconv.Atoi(os.Getenv("N"))
	first, _ := strconv.ParseUint(os.Getenv("SPATE_SEED"), 10, 64)
	in, short := input(1, 2000)
	want := sim.Results{"out": oracle(in, short)}
	pool := slab.New(slab.Config{})
	defer pool.Close()
	fails := 0
	var sum sim.Report
	for seed := first; seed < first+uint64(n); seed++ {
		rep, err := sim.Run(diamond(in, short, false), sim.Config{Seed: seed, Pool: pool})
		sum.Steps += rep.Steps
		sum.Checkpoints += rep.Checkpoints
		sum.Deltas += rep.Deltas
		sum.Restores += rep.Restores
		sum.Amnesias += rep.Amnesias
		sum.Turns += rep.Turns
		if err != nil {
			t.Error(err)
		} else if diff := rep.Results.Diff(want); diff != "" {
			t.Errorf("seed %d %s: %s", seed, rep.Nature, diff)
		} else {
			continue
		}
		if fails++; fails > 2 {
			break
		}
	}
	t.Logf("%+v", sum)
}
