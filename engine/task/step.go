package task

import (
	"bytes"
	"slices"

	"github.com/fullspate/spate/engine/internal/mutant"
	"github.com/fullspate/spate/wire"
)

// item is one thing to do in a step: a tuple to handle or a timer to fire.
type item struct {
	hash uint64
	ord  uint64 // order within a key: timers by name, then tuples by port, upstream range, arrival
	p    Ptr    // the tuple; nil for a timer
	key  []byte // where the operator is keyed by bytes
	port uint16 // port of a tuple, index of a timer
	varl bool   // the payload's size varies
	size uint32 // of the payload
}

const tupleOrd = 1 << 63

// place is an item's place in the order: what decides nearly always, and where the rest is.
type place struct {
	hash uint64
	item uint32
}

// step does everything of one τ, in order of key hash, key, and within a key first timers by name, then tuples by port,
// upstream range and arrival. It returns how many things it did.
func (t *Task) step(tau wire.Time) int {
	t.items, t.places, t.keys = t.items[:0], t.places[:0], t.keys[:0]
	t.ctx.tau, t.ctx.at = tau, t.insts[0]
	t.timers.collect(tau, &t.items)
	for i, ch := range t.channels {
		if t.heads[i] == tau {
			t.collect(ch, uint64(i), tau)
			t.heads[i] = ch.head()
		}
	}
	for i := range t.items {
		t.places = append(t.places, place{t.items[i].hash, uint32(i)})
	}
	if mutant.Active != mutant.TieOrder && !slices.IsSortedFunc(t.places, t.comparePlaces) {
		slices.SortFunc(t.places, t.comparePlaces)
	}
	t.ctx.final = t.final(tau)
	var last *item
	for _, pl := range t.places {
		it := &t.items[pl.item]
		if last != nil && it.p == nil && compareItems(last, it) == 0 {
			continue // a timer that was moved away and back again stands in its list twice
		}
		t.do(it)
		if t.ctx.err != nil {
			break
		}
		last = it
	}
	t.pos = tau + 1
	n := len(t.items)
	clear(t.items)
	if cap(t.items) > itemsKept {
		t.items, t.places, t.keys = nil, nil, nil
	}
	return n
}

// itemsKept bounds the room that is kept for the next step after one of unusual size: 64 Ki items, 4 MiB.
const itemsKept = 1 << 16

func (t *Task) comparePlaces(a, b place) int {
	switch {
	case a.hash != b.hash && mutant.Active == mutant.KeysDescending:
		return cmp(b.hash, a.hash)
	case a.hash != b.hash:
		return cmp(a.hash, b.hash)
	}
	return compareItems(&t.items[a.item], &t.items[b.item])
}

func compareItems(a, b *item) int {
	switch {
	case a.hash != b.hash:
		return cmp(a.hash, b.hash)
	case a.key != nil || b.key != nil:
		if d := bytes.Compare(a.key, b.key); d != 0 {
			return d
		}
	}
	return cmp(a.ord, b.ord)
}

func cmp(a, b uint64) int {
	switch {
	case a < b:
		return -1
	case a > b:
		return 1
	}
	return 0
}

// collect takes all tuples of time tau over from a channel. Channels are kept in order of port and upstream range, so
// the channel's index stands for both.
func (t *Task) collect(ch *Channel, index uint64, tau wire.Time) {
	h := &t.insts[0].Handlers[ch.ID.Port]
	if mutant.Active == mutant.PortOrder {
		index = uint64(len(t.channels)) - index
	}
	for seq := uint64(0); ch.head() == tau; seq++ {
		it := item{hash: tupleHash(ch.p), ord: tupleOrd | index<<44 | seq, p: ch.p, port: uint16(ch.ID.Port)}
		if ch.stride > 0 {
			it.size = uint32(ch.stride) - wire.TupleHeader
		} else {
			it.varl, it.size = true, uint32(varLen(ch.p))
		}
		if h.KeyOf != nil {
			it.key = t.keyOf(h, &it)
		}
		t.items = append(t.items, it)
		if h.Ahead != nil && ch.left <= ch.show {
			ch.lookAhead(ch.p, h)
		}
		ch.pop()
	}
}

// keyOf is an item's key. That of a payload of variable size may lie in what it was decoded into, which the next one is
// decoded into as well.
func (t *Task) keyOf(h *Handler, it *item) []byte {
	key := t.ctx.keyOf(h, it.payload())
	if !it.varl {
		return key
	}
	from := len(t.keys)
	t.keys = append(t.keys, key...)
	return t.keys[from:len(t.keys):len(t.keys)]
}

func (it *item) payload() []byte {
	if it.varl {
		return varPayload(it.p)
	}
	return bytesAt(fixedPayload(it.p), int(it.size))
}

func (t *Task) do(it *item) {
	c, in := &t.ctx, t.insts[0]
	c.at, c.hash, c.key = in, it.hash, it.key
	if it.p == nil {
		t.timers.fire(c, int(it.port))
		return
	}
	in.in++
	h := &in.Handlers[it.port]
	if it.varl {
		h.Bytes(c, it.payload())
		return
	}
	h.Fixed(c, fixedPayload(it.p))
}
