package link_test

import (
	"encoding/binary"
	"errors"
	"fmt"
	"strings"
	"testing"
	"unsafe"

	"github.com/fullspate/spate/buffers"
	"github.com/fullspate/spate/engine/link"
	"github.com/fullspate/spate/engine/link/pipe"
	"github.com/fullspate/spate/wire"
	"github.com/fullspate/spate/wire/slab"
)

// spy is a connection that shows what is written, and can be made to take nothing more.
type spy struct {
	*pipe.End
	writes  [][][]byte // slices of each call
	pending int
	fault   error
	short   bool
}

func (s *spy) Writev(bufs [][]byte) (int, error) {
	s.writes = append(s.writes, append([][]byte(nil), bufs...))
	if s.fault != nil {
		return 0, s.fault
	}
	n, err := s.End.Writev(bufs)
	if s.short {
		n--
	}
	return n, err
}

func (s *spy) Pending() int { return s.pending }

// outward is a link with n channels of n tasks to a peer that has asked for all of them.
type outward struct {
	*testing.T
	link *link.Link
	spy  *spy
	logs []*buffers.Log
	far  *pipe.End
}

func newOutward(t *testing.T, n int, granted uint64, cfg link.Config) *outward {
	pool := slab.New(slab.Config{})
	cfg.Pool, cfg.Peer = pool, "w2"
	o := &outward{T: t, link: link.New(cfg)}
	var asked []wire.OpenEntry
	for i := range n {
		l, err := buffers.New(buffers.Config{Stream: 7, PayloadSize: farPayload, FrameBytes: 4 << 10, Pool: pool, TrimOnAck: true})
		if err != nil {
			t.Fatal(err)
		}
		o.logs = append(o.logs, l)
		o.link.Send(uint32(i), uint32(i), l)
		asked = append(asked, wire.OpenEntry{Channel: uint32(i), Granted: granted})
	}
	p := pipe.New()
	o.spy, o.far = &spy{End: p.A}, p.B
	o.link.Attach(o.spy)
	p.B.Writev([][]byte{opens(asked...)})
	p.B.Deliver(1 << 30)
	if err := o.link.Traffic(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		o.link.Close()
		for _, l := range o.logs {
			l.Close()
		}
		if err := pool.Close(); err != nil {
			t.Error(err)
		}
	})
	return o
}

// fill writes n tuples to a log from t on.
func (o *outward) fill(log, n int, t wire.Time) {
	l := o.logs[log]
	for i := range n {
		at := t + wire.Time(i)
		binary.LittleEndian.PutUint64(l.Append(at, 0, farPayload), uint64(at))
	}
	l.Seal(t + wire.Time(n))
}

// flush flushes once and returns the frames that went, by channel, and the rest.
func (o *outward) flush() (frames map[uint32]int, again bool) {
	o.Helper()
	_, again, err := o.link.Flush()
	if err != nil {
		o.Fatal(err)
	}
	frames = map[uint32]int{}
	b := make([]byte, o.spy.Deliver(1<<30))
	o.far.Read(b)
	for len(b) > 0 {
		e, err := wire.ParseEnvelope(b)
		if err != nil {
			o.Fatal(err)
		}
		if e.Kind == wire.EnvelopeFrame {
			frames[e.Channel]++
		}
		b = b[wire.EnvelopeBytes+e.Bytes:]
	}
	return frames, again
}

// TestFramesAreNotCopied looks where the slices of a write lie: frames are those of the log.
func TestFramesAreNotCopied(t *testing.T) {
	o := newOutward(t, 1, 1<<20, link.Config{})
	o.fill(0, 1000, 10)
	lie := map[unsafe.Pointer]int{}
	for f, err := range o.logs[0].Frames(0) {
		if err != nil {
			t.Fatal(err)
		}
		lie[unsafe.Pointer(&f.Data[0])] = len(f.Data)
	}
	if _, _, err := o.link.Flush(); err != nil {
		t.Fatal(err)
	}
	found := 0
	for _, s := range o.spy.writes[0] {
		if n, ok := lie[unsafe.Pointer(&s[0])]; ok && n == len(s) {
			found++
		}
	}
	if found != len(lie) || found < 5 || len(o.spy.writes) != 1 {
		t.Errorf("of %d frames %d were written from where they lie, in %d writes", len(lie), found, len(o.spy.writes))
	}
}

