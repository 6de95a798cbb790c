//go:build mutations

package sim_test

import (
	"errors"
	"testing"

	"github.com/fullspate/spate/engine/internal/mutant"
	"github.com/fullspate/spate/engine/sim"
)

// seedsPerMutant is within how many schedules every planted bug must be found.
const seedsPerMutant = 200

// TestMutants plants one bug after another and expects the simulator to find each.
func TestMutants(t *testing.T) {
	in, short := input(1, records)
	want := sim.Results{"out": oracle(in, short)}
	hunt := func(name string, v variant) {
		t.Run(name, func(t *testing.T) {
			for seed := range uint64(seedsPerMutant) {
				rep, err := sim.Run(diamond(in, short, v), sim.Config{Seed: seed, StepsMax: 2_000_000})
				if err != nil {
					t.Logf("found by seed %d: %.200v", seed, err)
					return
				}
				if diff := rep.Results.Diff(want); diff != "" {
					t.Logf("found by seed %d: %s", seed, diff)
					return
				}
			}
			t.Errorf("not found within %d seeds", seedsPerMutant)
		})
	}
	defer func() { mutant.Active = mutant.None }()
	for k := mutant.None + 1; k < mutant.Kinds; k++ {
		if k.OfWorkers() {
			continue
		}
		mutant.Active = k
		hunt(k.String(), variant{variable: k%2 == 0})
	}
	mutant.Active = mutant.None
	hunt("state in a Go field", variant{goField: true})
}

// crewSeedsPerMutant is within how many schedules with workers that die a bug of theirs must be found.
const crewSeedsPerMutant = 500

// TestMutantsOfWorkers plants one bug of the recovery of workers after another, and expects the simulator to find each.
func TestMutantsOfWorkers(t *testing.T) {
	in, short := input(5, 100)
	want := sim.Results{"out": oracle(in, short)}
	defer func() { mutant.Active = mutant.None }()
	for k := mutant.None + 1; k < mutant.Kinds; k++ {
		if !k.OfWorkers() {
			continue
		}
		mutant.Active = k
		t.Run(k.String(), func(t *testing.T) {
			for seed := range uint64(crewSeedsPerMutant) {
				rep, err := sim.Run(diamond(in, short, variant{}), sim.Config{Scenario: sim.Workers, Seed: seed, StepsMax: 300_000})
				if err == nil && rep.Outcome == sim.Complete {
					if diff := rep.Results.Diff(want); diff != "" {
						err = errors.New(diff)
					}
				}
				if err != nil {
					t.Logf("found by seed %d: %.300v", seed, err)
					return
				}
			}
			t.Errorf("not found within %d seeds", crewSeedsPerMutant)
		})
	}
}
