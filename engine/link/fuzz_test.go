package link_test

import (
	"encoding/binary"
	"errors"
	"hash/crc32"
	"testing"

	"github.com/fullspate/spate/buffers"
	"github.com/fullspate/spate/engine/link"
	"github.com/fullspate/spate/engine/link/pipe"
	"github.com/fullspate/spate/wire"
	"github.com/fullspate/spate/wire/slab"
)

// fuzzWindow is small, so that credits are soon used up.
const fuzzWindow = 4 << 10

// FuzzTraffic feeds a link what a peer might say. How it is cut into pieces depends on the first byte; if that is odd,
// lengths and checksums of frames are put right first, so that what lies behind them is reached. Whatever comes, the link
// must not panic, must stay within its window, and must fail with an error that names an offset within what came. If the first
// byte is at least 128, channels are taken back and declared again halfway.
func FuzzTraffic(f *testing.F) {
	for _, conversation := range conversations() {
		f.Add(byte(0), conversation)
		f.Add(byte(1), conversation)
		f.Add(byte(7), conversation)
		f.Add(byte(1|128), conversation)
		f.Add(byte(41|128), append(conversation[:len(conversation):len(conversation)], conversation...))
	}
	f.Fuzz(func(t *testing.T, how byte, data []byte) {
		data = append([]byte(nil), data...)
		if how&1 != 0 {
			repair(data)
		}
		fz := newFuzzed(t)
		defer fz.close()
		piece := int(how&127>>1) + 1
		for rest := data; len(rest) > 0 && fz.err == nil; {
			n := min(piece, len(rest))
			fz.hear(rest[:n])
			if half := len(data) / 2; how&128 != 0 && len(rest) >= half && len(rest)-n < half {
				fz.change()
			}
			rest = rest[n:]
		}
		e, tr, fl := (*link.ProtocolError)(nil), (*buffers.TrimmedError)(nil), (*link.FaultError)(nil)
		switch {
		case fz.err == nil, errors.As(fz.err, &tr), errors.As(fz.err, &fl):
		case !errors.As(fz.err, &e):
			t.Fatalf("%T: %v", fz.err, fz.err)
		case e.Offset > uint64(len(data)) || e.Reason == "" || e.Peer != "w2":
			t.Fatalf("%d bytes, %+v", len(data), e)
		}
	})
}

// conversations are what a well-behaved peer might say to the fuzzed link.
func conversations() (all [][]byte) {
	named := frontiers(group(10, 105, except(105, 105)...), group(11, 101, wire.FrontierException{Channel: 3, Frontier: 101}))
	variable := make([]byte, wire.FrameHeader+wire.VarStride(5))
	binary.LittleEndian.PutUint64(variable[wire.FrameHeader:], 110)
	binary.LittleEndian.PutUint32(variable[wire.FrameHeader+16:], 5)
	wire.Seal(variable, wire.Header{Kind: wire.Data, Stream: 7, Count: 1, Bytes: 32, First: 110, Last: 110, Frontier: 111})
	big := make([]wire.Time, 200)
	for i := range big {
		big[i] = wire.Time(130 + i/50)
	}
	for _, messages := range [][][]byte{
		{named, on(1, frame(111, 105, 110)), on(3, variable), frontiers(group(10, 120)), on(2, frame(121, 120, 120))},
		{opens(wire.OpenEntry{Channel: 4, From: 10, Granted: 200}), acks(wire.AckEntry{Channel: 4, Acked: 10, Granted: 400})},
		{named, frontiers(ending(10, 110, 112)), on(1, frame(wire.TimeMax, 111)), frontiers(group(10, wire.TimeMax))},
		{on(1, frame(100, big...)), on(1, frame(100, 133, 133)), wire.AppendFault(nil, 0, "enough")},
		{named, on(1, frame(111, 105, 110)), on(3, variable), on(3, variable), closes(1, 3), on(1, frame(111, 105, 110)), named},
	} {
		var b []byte
		for _, m := range messages {
			b = append(b, m...)
		}
		all = append(all, b)
	}
	return all
}

