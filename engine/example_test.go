package engine_test

import (
	"context"
	"fmt"
	"strings"
	"time"

	"github.com/fullspate/spate/engine"
)

// A word, as it travels: payloads are structs without pointers, and are read in place.
type Word struct{ Text [16]byte }

type Count struct {
	Text [16]byte
	N    uint64
}

func key(w *Word) []byte { return w.Text[:] }

// Example counts words in windows of ten seconds.
func Example() {
	var input []engine.Record[Word]
	for i, s := range strings.Fields("the spate of the river the mill") {
		r := engine.Record[Word]{Millis: int64(i) * 2000} // one word every two seconds
		copy(r.Value.Text[:], s)
		input = append(input, r)
	}

	g := engine.NewGraph("word-count")
	words := engine.SliceSource(g, "words", input)
	counter := engine.KeyedBytes(g, "counter", words, key, func(d *engine.Decl) engine.Handler[Word] {
		n := engine.Value[Count](d, "count") // one value per key, in a slab
		out := engine.Output[Count](d, "counts")
		window := engine.Timer(d, "window", func(c *engine.Ctx) {
			out.Emit(c, n.Get(c))
			n.Delete(c)
		})
		return func(c *engine.Ctx, w *Word) {
			v, _ := n.Upsert(c)
			v.Text = w.Text
			v.N++
			window.Set(c, c.NextMultiple(10*time.Second))
		}
	})
	var lines []string
	engine.SinkFunc(g, "print", engine.From[Count](counter, "counts"), func(c *engine.Ctx, v *Count) {
		lines = append(lines, fmt.Sprintf("%v %s %d", c.Now(), strings.TrimRight(string(v.Text[:]), "\x00"), v.N))
	})

	if _, err := engine.Run(context.Background(), g, engine.Config{}); err != nil {
		fmt.Println(err)
	}
	fmt.Println(strings.Join(lines, "\n"))
	// Output:
	// 10s of 1
	// 10s the 2
	// 10s river 1
	// 10s spate 1
	// 20s the 1
	// 20s mill 1
}
