package engine

import (
	"context"
	"encoding/json"
	"fmt"
	"sync"
	"time"
)

// Program is a query that any process can build by name, from parameters alone: what an embedding program runs in itself
// as well as on workers, which are the same binary.
type Program struct {
	Name string
	// Build makes the graph. It must yield the same graph for the same parameters in every process, and touch nothing but
	// what it makes: a graph is also built to be looked at, and never run.
	Build func(env *Env, params json.RawMessage) (*Graph, error)
}

// Env is what a process gives a program for one run of it: a place for results, and looks at the run while it goes on.
// Every process that runs a part of the job has its own. Build uses it; afterwards it belongs to who runs the job.
type Env struct {
	results  []taker
	watchers []func(Stats)
}

type taker struct {
	name string
	take func() (any, error)
}

// Result declares something that each process has to tell when its part of the job has ended: take is called once, after
// the last task of the process, and what it returns is encoded as JSON.
func (e *Env) Result(name string, take func() (any, error)) {
	e.results = append(e.results, taker{name, take})
}

// Watch declares a function that is called by one goroutine some four times a second while the job runs, with the counters
// of the tasks in this process, and once more after they have ended, before results are taken.
func (e *Env) Watch(fn func(Stats)) { e.watchers = append(e.watchers, fn) }

// Observe calls what was declared with Watch.
func (e *Env) Observe(s Stats) {
	for _, fn := range e.watchers {
		fn(s)
	}
}

// Results takes what was declared with Result.
func (e *Env) Results() ([]Result, error) {
	var list []Result
	for _, r := range e.results {
		v, err := r.take()
		if err != nil {
			return nil, fmt.Errorf("result %q: %w", r.name, err)
		}
		data, err := json.Marshal(v)
		if err != nil {
			return nil, fmt.Errorf("result %q: %w", r.name, err)
		}
		list = append(list, Result{Name: r.name, Data: data})
	}
	return list, nil
}

// Result is what one process had to tell under one name.
type Result struct {
	Worker string          `json:"worker,omitempty"` // empty where the job ran in the calling process
	Name   string          `json:"name"`
	Data   json.RawMessage `json:"data"`
}

// WatchEvery is how often a running job is looked at for its Env.
const WatchEvery = 250 * time.Millisecond

// Running is a program that is being run, in this process or on workers. Its methods may be called from any goroutine.
type Running interface {
	// Stats reports the counters of all tasks.
	Stats() Stats
	// Done is closed once the job has ended and its results are there.
	Done() <-chan struct{}
	// Wait waits for that and returns what the job failed with.
	Wait() error
	// Drain ends the input now: what has been read is processed, pending timers fire, results are committed.
	Drain()
	// Cancel ends the job in good order but early: see Job.Cancel.
	Cancel()
	// Results are there once the job has ended without an error, or was cancelled.
	Results() []Result
}

// Runner runs programs somewhere.
type Runner interface {
	Start(ctx context.Context, p Program, params json.RawMessage, cfg Config) (Running, error)
}

// Embedded runs programs in the calling process.
type Embedded struct{}

// Start builds the program's graph and starts it. When ctx is done the job is cancelled.
func (Embedded) Start(ctx context.Context, p Program, params json.RawMessage, cfg Config) (Running, error) {
	e := &embedded{env: new(Env), done: make(chan struct{})}
	g, err := p.Build(e.env, params)
	if err != nil {
		return nil, fmt.Errorf("program %q: %w", p.Name, err)
	}
	if e.Job, err = Start(ctx, g, cfg); err != nil {
		return nil, err
	}
	go e.follow()
	return e, nil
}

type embedded struct {
	*Job
	env  *Env
	done chan struct{}

	mu      sync.Mutex
	err     error // guarded by mu, like results
	results []Result
}

func (e *embedded) follow() {
	defer close(e.done)
	ticker := time.NewTicker(WatchEvery)
	defer ticker.Stop()
	for ended := false; !ended; {
		select {
		case <-e.Job.Done():
			ended = true
		case <-ticker.C:
		}
		e.env.Observe(e.Job.Stats())
	}
	results, err := e.env.Results()
	e.mu.Lock()
	defer e.mu.Unlock()
	if e.results, e.err = results, e.Job.Wait(); e.err == nil {
		e.err = err
	}
}

// Done is closed once the job has ended and its results are there.
func (e *embedded) Done() <-chan struct{} { return e.done }

// Wait waits for the end and returns what the job failed with.
func (e *embedded) Wait() error {
	<-e.done
	e.mu.Lock()
	defer e.mu.Unlock()
	return e.err
}

// Results are what the program had to tell.
func (e *embedded) Results() []Result {
	<-e.done
	e.mu.Lock()
	defer e.mu.Unlock()
	return e.results
}