// TestTurnIsBounded has more frames than a turn sends: channels take turns, and nobody is left out.
func TestTurnIsBounded(t *testing.T) {
	o := newOutward(t, 5, 1<<20, link.Config{TurnBytes: 3 * 4 << 10})
	for i := range o.logs {
		o.fill(i, 5000, 10)
	}
	sum := map[uint32]int{}
	for turn := range 10 {
		frames, again := o.flush()
		if n := frames[0] + frames[1] + frames[2] + frames[3] + frames[4]; n != 4 && n != 3 || !again {
			t.Fatalf("turn %d: %v frames, again is %v", turn, frames, again)
		}
		for ch, n := range frames {
			sum[ch] += n
		}
	}
	for ch := range uint32(5) {
		if sum[ch] < 6 || sum[ch] > 8 {
			t.Errorf("after ten turns channel %d has sent %d frames of %v", ch, sum[ch], sum)
		}
	}
}

// TestSlicesAreBounded has a small frame on each of many channels.
func TestSlicesAreBounded(t *testing.T) {
	o := newOutward(t, 700, 1<<20, link.Config{})
	for i := range o.logs {
		o.fill(i, 1, 10)
	}
	all := map[uint32]int{}
	for again := true; again; {
		var frames map[uint32]int
		frames, again = o.flush()
		for ch, n := range frames {
			all[ch] += n
		}
	}
	for i, w := range o.spy.writes {
		if len(w) > 512 {
			t.Errorf("write %d has %d slices", i, len(w))
		}
	}
	if len(all) != 700 || len(o.spy.writes) != 3 {
		t.Errorf("%d channels sent in %d writes, want 700 in 3", len(all), len(o.spy.writes))
	}
}

// TestPending has a kernel that takes nothing: nothing is written to it, whoever asks, until it has.
func TestPending(t *testing.T) {
	o := newOutward(t, 1, 1<<20, link.Config{PendingBytesMax: 100})
	o.fill(0, 10, 10)
	o.spy.pending = 101
	if moved, again, err := o.link.Flush(); moved || !again || err != nil || len(o.spy.writes) != 0 {
		t.Errorf("moved %v, again %v, error %v, %d writes", moved, again, err, len(o.spy.writes))
	}
	o.spy.pending = 100
	if frames, again := o.flush(); frames[0] != 1 || again {
		t.Errorf("then %v frames, again %v", frames, again)
	}
	if moved, again, err := o.link.Flush(); moved || again || err != nil {
		t.Errorf("with nothing to say: moved %v, again %v, error %v", moved, again, err)
	}
}

// TestBrokenWrites has a connection that fails, or does not take everything.
func TestBrokenWrites(t *testing.T) {
	for _, c := range []struct {
		break_ func(*spy)
		want   string
	}{
		{func(s *spy) { s.fault = errors.New("no route") }, "no route"},
		{func(s *spy) { s.short = true }, "bytes were taken"},
	} {
		o := newOutward(t, 1, 1<<20, link.Config{})
		o.fill(0, 10, 10)
		c.break_(o.spy)
		if _, _, err := o.link.Flush(); err == nil || !strings.Contains(err.Error(), "writing to w2") || !strings.Contains(err.Error(), c.want) {
			t.Errorf("got %v, want %q", err, c.want)
		}
	}
}

