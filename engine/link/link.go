package link

import (
	"errors"
	"fmt"
	"log/slog"
	"slices"

	"github.com/fullspate/spate/buffers"
	"github.com/fullspate/spate/wire"
	"github.com/fullspate/spate/wire/slab"
)

// Conn is a connection as a link sees it. The link calls it on its loop's goroutine, and only from its own methods.
type Conn interface {
	// Read takes what has arrived, at most len(p) bytes: 0 if there is nothing. It does not wait.
	Read(p []byte) (int, error)
	// Writev takes all of bufs, at most 512 slices: what the kernel does not take is copied. It may change the elements of
	// bufs, but not the bytes that they refer to. It does not wait, and keeps nothing of bufs.
	Writev(bufs [][]byte) (int, error)
	// Pending is the number of bytes that Writev has taken and the kernel has not.
	Pending() int
}

const (
	windowDefault   = 512 << 10       // three turns of a busy task: one under way, one being consumed, one being acknowledged
	frameMaxDefault = slab.RegionSize // the largest payload that a log takes fits, with headers, and lies in one slab
	frameMaxLeast   = 4 << 10         // as much as any channel has
	frameMaxMost    = 64 << 20        // what a peer may make us reserve is bounded whatever the configuration
	turnDefault     = 1 << 20         // enough for large writes, little enough for the next turn's frontiers not to wait
	pendingDefault  = 64 << 10        // a frame that the kernel has not taken
)

// Config says how a link is made. Pool must be set.
type Config struct {
	// Pool gives the slabs that frames are received into.
	Pool *slab.Pool
	// Owner is the name under which the pool accounts for them.
	Owner string
	// Peer names the other end in errors and logs.
	Peer string
	// Window is how many bytes of frames each incoming channel may hold that are not consumed; 0 for 512 KiB. A frame, and
	// the rest of a τ that has begun, may come beyond. Slabs take up to twice as much, since frames do not fill them.
	Window int64
	// FrameBytesMax is the largest frame that is received, 4 KiB to 64 MiB; 0 for 2 MiB, more than a log ever makes.
	FrameBytesMax int
	// TurnBytes bounds the frames of one Flush; the last may exceed it. 0 for 1 MiB.
	TurnBytes int
	// Durable says that the job takes checkpoints: what is acknowledged is what the receiving task has in one, and a log that
	// is half full asks for one.
	Durable bool
	// EarlyMax is how many channels a peer may ask for before they are declared with Send, beside as many as were withdrawn: they
	// are served from then on. 0: it may not.
	EarlyMax int
	// PendingBytesMax is how many bytes may wait for the kernel before Flush adds to them; 0 for 64 KiB.
	PendingBytesMax int
	// Logger is told of connections at level debug; nil for nobody.
	Logger *slog.Logger
}

// Validate reports every problem of the configuration at once.
func (c Config) Validate() error {
	var errs []error
	bad := func(format string, args ...any) { errs = append(errs, fmt.Errorf("link: "+format, args...)) }
	if c.Pool == nil {
		bad("Pool is nil, want a slab pool")
	}
	if c.Window < 0 {
		bad("Window is %d bytes, want 0 or more", c.Window)
	}
	if n := c.FrameBytesMax; n != 0 && (n < frameMaxLeast || n > frameMaxMost) {
		bad("FrameBytesMax is %d, want 0 or %d to %d", n, frameMaxLeast, frameMaxMost)
	}
	if c.EarlyMax < 0 {
		bad("EarlyMax is %d, want 0 or more", c.EarlyMax)
	}
	if c.TurnBytes < 0 {
		bad("TurnBytes is %d, want 0 or more", c.TurnBytes)
	}
	if c.PendingBytesMax < 0 {
		bad("PendingBytesMax is %d, want 0 or more", c.PendingBytesMax)
	}
	return errors.Join(errs...)
}

func (c Config) withDefaults() Config {
	if c.Window == 0 {
		c.Window = windowDefault
	}
	if c.FrameBytesMax == 0 {
		c.FrameBytesMax = frameMaxDefault
	}
	if c.TurnBytes == 0 {
		c.TurnBytes = turnDefault
	}
	if c.PendingBytesMax == 0 {
		c.PendingBytesMax = pendingDefault
	}
	if c.Logger == nil {
		c.Logger = slog.New(slog.DiscardHandler)
	}
	return c
}

// Stats counts what a link has carried since it was made, over all its connections.
type Stats struct {
	BytesOut, BytesIn       uint64 // everything, envelopes included
	MessagesOut, MessagesIn uint64
	FramesOut, FramesIn     uint64
	TuplesOut, TuplesIn     uint64
	Starved                 uint64 // turns that found a frame for which the peer had granted no credit
}

