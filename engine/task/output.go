package task

import (
	"github.com/fullspate/spate/buffers"
	"github.com/fullspate/spate/engine/internal/mutant"
	"github.com/fullspate/spate/partition"
	"github.com/fullspate/spate/wire"
)

// Output is one output of an operator object: what it emits goes along every edge.
type Output struct {
	Edges []Edge
	Count uint64 // tuples emitted

	inst    *Instance
	routing int // the edge whose consumer's key function is running, counted from 1; 0 for none: see Ctx.failure
}

// Edge leads from an output to one input port of one consuming operator. Either the consumer is fused into the task
// (Into), or each of its tasks is fed through a log of its own.
type Edge struct {
	Into *Handler  // of the fused consumer
	inst *Instance // the fused consumer

	// HashFixed and HashBytes give the hash of a payload's key; where both are nil tuples keep the step's hash.
	HashFixed *KeyHash
	HashBytes func([]byte) uint64

	consumer string // whose key function that is

	routes    *partition.Table
	logs      []*buffers.Log
	consumers []Consumer   // that the logs lead to
	one       *buffers.Log // the only log, where there is but one
}

// KeyHash gives hashes of the keys of payloads of fixed size. Its functions are called by many goroutines.
type KeyHash struct {
	Of      func(Ptr) uint64
	Records func(*Ctx, *Records, []uint64) // of one value after another, At whose time the Ctx is meanwhile
}

// Log is the log that a tuple of this hash goes to, nil where it goes to several or it takes longer to find out: see Set.
func (e *Edge) Log(hash uint64) *buffers.Log {
	if e.one != nil {
		return e.one
	}
	if i := e.routes.Direct(hash); i >= 0 {
		return e.logs[i]
	}
	return nil
}

// Only is the log that every tuple goes to, nil where there are several.
func (e *Edge) Only() *buffers.Log { return e.one }

// Set is the routing table's answer for hash: indexes for At.
func (e *Edge) Set(hash uint64) []uint16 { return e.routes.Lookup(hash) }

// At is the i-th log.
func (e *Edge) At(i uint16) *buffers.Log { return e.logs[i] }

// Filled takes note of it, and says so, when what has been appended to l has filled it: no further step follows.
func (c *Ctx) Filled(l *buffers.Log) bool {
	if l.Full() {
		c.full = true
		return true
	}
	return false
}

// Append makes room in l for a tuple of n payload bytes at the step's τ.
func (c *Ctx) Append(l *buffers.Log, hash uint64, n int) []byte {
	b := l.Append(c.tau, hash, n)
	c.Filled(l)
	return b
}

// AppendFixed makes room in l for a tuple of fixed size at the step's τ.
func (c *Ctx) AppendFixed(l *buffers.Log, hash uint64) Ptr {
	p := l.AppendOpen(c.tau, hash)
	if p == nil {
		p = l.AppendFixed(c.tau, hash)
	}
	c.Filled(l)
	return p
}

// AppendRun makes room in l for the first of the tuples at the given times: see buffers.Log.AppendRun.
func (c *Ctx) AppendRun(l *buffers.Log, times []wire.Time) (p Ptr, n int) {
	p, n = l.AppendRun(times)
	c.Filled(l)
	return p, n
}

// EmitBytes sends a payload of variable size along all edges of o. The payload is borrowed.
func (c *Ctx) EmitBytes(o *Output, payload []byte) {
	o.Count++
	for i := range o.Edges {
		e := &o.Edges[i]
		if e.Into != nil {
			key := c.enter(e.inst)
			e.Into.Bytes(c, payload)
			c.at, c.key = o.inst, key
			continue
		}
		h := c.hash
		if e.HashBytes != nil {
			o.routing = i + 1
			h = e.HashBytes(payload)
			o.routing = 0
		}
		if l := e.Log(h); l != nil {
			copy(c.Append(l, h, len(payload)), payload)
			continue
		}
		for _, j := range e.Set(h) {
			copy(c.Append(e.logs[j], h, len(payload)), payload)
		}
	}
}

// HashFixed is the hash of the key that the consumer along e, the i-th edge, gives the payload at p. e.HashFixed must be set.
func (o *Output) HashFixed(i int, e *Edge, p Ptr) uint64 {
	o.routing = i + 1
	h := e.HashFixed.Of(p)
	o.routing = 0
	return h
}

// Enter hands the step over to the operator fused along e, with payload p.
func (c *Ctx) Enter(o *Output, e *Edge, p Ptr) {
	key := c.enter(e.inst)
	e.Into.Fixed(c, p)
	c.at, c.key = o.inst, key
}

// enter makes a fused operator, which has no key of its own, the current one.
func (c *Ctx) enter(in *Instance) (key []byte) {
	in.in++
	key = c.key
	c.at, c.key = in, nil
	return key
}

// Route sets where an edge's tuples go from now on: the table yields indexes into logs, which lead to the consumers. It may be
// called between two steps only.
func (e *Edge) Route(table *partition.Table, logs []*buffers.Log, consumers []Consumer) {
	e.routes, e.logs, e.consumers, e.one = table, logs, consumers, nil
	if len(logs) == 1 {
		e.one = logs[0]
	}
}

// AddEdge adds an edge to an output of an instance, with the id of the consumer and the hash functions of its key, and
// returns its index.
func (t *Task) AddEdge(instance, out int, consumer string, hashFixed *KeyHash, hashBytes func([]byte) uint64) int {
	o := t.insts[instance].Outs[out]
	o.Edges = append(o.Edges, Edge{consumer: consumer, HashFixed: hashFixed, HashBytes: hashBytes})
	return len(o.Edges) - 1
}

// Logs are the logs that the edge feeds.
func (e *Edge) Logs() []*buffers.Log { return e.logs }

// room looks whether there is room in every log for a further step.
func (t *Task) room() bool {
	ok := true
	for _, l := range t.logs {
		l.Collect()
		ok = ok && !l.Full()
	}
	t.ctx.full = !ok
	return ok
}

// publish seals what the turn has written and moves the frontier of every log up to the task's position. It also takes
// back what consumers have acknowledged, so that a log is no larger than what is under way and stays in the cache.
func (t *Task) publish() {
	if t.pos == t.published {
		return
	}
	for _, l := range t.logs {
		l.Collect()
		if t.allEnding && mutant.Active != mutant.EndUnknown {
			l.Ending(t.eoi)
		}
		if t.pos == wire.TimeMax {
			l.End(t.eoi)
		} else {
			l.Seal(published(t.pos))
		}
	}
	t.published = t.pos
}

// published is the frontier that a task at pos publishes.
func published(pos wire.Time) wire.Time {
	if mutant.Active == mutant.FrontierAhead {
		return pos + 1
	}
	return pos
}
