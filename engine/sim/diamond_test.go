package sim_test

import (
	"bytes"
	"encoding/binary"
	"io"
	"math/rand/v2"
	"time"

	"github.com/fullspate/spate/engine"
	"github.com/fullspate/spate/engine/sim"
	"github.com/fullspate/spate/wire"
)

// The diamond: two paths that part in one operator and meet in another, both with state in which every reordering shows.
//
//	in ──▶ fan ──left──▶ thin ─────────────▶ join ──▶ out
//	        └──right─┬─▶ words (by bytes) ──▶
//	                 └─▶ none ──────────────▶
//	short ──▶ pass ─────────────────────────▶
//
// fan emits up to three tuples at each time along each path, to several keys, and more from timers, whose times join's
// timers share. words emits whole windows at once. none drops everything, so that only its frontier moves. short ends long
// before in does. Timers go off in the end phase too, and set others that are dropped.

type tuple struct{ Key, Value uint64 }

type word struct {
	Text  [8]byte // padded with zeros; no key is empty
	Value uint64
}

type chain struct{ Hash, Count uint64 }

func (t *tuple) key() uint64 { return t.Key }
func (w *word) key() []byte  { return bytes.TrimRight(w.Text[:], "\x00") }

func mix(xs ...uint64) uint64 {
	h := uint64(14695981039346656037)
	for _, x := range xs {
		h = (h ^ x) * 1099511628211
		h ^= h >> 31
	}
	return h * 0x9E3779B97F4A7C15
}

func wordOf(h uint64) word {
	w := word{Value: mix(h, 77)}
	n := 1 + h%4
	for i := range n {
		w.Text[i] = 'a' + byte((h>>(8*i))%3)
	}
	return w
}

// Rules that graph and oracle share: what is computed; but not when, nor in what order.
const (
	manyKeys = 37
	joinKeys = 29
	beatMs   = 8
	closeMs  = 32
)

func leftOf(h uint64, i uint64) tuple { return tuple{mix(h, i, 1) % joinKeys, mix(h, i, 2)} }

func fans(h uint64) (left, right uint64) {
	return [...]uint64{0, 0, 0, 0, 1, 1, 1, 3}[h%8], [...]uint64{0, 0, 0, 0, 0, 1, 1, 2}[h>>3%8]
}

// input makes the splits of both sources.
func input(seed uint64, n int) (in [][]engine.Record[tuple], short []engine.Record[tuple]) {
	r := rand.New(rand.NewPCG(seed, 1))
	make1 := func(n int) []engine.Record[tuple] {
		rows, ms := make([]engine.Record[tuple], n), int64(r.IntN(5))
		for i := range rows {
			ms += [...]int64{0, 0, 0, 0, 1, 1, 2, 8}[r.IntN(8)]
			if r.IntN(200) == 0 {
				ms += 100
			}
			rows[i] = engine.Record[tuple]{Millis: ms, Value: tuple{r.Uint64N(manyKeys), r.Uint64()}}
		}
		return rows
	}
	return [][]engine.Record[tuple]{make1(n), make1(n - n/3), make1(n / 2)}, make1(n / 4)
}

// variant is how a diamond is made.
type variant struct {
	variable bool // words vary in size
	goField  bool // a bug is planted: state that is not declared
}

// words that vary in size: the value, then the text as it is.
var wordCodec = must(wire.Variable("word", func(dst []byte, w *word) []byte {
	return append(binary.LittleEndian.AppendUint64(dst, w.Value), w.key()...)
}, func(src []byte, w *word) error {
	*w = word{Value: binary.LittleEndian.Uint64(src)}
	copy(w.Text[:], src[8:])
	return nil
}))

func must[T any](v T, err error) T {
	if err != nil {
		panic(err)
	}
	return v
}

