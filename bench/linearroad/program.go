package linearroad

import (
	"encoding/json"
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/fullspate/spate/bench/linearroad/format"
	"github.com/fullspate/spate/bench/linearroad/history"
	"github.com/fullspate/spate/bench/linearroad/query"
	"github.com/fullspate/spate/bench/linearroad/traffic"
	"github.com/fullspate/spate/bench/measure"
	"github.com/fullspate/spate/engine"
)

// Programs returns the query over generated expressways, whose parameters are a Params, and over files, whose parameters
// are a FileParams.
func Programs() []engine.Program { return []engine.Program{generatedProgram(), fileProgram()} }

func generatedProgram() engine.Program {
	return engine.Program{Name: "linearroad", Build: func(env *engine.Env, params json.RawMessage) (*engine.Graph, error) {
		p, err := measure.Decode[Params](params)
		if err != nil {
			return nil, err
		}
		if err := p.Validate(); err != nil {
			return nil, err
		}
		return p.build(env), nil
	}}
}

func fileProgram() engine.Program {
	return engine.Program{Name: "linearroad-file", Build: func(env *engine.Env, params json.RawMessage) (*engine.Graph, error) {
		p, err := measure.Decode[FileParams](params)
		if err != nil {
			return nil, err
		}
		if err := p.Validate(); err != nil {
			return nil, err
		}
		return p.build(env), nil
	}}
}

// Params are what a process must know to run a part of the query over generated expressways.
type Params struct {
	Seed      uint64      `json:"seed"`  // of the traffic and of the history
	Xways     int         `json:"xways"` // 1…4096
	From      int         `json:"from"`  // first second of the traffic
	To        int         `json:"to"`    // the second after the last, 1…10800
	Hostile   bool        `json:"hostile,omitempty"`
	Replicate bool        `json:"replicate,omitempty"`
	Rules     query.Rules `json:"rules,omitempty"` // by name; none: paper
	Warm      int         `json:"warm,omitempty"`  // seconds of traffic at the beginning whose answers are not timed
	Pace      float64     `json:"pace,omitempty"`  // of the job; 0: nothing is timed
	// Sample are the expressways whose answers are validated, ascending. One process must have all tasks of the sinks with
	// answers then.
	Sample []uint16 `json:"sample,omitempty"`
}

// Validate reports every problem at once.
func (p Params) Validate() error {
	errs := []error{p.traffic().Validate()}
	if p.To == 0 {
		errs = append(errs, errors.New("the traffic ends at second 0, want a later one"))
	}
	if p.Warm < 0 || !(p.Pace >= 0) {
		errs = append(errs, fmt.Errorf("a warm-up of %d seconds at pace %v, want neither below 0", p.Warm, p.Pace))
	}
	for i, x := range p.Sample {
		if int(x) >= p.Xways || i > 0 && x <= p.Sample[i-1] {
			errs = append(errs, fmt.Errorf("the sample is %v, want ascending expressways below %d", p.Sample, p.Xways))
			break
		}
	}
	return errors.Join(errs...)
}

func (p *Params) traffic() traffic.Config {
	return traffic.Config{
		Seed: p.Seed, Xways: p.Xways, From: p.From, To: p.To, Hostile: p.Hostile, Replicate: p.Replicate,
	}
}

// origin is the logical time of second 0: logical time begins with the first second of the run.
func (p *Params) origin() time.Duration { return -time.Duration(p.From) * time.Second }

// build declares the query, and in env what a process has to tell of its part of it.
func (p *Params) build(env *engine.Env) *engine.Graph {
	g := engine.NewGraph("linearroad")
	made := sync.OnceValues(func() (*traffic.Traffic, error) { return traffic.New(p.traffic()) })
	tuples := query.Generated(g, made, p.Xways, p.From, p.To, p.origin())
	roads := query.RoadWeights(p.Xways)
	s := query.Build(g, tuples, query.Config{Rules: p.Rules, Origin: p.origin(), Roads: roads, BuiltIn: p.toll})

	ms := &meters{pace: p.Pace, from: time.Duration(p.Warm) * time.Second}
	var j *judge
	if len(p.Sample) > 0 {
		j = &judge{params: p, traffic: made}
		env.Watch(j.advance)
		env.Result(validationResult, j.tell)
	}
	observe(g, s.Tolls, tolls, ms, j).SetWeights(roads)
	observe(g, s.Alerts, alerts, ms, j).SetWeights(roads)
	observe(g, s.Balances, balances, ms, j)
	observe(g, s.Expenditures, expenditures, ms, j)
	tell(env, ms, count(g, s))
	return g
}

