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

// step does everything of one τ, in order of key hash, key, and within a key first timers by name, then tuples by port,
// upstream range and arrival. It returns how many things it did.
func (t *Task) step(tau wire.Time) int {
	t.items = t.items[:0]
	t.timers.collect(tau, &t.items)
	for i, ch := range t.channels {
		if t.heads[i] == tau {
			t.collect(ch, uint64(i), tau)
			t.heads[i] = ch.head()
		}
	}
	items := t.items
	if mutant.Active != mutant.TieOrder && !slices.IsSortedFunc(items, compareItems) {
		slices.SortFunc(items, compareItems)
	}
	t.ctx.tau = tau
	t.ctx.final = t.final(tau)
	for i := range items {
		if i > 0 && items[i].p == nil && compareItems(items[i-1], items[i]) == 0 {
			continue // a timer that was moved away and back again stands in its list twice
		}
		t.do(&items[i])
		if t.ctx.err != nil {
			break
		}
	}
	t.pos = tau + 1
	n := len(items)
	clear(items)
	if cap(items) > itemsKept {
		t.items = nil
	}
	return n
}

// itemsKept bounds the room that is kept for the next step after one of unusual size: 64 Ki items, 4 MiB.
const itemsKept = 1 << 16

func compareItems(a, b item) int {
	switch {
	case a.hash != b.hash && mutant.Active == mutant.KeysDescending:
		return cmp(b.hash, a.hash)
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
			it.key = h.KeyOf(it.payload())
		}
		t.items = append(t.items, it)
		ch.pop()
	}
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
