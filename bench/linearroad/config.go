package linearroad

import (
	"errors"
	"fmt"
	"maps"
	"runtime"
	"slices"

	"github.com/fullspate/spate/bench/linearroad/query"
	"github.com/fullspate/spate/bench/linearroad/traffic"
	"github.com/fullspate/spate/bench/measure"
	"github.com/fullspate/spate/engine"
)

// The sinks' ids; those of the operators are in package query.
const (
	TollsID        = "tolls"
	AlertsID       = "alerts"
	BalancesID     = "balances"
	ExpendituresID = "expenditures"
	TravelsID      = "travels"  // travel time requests: counted
	ActivityID     = "activity" // what happened on each road in each minute: counted
	TotalsID       = "totals"   // of the balance account: added up
)

// answerSinks are those with answers. A benchmark in one process has a task of each on every loop.
var answerSinks = []string{TollsID, AlertsID, BalancesID, ExpendituresID}

// OperatorIDs returns the ids whose parallelism can be set.
func OperatorIDs() []string {
	return append([]string{
		query.FeederID, query.ForwarderID, query.CalculatorID, query.CollectorID, query.AssessmentID, query.AccountID,
		query.ExpenditureID, TravelsID, ActivityID, TotalsID,
	}, answerSinks...)
}

// Progress says how far a run is; tuples are position reports that were handled.
type Progress = measure.Progress

// Config describes a benchmark over generated traffic.
type Config struct {
	Xways     int    // expressways, 1…4096
	From, To  int    // seconds of the traffic: From is the first, To the one after the last; To 0 means 10800
	Warm      int    // seconds of traffic at the beginning that are not measured, less than To − From
	Seed      uint64 // of the traffic and of the history
	Hostile   bool   // traffic with the cases that implementations get wrong
	Replicate bool   // one expressway, replicated
	Rules     query.Rules

	Repeat       int     // runs; 0 means 1
	Salt         uint64  // chooses the expressways that are validated; operators never see it
	Share        float64 // of the expressways to validate, at least; 0 means 0.04
	NoValidation bool

	Runner   engine.Runner // nil: engine.Embedded
	Engine   engine.Config
	Progress func(Progress) // may be nil
}

// Defaults returns a benchmark that takes about a minute on two cores: fifty expressways at their busiest.
func Defaults() Config {
	return Config{Xways: 50, From: 9000, To: 10800, Warm: 360, Seed: 1, Repeat: 3}
}

// shareDefault is the least share of the expressways that a benchmark's answers should be validated on.
const shareDefault = 0.04

func (c Config) withDefaults() Config {
	if c.To == 0 {
		c.To = traffic.Seconds
	}
	if c.Repeat == 0 {
		c.Repeat = 1
	}
	if c.Share == 0 {
		c.Share = shareDefault
	}
	c.Engine.Parallelism = maps.Clone(c.Engine.Parallelism)
	if c.Engine.Parallelism == nil {
		c.Engine.Parallelism = make(map[string]int)
	}
	for _, id := range answerSinks {
		if embedded(c.Runner) && c.Engine.Parallelism[id] == 0 {
			c.Engine.Parallelism[id] = loops(c.Runner, c.Engine)
		}
	}
	c.Runner = runnerOf(c.Runner)
	return c
}

func runnerOf(r engine.Runner) engine.Runner {
	if r == nil {
		return engine.Embedded{}
	}
	return r
}

// embedded says whether a runner runs everything in the calling process.
func embedded(r engine.Runner) bool {
	switch r.(type) {
	case nil, engine.Embedded:
		return true
	}
	return false
}

// traffic returns what is to be generated.
func (c Config) traffic() traffic.Config {
	return traffic.Config{
		Seed: c.Seed, Xways: c.Xways, From: c.From, To: c.To, Hostile: c.Hostile, Replicate: c.Replicate,
	}
}