// toll is the built-in history as the query asks for it.
func (p *Params) toll(vid uint32, day uint8, xway uint16) int64 {
	return int64(history.Toll(p.Seed, vid, day, xway))
}

// lookup is the built-in history as the validator asks for it.
func (p *Params) lookup(vid uint32, day uint8, xway uint16) (int64, bool) {
	home, toll, ok := history.Lookup(p.Seed, vid, day)
	return int64(toll), ok && home == xway
}

// FileParams are what a process must know to run a part of the query over files. All processes see the same files, by the
// same names.
type FileParams struct {
	Input   string      `json:"input"`
	History string      `json:"history,omitempty"` // none: every expenditure is 0
	Out     string      `json:"out"`               // directory for the answers
	Rules   query.Rules `json:"rules,omitempty"`   // by name; none: paper
	SkipBad bool        `json:"skip_bad,omitempty"`
	Lead    int         `json:"lead,omitempty"` // seconds before second 0 that are there to load the history
	Pace    float64     `json:"pace,omitempty"` // of the job; 0: nothing is timed
}

// Validate reports every problem at once.
func (p FileParams) Validate() error {
	var errs []error
	if p.Input == "" {
		errs = append(errs, errors.New("no input file is named"))
	}
	if p.Out == "" {
		errs = append(errs, errors.New("no directory for the answers is named"))
	}
	if p.Lead < 0 || p.History != "" && p.Lead == 0 || !(p.Pace >= 0) {
		errs = append(errs, fmt.Errorf("a lead of %d seconds at pace %v, want neither below 0, and a lead of 1 or more for a history", p.Lead, p.Pace))
	}
	return errors.Join(errs...)
}

// lead is the logical time of second 0.
func (p *FileParams) lead() time.Duration { return time.Duration(p.Lead) * time.Second }

// files are the source's.
func (p *FileParams) files() *query.FileInput {
	return &query.FileInput{Path: p.Input, History: p.History, SkipBad: p.SkipBad, Origin: p.lead()}
}

// build declares the query, and in env what a process has to tell of its part of it.
func (p *FileParams) build(env *engine.Env) *engine.Graph {
	g := engine.NewGraph("linearroad-file")
	in := p.files()
	s := query.Build(g, in.Source(g), query.Config{Rules: p.Rules, Origin: p.lead(), Loaded: p.History})

	ms := &meters{pace: p.Pace}
	store(g, s.Tolls, tolls, ms, p)
	store(g, s.Alerts, alerts, ms, p)
	store(g, s.Balances, balances, ms, p)
	store(g, s.Expenditures, expenditures, ms, p)
	env.Result(inputResult, func() (any, error) { return fedBy(in), nil })
	env.Result(historyResult, func() (any, error) { return in.Loaded(), nil })
	tell(env, ms, count(g, s))
	return g
}

// kind is a kind of answer: of which type, from which sink.
type kind[T any] struct {
	sink   string
	typ    format.Type
	above  func(*T) bool // whether its toll or balance is above 0
	answer func(*T) format.Answer
}

var (
	tolls = kind[query.Notice]{TollsID, format.Position,
		func(n *query.Notice) bool { return n.Excess != 0 }, (*query.Notice).Answer}
	alerts = kind[query.Notice]{AlertsID, format.Accident,
		func(*query.Notice) bool { return false }, (*query.Notice).AlertAnswer}
	balances = kind[query.BalanceAnswer]{BalancesID, format.Balance,
		func(a *query.BalanceAnswer) bool { return a.Balance > 0 }, (*query.BalanceAnswer).Answer}
	expenditures = kind[query.ExpenditureAnswer]{ExpendituresID, format.Expenditure,
		func(e *query.ExpenditureAnswer) bool { return e.Toll > 0 }, (*query.ExpenditureAnswer).Answer}
)