// Link is what two loops say to each other: the channels between them, in both directions, over one connection at a time.
// All methods, and those of its Feeds, are for the goroutine of its loop, to which the logs belong as well.
type Link struct {
	cfg   Config
	conn  Conn
	err   error // what has made the connection useless
	going int   // channels that have not come to their end
	stats Stats

	outgoings
	incomings
	reader reader
	batch  batch
}

// outgoings are the channels that lead to the peer.
type outgoings struct {
	outs      []*outgoing
	groups    []*group
	outOf     map[uint32]*outgoing // by channel
	early     map[uint32]early     // what the peer wants of channels that are not declared yet, on this connection
	late      []*outgoing          // that were declared after the peer had asked for them
	withdrawn map[uint32]struct{}  // channels that were taken back, and not declared again
	closes    []uint32             // channels of openings that are over, of which the peer is to be told
	reopened  int                  // how many of these the peer has brought about
	ready     []*outgoing          // that have a frame that may go, this turn
	first     int                  // index of the one that comes first in the next turn
}

// incomings are the channels that come from the peer.
type incomings struct {
	feeds      []*Feed
	feedOf     map[uint32]*Feed     // by channel
	upstreamOf map[uint32]*upstream // by task
	opening    []*Feed              // to be asked for
	owing      []*Feed              // to be acknowledged
	unclosed   int                  // openings that the peer has not closed, on this connection
	passed     map[uint32]int       // how many of them are of feeds that are closed, by channel
	left       map[uint32]struct{}  // tasks of which the peer may still tell frontiers, though all their feeds are closed
	memory     memory
}

// New makes a link without channels and without a connection. It panics if the configuration is not valid.
func New(cfg Config) *Link {
	if err := cfg.Validate(); err != nil {
		panic("BUG: " + err.Error())
	}
	l := &Link{cfg: cfg.withDefaults()}
	l.outOf = make(map[uint32]*outgoing)
	l.early = make(map[uint32]early)
	l.withdrawn = make(map[uint32]struct{})
	l.passed = make(map[uint32]int)
	l.left = make(map[uint32]struct{})
	l.feedOf = make(map[uint32]*Feed)
	l.upstreamOf = make(map[uint32]*upstream)
	l.memory = memory{pool: cfg.Pool, owner: cfg.Pool.Owner(cfg.Owner)}
	l.reader.next()
	return l
}

// Send declares a channel that leads to the peer: what is written to log, by the task with the given number. It must be
// declared before the peer can ask for it, that is before Attach, unless EarlyMax says otherwise, or it was withdrawn. The logs
// of one task are expected to be published together, as tasks do.
func (l *Link) Send(channel, task uint32, log *buffers.Log) {
	if l.outOf[channel] != nil {
		panic(fmt.Sprintf("BUG: channel %d to %s declared twice", channel, l.cfg.Peer))
	}
	var g *group
	for _, other := range l.groups {
		if other.task == task {
			g = other
		}
	}
	if g == nil {
		g = &group{task: task}
		l.groups = append(l.groups, g)
	}
	_, again := l.withdrawn[channel]
	delete(l.withdrawn, channel)
	c := &outgoing{channel: channel, index: len(l.outs), group: g, log: log, again: again && l.conn != nil}
	g.outs = append(g.outs, c)
	l.outs = append(l.outs, c)
	l.outOf[channel] = c
	l.going++
	if _, ok := l.early[channel]; ok {
		l.late = append(l.late, c)
	}
}

// Withdraw takes back a channel that was declared with Send. Its log knows nothing of the link any more. The peer is told with the
// next Flush, before it hears another frontier of the task: its end of the channel stays where it is, at the frontier that it
// knows of, until it is closed there, or, once the channel has been declared again, asked for anew. What the peer still says of
// the channel is passed over. One that is not declared is left alone.
func (l *Link) Withdraw(channel uint32) {
	c := l.outOf[channel]
	if c == nil {
		return
	}
	if c.acked != wire.TimeMax {
		l.going--
	}
	if c.open {
		l.closes = append(l.closes, channel)
	}
	c.detach()
	delete(l.outOf, channel)
	l.withdrawn[channel] = struct{}{}

	l.outs = slices.Delete(l.outs, c.index, c.index+1)
	for i, after := range l.outs[c.index:] {
		after.index = c.index + i
	}
	if l.first > c.index {
		l.first--
	}
	if l.first == len(l.outs) {
		l.first = 0
	}
	is := func(o *outgoing) bool { return o == c }
	l.late = slices.DeleteFunc(l.late, is)
	clear(l.ready[:cap(l.ready)]) // is made anew in each turn
	l.ready = l.ready[:0]
	g := c.group
	if g.outs = slices.DeleteFunc(g.outs, is); len(g.outs) == 0 {
		l.groups = slices.DeleteFunc(l.groups, func(o *group) bool { return o == g })
	}
}