// repair walks over messages as far as they make sense, and gives frames the length of their message and a right checksum.
func repair(b []byte) {
	for len(b) >= wire.EnvelopeBytes {
		b[8] &^= 7
		n := int(binary.LittleEndian.Uint32(b[8:]))
		kind := b[0]
		b = b[wire.EnvelopeBytes:]
		if n > len(b) {
			return
		}
		if kind == byte(wire.EnvelopeFrame) && n >= wire.FrameHeader {
			fr := b[:n]
			binary.LittleEndian.PutUint32(fr[12:], uint32(n-wire.FrameHeader))
			binary.LittleEndian.PutUint32(fr[44:], 0)
			binary.LittleEndian.PutUint32(fr[44:], crc32.Checksum(fr, crc32.MakeTable(crc32.Castagnoli)))
		}
		b = b[n:]
	}
}

// fuzzed is a link that hears what the fuzzer says. Its channels are those of far.
type fuzzed struct {
	t     *testing.T
	pool  *slab.Pool
	link  *link.Link
	pipe  *pipe.Pipe
	feeds []*link.Feed
	log   *buffers.Log
	err   error
}

func newFuzzed(t *testing.T) *fuzzed {
	fz := &fuzzed{t: t, pool: slab.New(slab.Config{}), pipe: pipe.New()}
	fz.link = link.New(link.Config{Pool: fz.pool, Peer: "w2", Window: fuzzWindow, FrameBytesMax: 64 << 10})
	for ch, spec := range []link.ChannelSpec{{Stream: 7, PayloadSize: farPayload, From: 100}, {Stream: 7, PayloadSize: farPayload, From: 100}, {Stream: 7, From: 100}} {
		fz.feeds = append(fz.feeds, fz.link.Receive(uint32(ch+1), uint32(10+ch/2), spec))
	}
	var err error
	if fz.log, err = buffers.New(buffers.Config{Stream: 7, PayloadSize: farPayload, FrameBytes: 256, Pool: fz.pool, TrimOnAck: true}); err != nil {
		t.Fatal(err)
	}
	for i := range 100 {
		fz.log.Append(wire.Time(i/3), 0, farPayload)
	}
	fz.log.Seal(40)
	fz.link.Send(4, 12, fz.log)
	fz.link.Attach(fz.pipe.B)
	if _, _, err := fz.link.Flush(); err != nil {
		t.Fatal(err)
	}
	return fz
}

// change takes channels back, and declares them again.
func (fz *fuzzed) change() {
	spec := link.ChannelSpec{Stream: 7, PayloadSize: farPayload, From: 100}
	fz.feeds[0].Close()
	fz.feeds[0] = fz.link.Receive(1, 10, spec)
	fz.feeds[2].Close()
	spec.PayloadSize = 0
	fz.feeds[2] = fz.link.Receive(3, 11, spec)
	fz.link.Withdraw(4)
	fz.link.Send(4, 12, fz.log)
}

// hear takes a piece over, and reads what has come of it, as a task would.
func (fz *fuzzed) hear(piece []byte) {
	fz.pipe.A.Writev([][]byte{piece})
	fz.pipe.A.Deliver(len(piece))
	if fz.err = fz.link.Traffic(); fz.err != nil {
		return
	}
	for i, f := range fz.feeds {
		front := f.Poll()
		if _, ok := f.Ending(); front == wire.TimeMax && !ok {
			fz.t.Fatalf("channel %d is at its end, and the end of its input is not known", i+1)
		}
		for fr, ok := f.Next(); ok; fr, ok = f.Next() {
			for t := fr.View(); t.Valid(); t.Advance() {
				if t.Time() < 100 {
					fz.t.Fatalf("channel %d: a tuple at %v", i+1, t.Time())
				}
				_ = sumBytes(t.Bytes())
			}
		}
		if i > 0 {
			f.Ack(front)
		}
	}
	fz.log.Collect()
	if _, _, err := fz.link.Flush(); err != nil {
		fz.t.Fatal(err)
	}
	// Channel 1 is not consumed: its window, a frame and the rest of a τ, which is what the fuzzer makes it; the rest is
	// the log and what is being received.
	if n := fz.pool.Stats().InUse; n > 1<<20 {
		fz.t.Fatalf("%d bytes in slabs", n)
	}
}

func sumBytes(b []byte) (n int) {
	for _, x := range b {
		n += int(x)
	}
	return n
}

func (fz *fuzzed) close() {
	fz.link.Close()
	if err := errors.Join(fz.log.Close(), fz.pool.Close()); err != nil {
		fz.t.Error(err)
	}
}
