package sim_test

import (
	"cmp"
	"encoding/binary"
	"math/rand/v2"
	"slices"

	"github.com/fullspate/spate/engine"
	"github.com/fullspate/spate/engine/sim"
	"github.com/fullspate/spate/partition"
	"github.com/fullspate/spate/wire"
)

// The oracle computes the same without the engine: an operator at a time, over all of its input, in plain maps.

type event struct {
	time wire.Time
	hash uint64 // of the key in whose step it was emitted
	v    tuple
	w    word
}

// oracleOp is a keyed operator: its inputs in order, what it does, and its timers.
type oracleOp struct {
	ports  [][]event
	end    wire.Time
	keyOf  func(*event) string
	hashOf func(string) uint64
	handle func(o *oracleOp, port int, e *event)
	fire   []func(o *oracleOp)
	due    []map[string]uint64 // by timer and key: ms
	outs   [][]event
	now    wire.Time
	key    string
	hash   uint64
	final  bool
	agenda []uint64 // ms at which something may be due, ascending
}

func (o *oracleOp) emit(out int, v tuple, w word) {
	o.outs[out] = append(o.outs[out], event{o.now, o.hash, v, w})
}

func (o *oracleOp) set(timer int, ms uint64) {
	if o.final {
		return
	}
	o.due[timer][o.key] = ms
	if i, ok := slices.BinarySearch(o.agenda, ms); !ok {
		o.agenda = slices.Insert(o.agenda, i, ms)
	}
}

func (o *oracleOp) next(d uint64) uint64 { return (o.now.Millis()/d + 1) * d }

type todo struct {
	hash        uint64
	key         string
	timer, port int // timer −1 for a tuple
	seq         int
	e           *event
}

func (o *oracleOp) run() {
	at := make([]int, len(o.ports))
	for {
		o.now = wire.TimeMax
		for p, list := range o.ports {
			if at[p] < len(list) {
				o.now = min(o.now, list[at[p]].time)
			}
		}
		if len(o.agenda) > 0 {
			o.now = min(o.now, wire.TimerTime(o.agenda[0]))
		}
		if o.now == wire.TimeMax {
			return
		}
		var list []todo
		if o.now.IsTimer() && len(o.agenda) > 0 && o.agenda[0] == o.now.Millis() {
			o.agenda = o.agenda[1:]
			for i := range o.due {
				for key, ms := range o.due[i] {
					if ms == o.now.Millis() {
						list = append(list, todo{hash: o.hashOf(key), key: key, timer: i, port: -1})
					}
				}
			}
		}
		for p := range o.ports {
			for ; at[p] < len(o.ports[p]) && o.ports[p][at[p]].time == o.now; at[p]++ {
				e := &o.ports[p][at[p]]
				key := o.keyOf(e)
				list = append(list, todo{hash: o.hashOf(key), key: key, timer: -1, port: p, seq: at[p], e: e})
			}
		}
		slices.SortFunc(list, func(a, b todo) int {
			return cmp.Or(cmp.Compare(a.hash, b.hash), cmp.Compare(a.key, b.key), cmp.Compare(a.port, b.port), cmp.Compare(a.timer, b.timer), cmp.Compare(a.seq, b.seq))
		})
		o.final = o.now >= o.end
		for _, d := range list {
			o.key, o.hash = d.key, d.hash
			if d.e != nil {
				o.handle(o, d.port, d.e)
			} else if ms, ok := o.due[d.timer][d.key]; ok && ms == o.now.Millis() {
				delete(o.due[d.timer], d.key)
				o.fire[d.timer](o)
			}
		}
	}
}

func newOracle(outs, timers int) *oracleOp {
	o := &oracleOp{outs: make([][]event, outs)}
	for range timers {
		o.due = append(o.due, map[string]uint64{})
	}
	return o
}