// diamond makes the graph.
func diamond(in [][]engine.Record[tuple], short []engine.Record[tuple], v variant) sim.Build {
	return func() *engine.Graph {
		g := engine.NewGraph("diamond")
		fan := engine.Keyed(g, "fan", source(g, "in", 0, in...), (*tuple).key, func(d *engine.Decl) engine.Handler[tuple] { return fanOut(d, v) })
		thin := engine.Stateless(g, "thin", engine.From[tuple](fan, "left"), func(d *engine.Decl) engine.Handler[tuple] {
			out := engine.Output[tuple](d, "out")
			return func(c *engine.Ctx, v *tuple) {
				if v.Value%3 != 0 {
					out.Emit(c, &tuple{v.Key, v.Value + c.Rand().Uint64()%2})
				}
			}
		})
		words := engine.KeyedBytes(g, "words", engine.From[word](fan, "right"), (*word).key, window)
		none := engine.Stateless(g, "none", engine.From[word](fan, "right"), func(d *engine.Decl) engine.Handler[word] {
			engine.Output[tuple](d, "out")
			return func(*engine.Ctx, *word) {}
		})
		pass := engine.Stateless(g, "pass", source(g, "short", 3, short), func(d *engine.Decl) engine.Handler[tuple] {
			out := engine.Output[tuple](d, "out")
			return func(c *engine.Ctx, v *tuple) { out.Emit(c, &tuple{v.Key % joinKeys, v.Value}) }
		})
		join := engine.Operator(g, "join", func(d *engine.Decl) {
			joinUp(d, engine.From[tuple](thin, "out"), engine.From[tuple](words, "out"), engine.From[tuple](none, "out"), engine.From[tuple](pass, "out"))
		})
		engine.SinkFunc(g, "out", engine.From[tuple](join, "out"), func(*engine.Ctx, *tuple) {})
		return g
	}
}

func source(g *engine.Graph, id string, first uint16, splits ...[]engine.Record[tuple]) engine.Stream[tuple] {
	spec := engine.SourceSpec[tuple]{Block: 7}
	for i := range splits {
		spec.Splits = append(spec.Splits, engine.Split{Ordinal: first + uint16(i)})
	}
	spec.Open = func(s engine.Split, at engine.Offset) (engine.Reader[tuple], error) {
		return &reader{rows: splits[s.Ordinal-first], at: int(at.Place)}, nil
	}
	return engine.Source(g, id, spec)
}

func fanOut(d *engine.Decl, kind variant) engine.Handler[tuple] {
	st := engine.Value[chain](d, "chain")
	left := engine.Output[tuple](d, "left")
	var right engine.OutputPort[word]
	if kind.variable {
		right = engine.OutputOf(d, "right", wordCodec)
	} else {
		right = engine.Output[word](d, "right")
	}
	var beat engine.TimerState
	emit := func(c *engine.Ctx, nl, nr, h uint64) {
		for i := range nl {
			v := leftOf(h, i)
			left.Emit(c, &v)
		}
		for i := range nr {
			v := wordOf(mix(h, i))
			right.Emit(c, &v)
		}
	}
	beat = engine.Timer(d, "beat", func(c *engine.Ctx) {
		s, _ := st.Upsert(c)
		s.Hash = mix(s.Hash, uint64(c.Time()), 99)
		emit(c, 2, 1, s.Hash)
		if s.Hash%3 == 0 {
			beat.Set(c, c.NextMultiple(beatMs*time.Millisecond))
		}
	})
	late := engine.Timer(d, "late", func(c *engine.Ctx) {
		if s := st.Get(c); s != nil && s.Hash%2 == 0 {
			emit(c, 3, 3, s.Hash)
			st.Delete(c)
		}
	})
	var field uint64
	return func(c *engine.Ctx, v *tuple) {
		s, _ := st.Upsert(c)
		s.Count++
		s.Hash = mix(s.Hash, v.Value, uint64(c.Time()), s.Count)
		if kind.goField {
			field++
			s.Hash += field / 1000
		}
		nl, nr := fans(s.Hash)
		emit(c, nl, nr, s.Hash)
		switch s.Hash >> 6 % 16 {
		case 0:
			beat.Set(c, c.NextMultiple(beatMs*time.Millisecond))
		case 3:
			beat.Cancel(c)
		case 4:
			beat.Set(c, c.NextMultiple(5*beatMs*time.Millisecond))
		case 5, 6:
			late.Set(c, c.NextMultiple(closeMs*time.Millisecond))
		case 7:
			late.Set(c, c.Now()+time.Duration(1+s.Hash>>8%500)*time.Millisecond)
		}
	}
}