// Validate reports every problem at once.
func (c Config) Validate() error {
	errs := []error{c.traffic().Validate(), c.Engine.Validate(), checkParallelism(c.Engine)}
	to := c.To
	if to == 0 {
		to = traffic.Seconds
	}
	if c.Warm < 0 || c.Warm > 0 && c.Warm >= to-c.From {
		errs = append(errs, fmt.Errorf("warm-up of %d seconds, want 0 or more and less than the %d seconds from %d to %d", c.Warm, to-c.From, c.From, to))
	}
	if c.Repeat < 0 {
		errs = append(errs, fmt.Errorf("%d repeats, want at least 1 (0 means 1)", c.Repeat))
	}
	if !(c.Share >= 0 && c.Share <= 1) {
		errs = append(errs, fmt.Errorf("%v of the expressways validated, want 0 (which means %v) to 1", c.Share, shareDefault))
	}
	if c.Rules > query.Official {
		errs = append(errs, fmt.Errorf("rules are %v, want paper or official", c.Rules))
	}
	if !embedded(c.Runner) && !c.NoValidation {
		errs = append(errs, checkSingle(c.Engine, "its answers are validated in one process"))
	}
	return errors.Join(errs...)
}

// checkSingle refuses more than one task for a sink with answers.
func checkSingle(c engine.Config, why string) error {
	var errs []error
	for _, id := range answerSinks {
		if n := c.Parallelism[id]; n > 1 {
			errs = append(errs, fmt.Errorf("parallelism of %q is %d, want 1: %s", id, n, why))
		}
	}
	return errors.Join(errs...)
}

// checkParallelism refuses ids that the query does not have.
func checkParallelism(c engine.Config) error {
	var errs []error
	for _, id := range slices.Sorted(maps.Keys(c.Parallelism)) {
		if !slices.Contains(OperatorIDs(), id) {
			errs = append(errs, fmt.Errorf("parallelism of %q, want one of %v", id, OperatorIDs()))
		}
	}
	return errors.Join(errs...)
}

// FileConfig describes a run over files. Workers open files by name: they are on this machine, or share its file system.
type FileConfig struct {
	Input   string // LINEAR_ROAD §1
	History string // vid,day,xway,toll; empty: there is none, and every expenditure is 0
	Out     string // directory for answers and summary; made if it is not there
	Rules   query.Rules
	SkipBad bool // count bad lines of the input and go on: see format.Reader

	Runner engine.Runner // nil: engine.Embedded
	// Engine may name a directory for checkpoints, if the query runs in the calling process. A run that finds there what one of
	// the same files, rules and pace has left, which did not come to its end, goes on from that.
	Engine   engine.Config
	Save     Save           // a savepoint to be taken while the query runs in the calling process
	Progress func(Progress) // may be nil
	// Resumed is called when a run goes on, with the second of the input from which it does; may be nil.
	Resumed func(second int)
}

// Validate reports every problem at once.
func (c FileConfig) Validate() error {
	errs := []error{c.Engine.Validate(), checkParallelism(c.Engine)}
	if c.Input == "" {
		errs = append(errs, errors.New("no input file is named"))
	}
	if c.Out == "" {
		errs = append(errs, errors.New("no directory for the answers is named"))
	}
	if c.Rules > query.Official {
		errs = append(errs, fmt.Errorf("rules are %v, want paper or official", c.Rules))
	}
	errs = append(errs, checkSingle(c.Engine, "answers in a file are in order of input"))
	if n := c.Engine.Parallelism[query.FeederID]; n > 1 {
		errs = append(errs, fmt.Errorf("parallelism of %q is %d, want 1: files are read by one task", query.FeederID, n))
	}
	return errors.Join(errs...)
}

// loops returns how many loops a configuration comes to; 0 for as many as workers have.
func loops(r engine.Runner, c engine.Config) int {
	if c.Loops > 0 || !embedded(r) {
		return c.Loops
	}
	return runtime.GOMAXPROCS(0)
}