// TestBlockedFrontier has a channel without credit: its frontier goes as far as its first unsent tuple, that of the task's
// others all the way.
func TestBlockedFrontier(t *testing.T) {
	h := newHop(t, 2, 1)
	defer h.close()
	h.exchange()
	at := wire.At(1, 0, 1)
	for range 40 { // more than a window, on the first channel only
		l := h.logs[0]
		for range frameTuples {
			l.Append(at, 0, payloadBytes)
			at++
		}
		for _, l := range h.logs {
			l.Seal(at)
		}
		h.exchange()
	}
	blocked, idle := h.feeds[0].Poll(), h.feeds[1].Poll()
	all := times(h.feeds[0])
	if idle != at || blocked >= at || blocked != all[len(all)-1]+1 {
		t.Errorf("frontiers are %v and %v, want the task's, %v, and one beyond the last tuple that came, %v", blocked, idle, at, all[len(all)-1])
	}
	if s := h.a.Stats(); s.Starved == 0 || s.BytesOut > 586<<10 { // a window and a frame
		t.Errorf("%+v", s)
	}
}

func TestStats(t *testing.T) {
	h := newHop(t, 3, 1)
	defer h.close()
	at := wire.At(1, 0, 1)
	for range 10 {
		at = h.write(100, at)
		h.exchange()
		h.consume()
		h.exchange()
	}
	a, b := h.a.Stats(), h.b.Stats()
	for name, c := range map[string][2]uint64{
		"bytes": {a.BytesOut, b.BytesIn}, "bytes back": {b.BytesOut, a.BytesIn},
		"messages": {a.MessagesOut, b.MessagesIn}, "messages back": {b.MessagesOut, a.MessagesIn},
		"frames": {a.FramesOut, b.FramesIn}, "tuples": {a.TuplesOut, b.TuplesIn},
	} {
		if c[0] != c[1] || c[0] == 0 {
			t.Errorf("%s: %d out, %d in", name, c[0], c[1])
		}
	}
	if a.TuplesOut != 3000 {
		t.Errorf("%d tuples, want 3000", a.TuplesOut)
	}
}

// TestSmallFramesShareSlabs has many small frames come: they lie in few slabs, which are given back when all is consumed.
func TestSmallFramesShareSlabs(t *testing.T) {
	f := newFar(t, link.Config{}, buffers.Config{})
	for i := range 500 {
		at := wire.Time(200 + i)
		if err := f.say(on(1, frame(at+1, at))); err != nil {
			t.Fatal(err)
		}
	}
	// 500 frames of 88 bytes, each on a cache line of its own
	if s := f.pool.Stats(); s.Slabs > 6 || s.InUse > 128<<10 {
		t.Errorf("%d bytes in %d slabs", s.InUse, s.Slabs)
	}
	if got := times(f.feeds[1]); len(got) != 500 {
		t.Errorf("%d tuples", len(got))
	}
	f.feeds[1].Ack(450)
	before := f.pool.Stats().Slabs
	f.feeds[1].Ack(700)
	if s := f.pool.Stats(); s.Slabs > 1 || s.Slabs >= before || s.InUse > slab.SizeMin {
		t.Errorf("%d bytes in %d slabs after everything was consumed, %d slabs before", s.InUse, s.Slabs, before)
	}
}

func TestConfig(t *testing.T) {
	err := link.Config{Window: -1, FrameBytesMax: 1, TurnBytes: -1, PendingBytesMax: -1}.Validate()
	for _, want := range []string{"Pool", "Window", "FrameBytesMax", "TurnBytes", "PendingBytesMax"} {
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%v does not mention %s", err, want)
		}
	}
	for name, misuse := range map[string]func(*link.Link){
		"two channels of one number out": func(l *link.Link) { l.Send(1, 1, nil); l.Send(1, 2, nil) },
		"two channels of one number in":  func(l *link.Link) { l.Receive(1, 1, link.ChannelSpec{}); l.Receive(1, 2, link.ChannelSpec{}) },
		"two connections":                func(l *link.Link) { l.Attach(&spy{}); l.Attach(&spy{}) },
		"no pool":                        func(*link.Link) { link.New(link.Config{}) },
	} {
		func() {
			defer func() {
				if r := fmt.Sprint(recover()); !strings.HasPrefix(r, "BUG: ") {
					t.Errorf("%s: panic %q, want a BUG", name, r)
				}
			}()
			misuse(link.New(link.Config{Pool: slab.New(slab.Config{})}))
		}()
	}
}