func window(d *engine.Decl) engine.Handler[word] {
	tab := engine.Table[chain](d, "seen")
	last := engine.Bytes(d, "last")
	out := engine.Output[tuple](d, "out")
	end := engine.Timer(d, "close", func(c *engine.Ctx) {
		b, _ := last.Get(c)
		tail := mix(uint64(len(b)), uint64(b[len(b)-1]))
		tab.Each(c, func(sub uint64, v *chain) bool {
			out.Emit(c, &tuple{mix(v.Hash, sub) % joinKeys, mix(v.Hash, v.Count, tail)})
			return true
		})
		tab.DeleteIf(c, func(_ uint64, v *chain) bool { return v.Count > 1 })
		last.Delete(c)
	})
	return func(c *engine.Ctx, w *word) {
		v, _ := tab.Upsert(c, w.Value%6)
		v.Count++
		v.Hash = mix(v.Hash, w.Value, uint64(c.Time()))
		b, _ := last.Get(c)
		b = append(bytes.Clone(b), byte(w.Value))
		last.Set(c, b[max(0, len(b)-20):])
		end.Set(c, c.NextMultiple(closeMs*time.Millisecond))
	}
}

func joinUp(d *engine.Decl, ins ...engine.Stream[tuple]) {
	st := engine.Value[chain](d, "chain")
	out := engine.Output[tuple](d, "out")
	var a, b engine.TimerState
	a = engine.Timer(d, "a", func(c *engine.Ctx) {
		s, _ := st.Upsert(c)
		s.Hash = mix(s.Hash, uint64(c.Time()), 1000)
		if s.Hash%4 == 0 {
			b.Cancel(c)
		}
		out.Emit(c, &tuple{s.Count, s.Hash})
		if s.Hash>>8%4 > 0 {
			a.Set(c, c.NextMultiple(beatMs*time.Millisecond))
		}
	})
	b = engine.Timer(d, "b", func(c *engine.Ctx) {
		s, _ := st.Upsert(c)
		s.Hash = mix(s.Hash, uint64(c.Time()), 2000)
		out.Emit(c, &tuple{s.Count, s.Hash})
	})
	for port, in := range ins {
		engine.KeyedInput(d, in, (*tuple).key, func(c *engine.Ctx, v *tuple) {
			s, _ := st.Upsert(c)
			s.Count++
			s.Hash = mix(s.Hash, uint64(port), v.Value, uint64(c.Time()))
			switch s.Hash % 32 {
			case 0:
				a.Set(c, c.NextMultiple(beatMs*time.Millisecond))
			case 1, 2:
				b.Set(c, c.NextMultiple(2*beatMs*time.Millisecond))
			case 3:
				a.Cancel(c)
			case 4:
				s.Hash = mix(s.Hash, c.Rand().Uint64())
			case 5, 6, 7:
				out.Emit(c, &tuple{v.Key, s.Hash})
			}
		})
	}
}

// reader reads a slice, a few records at a time, and can be opened anywhere in it.
type reader struct {
	rows []engine.Record[tuple]
	at   int
}

func (r *reader) Read(dst []engine.Record[tuple]) (int, error) {
	if r.at == len(r.rows) {
		return 0, io.EOF
	}
	n := copy(dst, r.rows[r.at:])
	r.at += n
	return n, nil
}

func (r *reader) Close() error { return nil }
func (r *reader) Peek() (int64, bool) {
	if r.at < len(r.rows) && r.at%3 == 0 {
		return r.rows[r.at].Millis, true
	}
	return 0, false
}
func (r *reader) Offset() engine.Offset { return engine.Offset{Place: int64(r.at)} }
