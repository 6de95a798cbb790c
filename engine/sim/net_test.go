package sim_test

import (
	"testing"

	"github.com/fullspate/spate/engine/sim"
	"github.com/fullspate/spate/wire/slab"
)

// Tasks that are spread over workers, whose connections carry bytes late and in pieces and break, yield what they yield in
// one process; and every end is acknowledged.
func TestDiamondsOverTheNetwork(t *testing.T) {
	pool := slab.New(slab.Config{})
	in, short := input(3, records/8)
	want := sim.Results{"out": oracle(in, short)}
	runs, cuts := 0, 0
	for seed := uint64(0); runs < schedules()/5; seed++ {
		rep, err := sim.Run(diamond(in, short, variant{variable: seed%2 == 1}), sim.Config{Seed: seed, Pool: pool, NoCrash: true})
		if rep.Workers == 0 {
			continue
		}
		runs, cuts = runs+1, cuts+rep.Cuts
		if err != nil {
			t.Fatal(err)
		}
		if diff := rep.Results.Diff(want); diff != "" {
			t.Fatalf("seed %d (%s): %s", seed, rep.Nature, diff)
		}
	}
	if cuts < runs {
		t.Errorf("%d connections broke in %d runs, which proves little", cuts, runs)
	}
	if err := pool.Close(); err != nil {
		t.Error(err)
	}
}
