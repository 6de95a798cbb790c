package recovery

import (
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"github.com/fullspate/spate/bench/measure"
	"github.com/fullspate/spate/bench/wordcount"
	"github.com/fullspate/spate/engine"
)

// The ids of source, operators and sink. A dictionary's input needs no splitter.
const (
	SourceID   = wordcount.FragmentsID
	SplitterID = wordcount.SplitterID
	CounterID  = wordcount.CounterID
	SinkID     = "counts"
)

// Count is what the counter says of a word: each time that it occurs, and at the end of a window.
type Count struct {
	Word  wordcount.Word
	End   int64  // of the window in ms; 0: there is none
	Times uint64 // that the word has occurred in the window
	Final uint64 // 1 at the window's end, else 0
}

// Params are the parameters of the program.
type Params struct {
	Input Input   `json:"input"`
	Pace  float64 `json:"pace"` // of the job
}

// check reports every problem at once.
func (p Params) check() error {
	err := p.Input.check()
	if !(p.Pace > 0) {
		err = errors.Join(err, fmt.Errorf("recovery: a pace of %v, want more than 0: without one nothing is due", p.Pace))
	}
	return err
}

const (
	programName = "recovery"
	toldResult  = "arrivals"
)

// Programs returns the query as a program; its parameters are a Params.
func Programs() []engine.Program {
	return []engine.Program{{Name: programName, Build: func(env *engine.Env, params json.RawMessage) (*engine.Graph, error) {
		p, err := measure.Decode[Params](params)
		if err != nil {
			return nil, err
		}
		return build(env, p)
	}}}
}

func build(env *engine.Env, p Params) (*engine.Graph, error) {
	if err := p.check(); err != nil {
		return nil, err
	}
	g := engine.NewGraph(programName)
	var counter *engine.Op
	if p.Input.Load > 0 {
		counter = engine.KeyedBytes(g, CounterID, p.Input.dictionary(g), (*wordcount.Word).Key, keep)
	} else {
		in, err := p.Input.text()
		if err != nil {
			return nil, err
		}
		counter = engine.KeyedBytes(g, CounterID, wordcount.Words(g, wordcount.Source(g, in)), (*wordcount.Word).Key, count)
	}
	all := &arrivals{pace: p.Pace}
	engine.Sink(g, SinkID, engine.From[Count](counter, "counts"), all.open)
	env.Result(toldResult, all.tell)
	return g, nil
}

// count counts each word until the end of the window in which it first occurred, and tells each count.
func count(d *engine.Decl) engine.Handler[wordcount.Word] {
	const window = wordcount.WindowMillis * time.Millisecond
	counts := engine.Value[uint64](d, "counts")
	out := engine.Output[Count](d, "counts")
	end := engine.Timer(d, "window end", func(c *engine.Ctx) {
		word, err := wordcount.MakeWord(c.KeyBytes())
		if err != nil {
			c.Fail(err)
			return
		}
		out.Emit(c, &Count{Word: word, End: c.Now().Milliseconds(), Times: *counts.Get(c), Final: 1})
		counts.Delete(c)
	})
	return func(c *engine.Ctx, w *wordcount.Word) {
		n, counted := counts.Upsert(c)
		*n++
		next := c.NextMultiple(window)
		if !counted {
			end.Set(c, next)
		}
		out.Emit(c, &Count{Word: *w, End: next.Milliseconds(), Times: *n})
	}
}

// entry is what is kept of a word of a dictionary; with the word it is EntryBytes long.
type entry struct {
	times uint64
	rest  [EntryBytes - 8 - 8]byte
}

// keep counts each word for good, and tells each count.
func keep(d *engine.Decl) engine.Handler[wordcount.Word] {
	entries := engine.Value[entry](d, "entries")
	out := engine.Output[Count](d, "counts")
	return func(c *engine.Ctx, w *wordcount.Word) {
		e, _ := entries.Upsert(c)
		e.times++
		e.rest[e.times%uint64(len(e.rest))] = byte(e.times) // what the entry holds is different in every one
		out.Emit(c, &Count{Word: *w, Times: e.times})
	}
}
