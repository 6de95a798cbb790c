package task

import (
	"testing"

	"github.com/fullspate/spate/buffers"
	"github.com/fullspate/spate/wire"
)

// Two channels whose tuples take turns, so that a batch is one tuple long, then runs of one channel, then more tuples at
// one τ than may be seen at a time: each is seen once, before it is handled, and none of the others long before.
func TestEachTupleIsSeenAheadOnce(t *testing.T) {
	const each = 400
	b := newBench(t)
	var logs [2]*buffers.Log
	for i := range logs {
		l, err := buffers.New(buffers.Config{Stream: 1, PayloadSize: 8, FrameBytes: 4096, CapacityBytes: 1 << 20, Pool: b.pool})
		if err != nil {
			t.Fatal(err)
		}
		b.logs, logs[i] = append(b.logs, l), l
	}
	tau, sent := ms(1), [2]int{}
	send := func(side int) {
		put(logs[side], tau, 0, uint64(side)<<32|uint64(sent[side]))
		sent[side]++
	}
	for i := range each {
		tau++
		send(i % 2)
	}
	for i := range each {
		tau++
		send(i / 100 % 2)
	}
	tau++
	tie := tau
	for range each {
		send(1)
	}
	tau++
	send(0)
	for _, l := range logs {
		l.Seal(tau + 1)
	}

	var seen, handled [2]int // of each channel
	s := b.spec(1, 0, func(_ *Ctx, v uint64) {
		side, i := v>>32, int(uint32(v))
		if i != handled[side] || i >= seen[side] {
			t.Fatalf("tuple %d of channel %d is handled after %d, when %d have been seen", i, side, handled[side], seen[side])
		}
		handled[side]++
	}, nil)
	bind := s.Bind
	s.Bind = func(in *Instance) {
		bind(in)
		in.Handlers[0].Ahead = func(p Ptr, stride uintptr, n int) {
			if n < 1 || n > AheadMax || stride != wire.TupleHeader+8 {
				t.Fatalf("%d tuples of %d bytes are seen at a time, want 1 to %d of %d", n, stride, AheadMax, wire.TupleHeader+8)
			}
			for ; n > 0; n-- {
				v := *(*uint64)(fixedPayload(p))
				side, i := v>>32, int(uint32(v))
				if i != seen[side] || tupleTime(p) < tie && i >= handled[side]+AheadMax {
					t.Fatalf("tuple %d of channel %d is seen after %d, when %d have been handled", i, side, seen[side], handled[side])
				}
				seen[side]++
				if n > 1 {
					p = at(p, stride)
				}
			}
		}
	}
	tk := b.task(s)
	tk.Connect(b.channel(logs[0], ChannelID{0, 0}, 0))
	tk.Connect(b.channel(logs[1], ChannelID{0, 1 << 63}, 0))
	for tk.Position() <= tau {
		b.run(tk, 7)
	}
	if handled != sent || seen != sent {
		t.Errorf("%v tuples were handled and %v seen, want %v", handled, seen, sent)
	}
}
