package measure

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"

	"github.com/fullspate/spate/engine"
)

// Benchmark is a query, with answers of type A, over an input that is described by a P. A is the payload of a stream and a
// pointer-free struct; P goes through JSON without loss.
type Benchmark[P any, A comparable] struct {
	Name    string         // of the program
	Seconds func(in P) int // of input
	// Build declares source and query in g and returns the stream of answers, or says what is wrong with the input. It
	// opens nothing and starts nothing, since the graph may only be looked at.
	Build  func(g *engine.Graph, in P) (engine.Stream[A], error)
	Source string // id of the source, whose tuples are counted
	Sink   string // id for the sink of answers
	// Due is the logical time, in ms, at which an answer is due.
	Due func(a *A) int64
	// Order tells answers to different questions apart and orders them; for one question there is one answer.
	Order func(a, b A) int
	// Reference computes the right answers, in any order. Now and then it calls tick with the part that is done, 0…1,
	// and gives up, with any result, if that returns false.
	Reference func(in P, tick func(done float64) bool) ([]A, error)
}

// Params are the parameters of a benchmark's program: all that a process must know to run a part of it.
type Params[P any] struct {
	Input P       `json:"input"`
	Warm  int     `json:"warm"`  // seconds of input at the beginning whose answers are not timed
	Pace  float64 `json:"pace"`  // of the job; 0: nothing is timed
	Check bool    `json:"check"` // the answers are kept and told
}

// Program is the benchmark as any process can build it. What it tells is a result named AnswersResult.
func (b Benchmark[P, A]) Program() engine.Program {
	return engine.Program{Name: b.Name, Build: func(env *engine.Env, params json.RawMessage) (*engine.Graph, error) {
		p, err := Decode[Params[P]](params)
		if err != nil {
			return nil, err
		}
		if p.Warm < 0 || !(p.Pace >= 0) {
			return nil, fmt.Errorf("a warm-up of %d seconds at pace %v, want neither below 0", p.Warm, p.Pace)
		}
		g := engine.NewGraph(b.Name)
		answers, err := b.Build(g, p.Input)
		if err != nil {
			return nil, err
		}
		c := &collectors[P, A]{benchmark: &b, params: p}
		engine.Sink(g, b.Sink, answers, c.open)
		env.Result(AnswersResult, c.tell)
		return g, nil
	}}
}

// Decode reads a program's parameters. Members that P does not have are refused: they would be misspelled ones.
func Decode[P any](params json.RawMessage) (p P, err error) {
	if len(params) == 0 {
		params = json.RawMessage("{}")
	}
	d := json.NewDecoder(bytes.NewReader(params))
	d.DisallowUnknownFields()
	if err := d.Decode(&p); err != nil {
		return p, fmt.Errorf("parameters %s: %w", clip(params), err)
	}
	if _, err := d.Token(); !errors.Is(err, io.EOF) {
		return p, fmt.Errorf("parameters %s: want one JSON object and nothing behind it", clip(params))
	}
	return p, nil
}

// clip keeps an error readable.
func clip(params json.RawMessage) []byte {
	const most = 200
	if len(params) > most {
		return append(params[:most:most], "…"...)
	}
	return params
}
