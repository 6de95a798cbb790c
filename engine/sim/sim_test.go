package sim_test

import (
	"os"
	"path/filepath"
	"runtime/debug"
	"strings"
	"testing"

	"github.com/fullspate/spate/engine"
	"github.com/fullspate/spate/engine/enginetest"
	"github.com/fullspate/spate/engine/sim"
	"github.com/fullspate/spate/wire/slab"
	"go.uber.org/goleak"
)

func TestMain(m *testing.M) {
	debug.SetGCPercent(400)
	goleak.VerifyTestMain(m)
}

// records is the number of records of the longest of the diamond's splits; all splits together have 5,000.
const records = 2070

// schedules is how many of the diamond a test runs for each variant.
func schedules() int {
	if testing.Short() {
		return 20
	}
	return 500
}

func TestReferenceAgreesWithTheOracle(t *testing.T) {
	for seed := range uint64(6) {
		in, short := input(seed, records)
		rep, err := sim.Reference(diamond(in, short, variant{variable: seed%2 == 1}), sim.Config{})
		if err != nil {
			t.Fatal(err)
		}
		want := sim.Results{"out": oracle(in, short)}
		if diff := rep.Results.Diff(want); diff != "" {
			t.Fatalf("input %d: %s", seed, diff)
		}
		if len(want["out"]) < records {
			t.Errorf("input %d has only %d results", seed, len(want["out"]))
		}
	}
}

func TestDiamond(t *testing.T) {
	for i, v := range []variant{{}, {variable: true}} {
		in, short := input(uint64(i), records)
		if n := len(in[0]) + len(in[1]) + len(in[2]) + len(short); n < 5000 {
			t.Fatalf("only %d records", n)
		}
		enginetest.Check(t, diamond(in, short, v), enginetest.Config{
			Schedules: schedules(),
			Want:      sim.Results{"out": oracle(in, short)},
			Sim:       sim.Config{Seed: uint64(i) * 10000, SpillDir: t.TempDir()},
		})
	}
}

// Small inputs are over soon: faults meet the end of the input, and what is told of it, far more often than in large ones.
func TestSmallDiamonds(t *testing.T) {
	for i := range uint64(10) {
		in, short := input(100+i, 20+15*int(i))
		enginetest.Check(t, diamond(in, short, variant{variable: i%2 == 0}), enginetest.Config{
			Schedules: schedules() / 5,
			Want:      sim.Results{"out": oracle(in, short)},
			Sim:       sim.Config{Seed: 100000 * (i + 1)},
		})
	}
}

func TestASeedDecidesEverything(t *testing.T) {
	in, short := input(1, records/10)
	pool := slab.New(slab.Config{})
	seen := map[uint64]bool{}
	for seed := range uint64(20) {
		var digests [2]uint64
		for i := range digests {
			cfg := sim.Config{Seed: seed}
			if i == 0 {
				cfg.Pool = pool // what the pool has been through makes no difference
			}
			rep, err := sim.Run(diamond(in, short, variant{}), cfg)
			if err != nil {
				t.Fatal(err)
			}
			digests[i] = rep.Digest
		}
		if digests[0] != digests[1] {
			t.Errorf("seed %d gave two schedules", seed)
		}
		seen[digests[0]] = true
	}
	if len(seen) != 20 {
		t.Errorf("20 seeds gave %d schedules", len(seen))
	}
	if err := pool.Close(); err != nil {
		t.Error(err)
	}
}

func TestAFileSinkForgetsWhatWasNotCommitted(t *testing.T) {
	in, short := input(2, records/10)
	path, want := filepath.Join(t.TempDir(), "out"), []byte(nil)
	build := func() *engine.Graph {
		if err := os.Remove(path); err != nil && !os.IsNotExist(err) {
			t.Error(err)
		}
		g := diamond(in, short, variant{})()
		op := g.Untyped().Operators[len(g.Untyped().Operators)-1]
		join := op.Inputs[0].From.Decls[0].(engine.Stream[tuple])
		engine.FileSink(g, "file", join, path, func(dst []byte, c *engine.Ctx, v *tuple) []byte {
			return append(dst, strings.Repeat("x", int(v.Value%7))+c.Time().String()+"\n"...)
		})
		return g
	}
	if _, err := sim.Reference(build, sim.Config{RealSinks: true}); err != nil {
		t.Fatal(err)
	}
	want, err := os.ReadFile(path)
	if err != nil || len(want) < 1000 {
		t.Fatalf("%v, %d bytes", err, len(want))
	}
	restores := 0
	for seed := range uint64(8) {
		rep, err := sim.Run(build, sim.Config{Seed: seed, RealSinks: true})
		if err != nil {
			t.Fatal(err)
		}
		restores += rep.Restores
		if got, err := os.ReadFile(path); err != nil || string(got) != string(want) {
			t.Errorf("seed %d: %v, the file has %d bytes, want the same %d as without faults", seed, err, len(got), len(want))
		}
	}
	if restores == 0 {
		t.Error("no task was lost")
	}
}

func TestARunThatDoesNotEndIsReported(t *testing.T) {
	g := func() *engine.Graph {
		g := engine.NewGraph("endless")
		src := engine.NewPush[tuple](1)
		engine.SinkFunc(g, "out", src.Source(g, "in"), func(*engine.Ctx, *tuple) {})
		return g
	}
	_, err := sim.Run(g, sim.Config{Seed: 3, StepsMax: 5000})
	if err == nil || !strings.Contains(err.Error(), "seed 3") || !strings.Contains(err.Error(), "in/0 at") {
		t.Errorf("got %v", err)
	}
}