func intKey(k uint64) string     { return string(binary.BigEndian.AppendUint64(nil, k)) }
func intHash(key string) uint64  { return partition.HashUint64(binary.BigEndian.Uint64([]byte(key))) }
func byteHash(key string) uint64 { return partition.HashBytes([]byte(key)) }
func tupleKey(e *event) string   { return intKey(e.v.Key) }
func wordKey(e *event) string    { return string(e.w.key()) }

// generator is what Ctx.Rand gives one operator.
type generator struct {
	id   string
	time wire.Time
	hash uint64
	gen  *rand.Rand
}

func (g *generator) next(t wire.Time, hash uint64) uint64 {
	if g.gen == nil || g.time != t || g.hash != hash {
		g.time, g.hash = t, hash
		g.gen = rand.New(rand.NewPCG(partition.HashBytes([]byte(g.id))^uint64(t), hash))
	}
	return g.gen.Uint64()
}

// timed gives the records of splits their times, and says where the input ends.
func timed(first uint16, splits ...[]engine.Record[tuple]) (list []event, end wire.Time) {
	for i, rows := range splits {
		next := wire.At(0, first+uint16(i), 1)
		for _, r := range rows {
			next = max(next, wire.At(uint64(r.Millis), first+uint16(i), 1))
			list = append(list, event{time: next, hash: partition.HashUint64(uint64(next)), v: r.Value})
			next = next.Next()
		}
		end = max(end, next)
	}
	slices.SortFunc(list, func(a, b event) int { return cmp.Compare(a.time, b.time) })
	return list, end
}

// oracle is what the diamond's sink must be given.
func oracle(in [][]engine.Record[tuple], short []engine.Record[tuple]) []sim.Result {
	rows, end := timed(0, in...)
	brief, briefEnd := timed(3, short)
	fan := oracleFan(rows, end)
	var thin, pass []event
	thinRand := generator{id: "thin"}
	for _, e := range fan.outs[0] {
		if e.v.Value%3 != 0 {
			e.v.Value += thinRand.next(e.time, e.hash) % 2
			thin = append(thin, e)
		}
	}
	for _, e := range brief {
		e.v.Key %= joinKeys
		pass = append(pass, e)
	}
	words := oracleWords(fan.outs[1], end)
	join := oracleJoin([][]event{thin, words.outs[0], nil, pass}, max(end, briefEnd))
	var results []sim.Result
	for _, e := range join.outs[0] {
		payload := binary.LittleEndian.AppendUint64(nil, e.v.Key)
		results = append(results, sim.Result{Time: e.time, Hash: e.hash, Payload: binary.LittleEndian.AppendUint64(payload, e.v.Value)})
	}
	return results
}

func oracleFan(rows []event, end wire.Time) *oracleOp {
	o := newOracle(2, 2)
	o.ports, o.end, o.keyOf, o.hashOf = [][]event{rows}, end, tupleKey, intHash
	state := map[string]*chain{}
	at := func() *chain {
		if state[o.key] == nil {
			state[o.key] = &chain{}
		}
		return state[o.key]
	}
	emit := func(nl, nr, h uint64) {
		for i := range nl {
			o.emit(0, leftOf(h, i), word{})
		}
		for i := range nr {
			o.emit(1, tuple{}, wordOf(mix(h, i)))
		}
	}
	o.fire = []func(*oracleOp){func(o *oracleOp) {
		s := at()
		s.Hash = mix(s.Hash, uint64(o.now), 99)
		emit(2, 1, s.Hash)
		if s.Hash%3 == 0 {
			o.set(0, o.next(beatMs))
		}
	}, func(o *oracleOp) {
		if s := state[o.key]; s != nil && s.Hash%2 == 0 {
			emit(3, 3, s.Hash)
			delete(state, o.key)
		}
	}}
	o.handle = func(o *oracleOp, _ int, e *event) {
		s := at()
		s.Count++
		s.Hash = mix(s.Hash, e.v.Value, uint64(o.now), s.Count)
		nl, nr := fans(s.Hash)
		emit(nl, nr, s.Hash)
		switch x := s.Hash >> 6 % 16; {
		case x == 0:
			o.set(0, o.next(beatMs))
		case x == 3:
			delete(o.due[0], o.key)
		case x == 4:
			o.set(0, o.next(5*beatMs))
		case x == 5, x == 6:
			o.set(1, o.next(closeMs))
		case x == 7:
			o.set(1, o.now.Millis()+1+s.Hash>>8%500)
		}
	}
	o.run()
	return o
}