// Receive declares a channel that comes from the peer's task with the given number, and returns its end. It is asked for
// with the next Flush. One that was declared before can be declared again once its Feed is closed: what is still on its way
// for that one does not get into the new one.
func (l *Link) Receive(channel, task uint32, spec ChannelSpec) *Feed {
	if l.feedOf[channel] != nil {
		panic(fmt.Sprintf("BUG: channel %d from %s declared twice", channel, l.cfg.Peer))
	}
	up := l.upstreamOf[task]
	if up == nil {
		_, left := l.left[task]
		up = &upstream{task: task, deaf: left}
		l.upstreamOf[task] = up
		delete(l.left, task)
	}
	up.feeds++
	f := &Feed{link: l, channel: channel, index: len(l.feeds), spec: spec, up: up, front: spec.From, acked: spec.From}
	f.openings = l.passed[channel]
	delete(l.passed, channel)
	f.store = store{memory: &l.memory, most: chunkBytesFor(l.cfg.Window)}
	l.feeds = append(l.feeds, f)
	l.feedOf[channel] = f
	if l.conn != nil {
		l.opening = append(l.opening, f)
	}
	l.going++
	return f
}

// Attach gives the link a connection, which must be fresh: nothing has been written to it or read from it. Every incoming
// channel is asked for, from where it stands, with the next Flush.
func (l *Link) Attach(c Conn) {
	if l.conn != nil {
		panic("BUG: a link to " + l.cfg.Peer + " that has a connection was given another")
	}
	l.conn = c
	l.opening = append(l.opening[:0], l.feeds...)
	l.cfg.Logger.Debug("link attached", "peer", l.cfg.Peer, "in", len(l.feeds), "out", len(l.outs), "going", l.going)
}

// Detach takes the connection away: it is lost, or was given up. A frame that has come in part is dropped; what is complete
// stays, and can be consumed meanwhile. Without a connection it does nothing.
func (l *Link) Detach() {
	if l.conn == nil {
		return
	}
	l.conn, l.err = nil, nil
	l.reader.reset()
	clear(l.early)
	l.late, l.closes, l.reopened = l.late[:0], l.closes[:0], 0
	for _, c := range l.outs {
		c.detach()
		c.again = false
	}
	for _, g := range l.groups {
		g.front, g.endTold = 0, false
	}
	for _, f := range l.feeds {
		f.detach()
	}
	for _, up := range l.upstreamOf {
		up.front, up.named, up.deaf = 0, 0, false
	}
	l.unclosed = 0
	clear(l.passed)
	clear(l.left)
	l.cfg.Logger.Debug("link detached", "peer", l.cfg.Peer)
}

// Traffic takes over everything that has arrived. After an error the connection is of no use and is to be closed: it may be
// a *ProtocolError, of which the peer has been told; a *FaultError, in which the peer tells why it gives up; one that wraps
// a *buffers.TrimmedError if the peer wants what is not there any more; the pool's, if there is no memory; or the
// connection's own. Later calls return it again.
func (l *Link) Traffic() error {
	if l.conn == nil || l.err != nil {
		return l.err
	}
	before := l.reader.offset
	err := l.read()
	l.stats.BytesIn += l.reader.offset - before
	if err != nil {
		l.err = l.refuse(err)
	}
	return l.err
}

// Flush sends what there is to say, in one write: what is wanted, what is consumed, frames as far as credit goes, frontiers.
// moved says that there was something; again, that there is more, for which the connection or the turn had no room: then it
// is to be called again soon, though nothing arrives. Without that there is nothing to say until a task has had a turn that did
// something, or the link a Traffic, an Attach, a Receive or a Withdraw. An error is the connection's own, or a log's that could not be read.
func (l *Link) Flush() (moved, again bool, err error) {
	if l.conn == nil || l.err != nil {
		return false, false, l.err
	}
	if moved, again, err = l.turn(); err != nil {
		l.err = l.refuse(err)
	}
	return moved, again, l.err
}

// Done says that every channel, in both directions, has come to its end, and that it is acknowledged, but for those that were
// withdrawn, or closed. The peer may not have
// heard the last acknowledgement yet: if the connection breaks, it has to be made again until the peer is done too.
func (l *Link) Done() bool { return l.going == 0 }

// Stats returns the counters.
func (l *Link) Stats() Stats { return l.stats }

// Abandon gives the peer up: it is gone, and so is what leads to it. What has been received can be consumed until the feeds
// are closed.
func (l *Link) Abandon() {
	l.Detach()
	for _, f := range l.feeds {
		f.ended = true
	}
	l.outs, l.groups, l.late, l.ready, l.going = nil, nil, nil, nil, 0
	clear(l.outOf)
	clear(l.withdrawn)
}

// Released says that all feeds are closed, so that nothing refers to the link's memory any more.
func (l *Link) Released() bool { return len(l.feeds) == 0 }

// Close gives back all memory. The link and its Feeds must not be used any more.
func (l *Link) Close() {
	l.Detach()
	for len(l.feeds) > 0 {
		l.feeds[len(l.feeds)-1].Close()
	}
}
