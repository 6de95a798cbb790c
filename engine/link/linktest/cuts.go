package linktest

import (
	"testing"

	"github.com/fullspate/spate/engine/link"
	"github.com/fullspate/spate/engine/link/pipe"
	"github.com/fullspate/spate/wire/slab"
)

// Cut runs a short conversation of two links, in which both send, once for every byte (for some of them, with -short) at
// which the connection may break in either direction. After that it goes on over a new one. What is read must always be what
// was written.
func Cut(t *testing.T) {
	stride := 1
	if testing.Short() {
		stride = 11
	}
	whole := newTalk(t)
	whole.run(-1, -1)
	lengths := whole.carried
	whole.close()
	for side, n := range lengths {
		if n < 2000 {
			t.Fatalf("a conversation of %v bytes", lengths)
		}
		for at := 0; at < n; at += stride {
			k := newTalk(t)
			k.run(side, at)
			k.close()
			if t.Failed() {
				t.Fatalf("cut after %d bytes from side %d", at, side)
			}
		}
	}
}

// talk is two links on one goroutine, and what they carry in both directions.
type talk struct {
	t       *testing.T
	pool    *slab.Pool
	links   [2]*link.Link
	writers [2]*writer
	readers [2]*reader
	carried [2]int // bytes that arrived from each side, over all connections
}

func newTalk(t *testing.T) *talk {
	k := &talk{t: t, pool: slab.New(slab.Config{})}
	s := Script{Channels: 2, Steps: 10, TupleMax: 2, Burst: 16, Payload: 16, FrameBytes: 256, LogBytes: 4 << 10, Turn: 3}
	for i := range 2 {
		k.links[i] = link.New(link.Config{Pool: k.pool, Owner: "received", Peer: "peer", Window: 512, TurnBytes: 600})
	}
	for i := range 2 {
		s.Vary = i == 1
		w := newWriter(k.pool, s, uint64(i))
		var feeds []*link.Feed
		for ch, l := range w.logs {
			k.links[i].Send(uint32(ch), 5, l)
			feeds = append(feeds, k.links[1-i].Receive(uint32(ch), 5, s.spec()))
		}
		k.writers[i], k.readers[i] = w, newReader(uint64(i), feeds...)
	}
	return k
}

// run talks to the end, over a connection that breaks when so many bytes have arrived from one side.
func (k *talk) run(side, at int) {
	p := k.attach()
	for turns := 0; !k.over(); turns++ {
		if turns > 10_000 {
			k.t.Fatal("no end")
		}
		for i, end := range []*pipe.End{p.A, p.B} {
			k.writers[i].turn()
			k.readers[i].turn()
			if _, _, err := k.links[i].Flush(); err != nil {
				k.t.Fatal(err)
			}
			n, cut := end.Flight(), false
			if i == side && k.carried[i]+n >= at {
				n, cut, side = at-k.carried[i], true, -1
			}
			k.carried[i] += end.Deliver(n)
			if err := k.links[1-i].Traffic(); err != nil {
				k.t.Fatal(err)
			}
			if cut {
				k.links[0].Detach()
				k.links[1].Detach()
				p = k.attach()
				break
			}
		}
	}
}

func (k *talk) attach() *pipe.Pipe {
	p := pipe.New()
	k.links[0].Attach(p.A)
	k.links[1].Attach(p.B)
	return p
}

func (k *talk) over() bool {
	return k.links[0].Done() && k.links[1].Done() && k.readers[0].ended() && k.readers[1].ended()
}

// close compares, and gives everything back.
func (k *talk) close() {
	for i := range 2 {
		if err := k.readers[i].fault; err != nil {
			k.t.Error(err)
		}
		for ch, in := range k.readers[i].inputs {
			if err := compare(in.got, k.writers[i].wrote[ch]); err != nil {
				k.t.Errorf("from side %d, channel %d: %v", i, ch, err)
			}
		}
	}
	for i := range 2 {
		k.links[i].Close()
		k.writers[i].close()
	}
	if err := k.pool.Close(); err != nil {
		k.t.Error(err)
	}
}