func oracleWords(in []event, end wire.Time) *oracleOp {
	o := newOracle(1, 1)
	o.ports, o.end, o.keyOf, o.hashOf = [][]event{in}, end, wordKey, byteHash
	tab, last := map[string]map[uint64]*chain{}, map[string][]byte{}
	o.fire = []func(*oracleOp){func(o *oracleOp) {
		b := last[o.key]
		tail := mix(uint64(len(b)), uint64(b[len(b)-1]))
		var subs []uint64
		for sub := range tab[o.key] {
			subs = append(subs, sub)
		}
		slices.SortFunc(subs, func(a, b uint64) int { return cmp.Compare(partition.HashUint64(a), partition.HashUint64(b)) })
		for _, sub := range subs {
			v := tab[o.key][sub]
			o.emit(0, tuple{mix(v.Hash, sub) % joinKeys, mix(v.Hash, v.Count, tail)}, word{})
			if v.Count > 1 {
				delete(tab[o.key], sub)
			}
		}
		delete(last, o.key)
	}}
	o.handle = func(o *oracleOp, _ int, e *event) {
		if tab[o.key] == nil {
			tab[o.key] = map[uint64]*chain{}
		}
		v := tab[o.key][e.w.Value%6]
		if v == nil {
			v = &chain{}
			tab[o.key][e.w.Value%6] = v
		}
		v.Count++
		v.Hash = mix(v.Hash, e.w.Value, uint64(o.now))
		b := append(last[o.key], byte(e.w.Value))
		last[o.key] = b[max(0, len(b)-20):]
		o.set(0, o.next(closeMs))
	}
	o.run()
	return o
}

func oracleJoin(ports [][]event, end wire.Time) *oracleOp {
	o := newOracle(1, 2)
	o.ports, o.end, o.keyOf, o.hashOf = ports, end, tupleKey, intHash
	state := map[string]*chain{}
	at := func() *chain {
		if state[o.key] == nil {
			state[o.key] = &chain{}
		}
		return state[o.key]
	}
	o.fire = []func(*oracleOp){func(o *oracleOp) {
		s := at()
		s.Hash = mix(s.Hash, uint64(o.now), 1000)
		if s.Hash%4 == 0 {
			delete(o.due[1], o.key)
		}
		o.emit(0, tuple{s.Count, s.Hash}, word{})
		if s.Hash>>8%4 > 0 {
			o.set(0, o.next(beatMs))
		}
	}, func(o *oracleOp) {
		s := at()
		s.Hash = mix(s.Hash, uint64(o.now), 2000)
		o.emit(0, tuple{s.Count, s.Hash}, word{})
	}}
	draw := generator{id: "join"}
	o.handle = func(o *oracleOp, port int, e *event) {
		s := at()
		s.Count++
		s.Hash = mix(s.Hash, uint64(port), e.v.Value, uint64(o.now))
		switch x := s.Hash % 32; {
		case x == 0:
			o.set(0, o.next(beatMs))
		case x < 3:
			o.set(1, o.next(2*beatMs))
		case x == 3:
			delete(o.due[0], o.key)
		case x == 4:
			s.Hash = mix(s.Hash, draw.next(o.now, o.hash))
		case x < 8:
			o.emit(0, tuple{e.v.Key, s.Hash}, word{})
		}
	}
	o.run()
	return o
}
