package linktest

import (
	"testing"

	"github.com/fullspate/spate/engine/link"
	"github.com/fullspate/spate/wire/slab"
)

// rig is nodes on a transport, and what flows between them.
type rig struct {
	*testing.T
	tr    Transport
	nodes []*node
	pools []*slab.Pool // by node
	flows []*flow
	next  uint32 // channel
}

// run waits for what start returned, and closes the transport: then everything belongs to the test.
func (r *rig) run(done []<-chan struct{}) {
	r.Helper()
	r.tr.Wait(done...)
	r.tr.Close()
}

// flow is the channels of one upstream task, all to one reader.
type flow struct {
	*writer
	*reader
	from, to *end
}

// newRig makes n nodes, which are not started.
func newRig(t *testing.T, open func(testing.TB) Transport, n int) *rig {
	r := &rig{T: t, tr: open(t)}
	for range n {
		r.nodes = append(r.nodes, new(node))
		r.pools = append(r.pools, slab.New(slab.Config{}))
	}
	return r
}

// link makes both ends of a link between two nodes.
func (r *rig) link(a, b int, cfg link.Config) (ea, eb *end) {
	ends := [2]*end{}
	for i, at := range []int{a, b} {
		c := cfg
		c.Pool, c.Owner, c.Peer = r.pools[at], "received", [2]string{"b", "a"}[i]
		ends[i] = r.nodes[at].newEnd(link.New(c))
	}
	return ends[0], ends[1]
}

// flow declares the channels of a script on a link, with a writer and a reader for them.
func (r *rig) flow(from, to *end, task uint32, s Script, seed uint64) *flow {
	f := &flow{from: from, to: to}
	f.writer = newWriter(r.pool(from), s, seed)
	var feeds []*link.Feed
	for _, l := range f.logs {
		from.link.Send(r.next, task, l)
		feeds = append(feeds, to.link.Receive(r.next, task, s.spec()))
		r.next++
	}
	f.reader = newReader(seed, feeds...)
	from.node.turns = append(from.node.turns, f.writer.turn)
	to.node.turns = append(to.node.turns, f.reader.turn)
	from.node.goals = append(from.node.goals, f.writer.ended)
	to.node.goals = append(to.node.goals, f.reader.ended)
	r.flows = append(r.flows, f)
	return f
}

func (r *rig) pool(e *end) *slab.Pool {
	for i, n := range r.nodes {
		if n == e.node {
			return r.pools[i]
		}
	}
	panic("BUG: an end of no node")
}

// start starts all nodes, and returns what is closed when everything has been said and heard.
func (r *rig) start() (done []<-chan struct{}) {
	for _, n := range r.nodes {
		done = append(done, n.when(n.done))
	}
	for _, n := range r.nodes {
		n.start(r.tr)
	}
	return done
}

// connect connects the ends of a link.
func (r *rig) connect(a, b *end) (cut func()) { return r.tr.Connect(a.node.loop, a, b.node.loop, b) }

// finish checks that what was read is what was written, and that nothing is left behind.
func (r *rig) finish() {
	r.Helper()
	for i, f := range r.flows {
		if f.fault != nil {
			r.Errorf("flow %d: %v", i, f.fault)
		}
		for ch, in := range f.inputs {
			if err := compare(in.got, f.wrote[ch]); err != nil {
				r.Errorf("flow %d, channel %d: %v", i, ch, err)
			}
		}
		f.room()
		for ch, l := range f.logs {
			if n := l.Bytes(); n != 0 {
				r.Errorf("flow %d, channel %d: %d bytes of the log were not acknowledged", i, ch, n)
			}
		}
	}
	r.release()
}

// release gives back all memory; any that is still out is an error.
func (r *rig) release() {
	r.Helper()
	for _, n := range r.nodes {
		for _, e := range n.ends {
			e.link.Close()
		}
	}
	for _, f := range r.flows {
		f.writer.close()
	}
	for i, p := range r.pools {
		if err := p.Close(); err != nil {
			r.Errorf("node %d: %v", i, err)
		}
	}
}
