package wordcount

import (
	"bytes"
	"time"

	"github.com/fullspate/spate/bench/measure"
	"github.com/fullspate/spate/engine"
)

// The ids of source, operators and sink, for engine.Config.Parallelism.
const (
	FragmentsID   = "fragments"
	SplitterID    = "splitter"
	CounterID     = "counter"
	FrequenciesID = "frequencies"
)

// OperatorIDs returns the ids whose parallelism can be set.
func OperatorIDs() []string { return []string{FragmentsID, SplitterID, CounterID, FrequenciesID} }

// window is the length of a window.
const window = WindowMillis * time.Millisecond

// Source declares a source of the input's fragments in a graph that has no other.
func Source(g *engine.Graph, in *Input) engine.Stream[Fragment] {
	return measure.Source(g, FragmentsID, measure.Generator[Fragment]{
		Splits: in.cfg.Splits, Len: in.Len, Make: in.Fragment, Millis: in.millis,
	})
}

// Query declares the query: how often each word occurred in each window of the fragments.
func Query(g *engine.Graph, fragments engine.Stream[Fragment]) engine.Stream[Frequency] {
	counter := engine.KeyedBytes(g, CounterID, Words(g, fragments), (*Word).Key, count)
	return engine.From[Frequency](counter, "frequencies")
}

// Words declares the part of the query that splits fragments into words.
func Words(g *engine.Graph, fragments engine.Stream[Fragment]) engine.Stream[Word] {
	return engine.From[Word](engine.Stateless(g, SplitterID, fragments, split), "words")
}

// split emits the words of each fragment.
func split(d *engine.Decl) engine.Handler[Fragment] {
	words := engine.Output[Word](d, "words")
	return func(c *engine.Ctx, f *Fragment) {
		for rest := f.Words(); len(rest) > 0; {
			n := bytes.IndexByte(rest, ' ')
			if n < 0 {
				n = len(rest)
			}
			if n > 0 {
				word, err := MakeWord(rest[:n])
				if err != nil {
					c.Fail(err)
					return
				}
				words.Emit(c, &word)
			}
			rest = rest[min(n+1, len(rest)):]
		}
	}
}

// count counts each word until the end of the window in which it first occurred.
func count(d *engine.Decl) engine.Handler[Word] {
	counts := engine.Value[uint64](d, "counts")
	frequencies := engine.Output[Frequency](d, "frequencies")
	end := engine.Timer(d, "window end", func(c *engine.Ctx) {
		word, err := MakeWord(c.KeyBytes())
		if err != nil {
			c.Fail(err)
			return
		}
		frequencies.Emit(c, &Frequency{Word: word, WindowEnd: c.Now().Milliseconds(), Count: *counts.Get(c)})
		counts.Delete(c)
	})
	return func(c *engine.Ctx, _ *Word) {
		n, counted := counts.Upsert(c)
		*n++
		if !counted {
			end.Set(c, c.NextMultiple(window))
		}
	}
}
