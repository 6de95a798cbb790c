package sim

import (
	"bytes"
	"cmp"
	"fmt"
	"slices"

	"github.com/fullspate/spate/engine"
	"github.com/fullspate/spate/wire"
	"github.com/fullspate/spate/wire/slab"
)

// Config says what a simulation may do. The zero Config does everything.
type Config struct {
	Seed uint64
	// Scenario says what runs, and what may befall it.
	Scenario Scenario
	// NoCrash keeps tasks from being lost, NoAmnesia operator objects from being forgotten.
	NoCrash, NoAmnesia bool
	// NoNetwork keeps all tasks in one process.
	NoNetwork bool
	// ParallelismMax bounds the number of tasks of an operator; 0 for 4.
	ParallelismMax int
	// StepsMax ends a run that takes too many decisions; 0 for 20 million.
	StepsMax int
	// RealSinks makes the graph's own sinks be written to, besides what the report records of them. Otherwise they are not
	// even opened.
	RealSinks bool
	// Pool gives the slabs; nil for one of the run's own. Sharing it between runs that follow each other saves time.
	Pool *slab.Pool
	// SpillDir, if set, is where logs spill in some of the schedules.
	SpillDir string
}

func (c Config) withDefaults() Config {
	if c.ParallelismMax <= 0 {
		c.ParallelismMax = 4
	}
	if c.StepsMax <= 0 {
		c.StepsMax = 20_000_000
	}
	return c
}

// Report is what a run came to.
type Report struct {
	Seed        uint64
	Nature      string // what the seed decided on at the beginning
	Steps       int    // decisions taken
	Turns       int    // turns of tasks
	Checkpoints int    // that became durable
	Deltas      int    // of these, how many had incremental tables
	Restores    int    // tasks that were lost and came back
	Amnesias    int    // operator objects that were built again
	Asked       int    // checkpoints that a log asked for
	Workers     int    // over which the tasks were spread; 0: they were in one process
	Cuts        int    // connections between workers that broke
	Digest      uint64 // of all decisions: equal for equal schedules
	Outcome     Outcome
	Lost        string // what is lost, where that is the outcome
	Deaths      int    // workers that died, or were given up
	Zombies     int    // of these, how many went on for a while
	Damages     int    // checkpoints that were changed where they were kept
	Passed      int    // checkpoints that were found damaged, and passed over
	Late        int    // checkpoints that arrived though their senders thought otherwise
	Census      Census // of faults, by step
	Results     Results
}

// Scenario is what runs.
type Scenario uint8

// The scenarios.
const (
	Tasks   Scenario = iota // tasks, of which single ones are lost in one process, or whose connections break
	Workers                 // workers, which die as a whole, with what they keep for others
	scenarios
)

var scenarioNames = [scenarios]string{"tasks", "workers"}

// String names the scenario.
func (s Scenario) String() string { return scenarioNames[s] }

// ParseScenario is the scenario of a name.
func ParseScenario(name string) (Scenario, error) {
	if i := slices.Index(scenarioNames[:], name); i >= 0 {
		return Scenario(i), nil
	}
	return 0, fmt.Errorf("scenario %q: want one of %v", name, scenarioNames)
}

// Outcome is how a run has ended that did not go wrong.
type Outcome uint8

// The outcomes.
const (
	Complete Outcome = iota // the sinks were given everything
	Lost                    // the run has ended with an error that says what is lost
)

// Results is what each sink was given, by its id, in order of (τ, hash, order within that hash).
type Results map[string][]Result

// Result is a tuple that a sink was given.
type Result struct {
	Time    wire.Time
	Hash    uint64
	Payload []byte
}

// Diff says where two runs' results differ first, "" for nowhere.
func (r Results) Diff(want Results) string {
	ids := map[string]bool{}
	for id := range r {
		ids[id] = true
	}
	for id := range want {
		ids[id] = true
	}
	for _, id := range sorted(ids) {
		got, exp := r[id], want[id]
		for i := range min(len(got), len(exp)) {
			g, e := got[i], exp[i]
			if g.Time != e.Time || g.Hash != e.Hash || !bytes.Equal(g.Payload, e.Payload) {
				return fmt.Sprintf("sink %q, result %d of %d: got %v hash %#x %x, want %v hash %#x %x", id, i, len(exp),
					g.Time, g.Hash, g.Payload, e.Time, e.Hash, e.Payload)
			}
		}
		if len(got) != len(exp) {
			return fmt.Sprintf("sink %q: got %d results, want %d", id, len(got), len(exp))
		}
	}
	return ""
}

func sorted(set map[string]bool) []string {
	var ids []string
	for id := range set {
		ids = append(ids, id)
	}
	slices.Sort(ids)
	return ids
}

// order sorts the results of a sink's tasks into the one order that does not depend on how many there were.
func order(list []Result) {
	slices.SortStableFunc(list, func(a, b Result) int {
		if c := cmp.Compare(a.Time, b.Time); c != 0 {
			return c
		}
		return cmp.Compare(a.Hash, b.Hash)
	})
}

// Build makes the graph of a run. It is called once for each run, must give a new graph each time, and always the same.
type Build = func() *engine.Graph
