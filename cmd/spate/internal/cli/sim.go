package cli

import (
	"context"
	"fmt"
	"io"
	"maps"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/fullspate/spate/cmd/spate/internal/report"
	"github.com/fullspate/spate/engine/sim"
)

type simCommand struct {
	Seeds    string `default:"0..999" placeholder:"A..B" help:"Schedules to run, both ends included (default: ${default})."`
	Scenario string `default:"workers" enum:"tasks,workers" placeholder:"tasks|workers" help:"What may be lost: single tasks, or whole workers (default: ${default})."`
	Graph    string `default:"diamond" enum:"diamond,chain" placeholder:"diamond|chain" help:"What runs (default: ${default})."`
	Verbose  bool   `short:"v" name:"verbose" help:"Say of every schedule what it was like and what it came to."`
}

// Help shows examples.
func (simCommand) Help() string {
	return `Runs a graph by schedules that seeds decide on: in virtual time, with tasks or workers lost, connections broken, checkpoints
damaged. Every run's results are compared with those of an undisturbed one. Exit code 3 if any differs, or a rule was broken.

	spate sim --seeds 0..9999 --scenario workers
	spate sim --seeds 17..17 --graph chain -v`
}

// simSummary is the result of the command.
type simSummary struct {
	Schema   string         `json:"schema"`
	Scenario string         `json:"scenario"`
	Graph    string         `json:"graph"`
	Seeds    int            `json:"seeds"`
	Complete int            `json:"complete"` // runs whose results were right
	Lost     int            `json:"lost"`     // runs that ended with an error that says what is lost, as they had to
	Wrong    []string       `json:"wrong"`    // what was wrong, by seed
	Deaths   int            `json:"deaths"`
	Zombies  int            `json:"zombies"`
	Restores int            `json:"restores"`
	Cuts     int            `json:"cuts"`
	Damages  int            `json:"damages"`
	Seconds  float64        `json:"seconds"`
	Faults   map[string]int `json:"faults"` // by fault and step
	census   sim.Census
}

// parseSeeds reads A..B.
func parseSeeds(text string) (from, to uint64, err error) {
	a, b, ok := strings.Cut(text, "..")
	from, errA := strconv.ParseUint(a, 10, 64)
	to, errB := strconv.ParseUint(b, 10, 64)
	if !ok || errA != nil || errB != nil || to < from {
		return 0, 0, fmt.Errorf("--seeds is %q: want A..B, two numbers in order", text)
	}
	return from, to, nil
}

// Validate checks the flags.
func (c *simCommand) Validate() error {
	_, _, err := parseSeeds(c.Seeds)
	return err
}

// Run runs the schedules.
func (c *simCommand) Run(ctx context.Context, out *output) error {
	from, to, err := parseSeeds(c.Seeds)
	if err != nil {
		return usageError{err}
	}
	scenario, err := sim.ParseScenario(c.Scenario)
	if err != nil {
		return usageError{err}
	}
	build := simGraphs[c.Graph]()
	want, err := sim.Reference(build, sim.Config{})
	if err != nil {
		return err
	}
	s := &simSummary{Schema: "spate.sim/1", Scenario: c.Scenario, Graph: c.Graph, Faults: map[string]int{}}
	r := simRunner{command: c, out: out, build: build, scenario: scenario, want: want.Results, next: from, last: to, sum: s}
	began := time.Now()
	var loops sync.WaitGroup
	for range runtime.GOMAXPROCS(0) {
		loops.Go(func() { r.work(ctx) })
	}
	loops.Wait()
	s.Seconds = time.Since(began).Seconds()
	if err := out.result(s, s.text); err != nil {
		return err
	}
	if len(s.Wrong) > 0 {
		return errWrong
	}
	return ctx.Err()
}

// simRunner shares seeds among goroutines.
type simRunner struct {
	command  *simCommand
	out      *output
	build    sim.Build
	scenario sim.Scenario
	want     sim.Results

	mu   sync.Mutex
	next uint64      // guarded by mu
	last uint64      // seed, included
	over bool        // guarded by mu
	sum  *simSummary // guarded by mu
}

// take returns a seed that nobody has run yet.
func (r *simRunner) take() (seed uint64, ok bool) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if seed = r.next; r.over {
		return 0, false
	}
	r.over = seed == r.last
	r.next++
	return seed, true
}

func (r *simRunner) work(ctx context.Context) {
	for ctx.Err() == nil {
		seed, ok := r.take()
		if !ok {
			return
		}
		rep, err := sim.Run(r.build, sim.Config{Seed: seed, Scenario: r.scenario})
		if err == nil && rep.Outcome == sim.Complete {
			if diff := rep.Results.Diff(r.want); diff != "" {
				err = fmt.Errorf("seed %d (%s): %s", seed, rep.Nature, diff)
			}
		}
		r.note(seed, &rep, err)
	}
}

// progressEvery is after how many seeds the command says how far it is.
const progressEvery = 1000

func (r *simRunner) note(seed uint64, rep *sim.Report, err error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	s, outcome := r.sum, "complete"
	switch {
	case err != nil:
		outcome = "WRONG: " + err.Error()
		s.Wrong = append(s.Wrong, err.Error())
		fmt.Fprintf(r.out.Stderr, "spate: %v\nto run this one alone:\n\tspate sim --seeds %d..%d --scenario %s --graph %s -v\n", err, seed, seed, r.command.Scenario, r.command.Graph)
	case rep.Outcome == sim.Lost:
		s.Lost++
		outcome = rep.Lost
	default:
		s.Complete++
	}
	s.add(rep)
	if r.command.Verbose {
		fmt.Fprintf(r.out.Stderr, "seed %d: %s, %d steps, %d deaths, %d tasks back: %s\n", seed, rep.Nature, rep.Steps, rep.Deaths, rep.Restores, outcome)
	} else if s.Seeds%progressEvery == 0 {
		fmt.Fprintf(r.out.Stderr, "spate: %s seeds, %d of them with a loss, %d wrong\n", report.Count(int64(s.Seeds)), s.Lost, len(s.Wrong))
	}
}

// add adds the counters of a run.
func (s *simSummary) add(rep *sim.Report) {
	s.Seeds++
	s.Deaths, s.Zombies, s.Restores = s.Deaths+rep.Deaths, s.Zombies+rep.Zombies, s.Restores+rep.Restores
	s.Cuts, s.Damages = s.Cuts+rep.Cuts, s.Damages+rep.Damages
	s.census.Add(&rep.Census)
	for f := range sim.Faults {
		for step := range sim.Steps {
			if n := rep.Census[f][step]; n > 0 {
				s.Faults[f.String()+" while "+step.String()] += n
			}
		}
	}
}

// text prints the result for people.
func (s *simSummary) text(w io.Writer) error {
	fmt.Fprintf(w, "%d schedules of %s with %s lost, in %.1f s: %.0f/s\n", s.Seeds, s.Graph, s.Scenario, s.Seconds, float64(s.Seeds)/s.Seconds)
	fmt.Fprintf(w, "complete     %d\nlost         %d\nwrong        %d\n", s.Complete, s.Lost, len(s.Wrong))
	fmt.Fprintf(w, "faults       %d workers died, %d of them zombies; %d tasks came back; %d connections broke; %d checkpoints were damaged\n",
		s.Deaths, s.Zombies, s.Restores, s.Cuts, s.Damages)
	if len(slices.Collect(maps.Keys(s.Faults))) == 0 {
		return nil
	}
	_, err := fmt.Fprintf(w, "%v", &s.census)
	return err
}
