package wire

import (
	"bytes"
	"encoding/binary"
	"encoding/hex"
	"errors"
	"strings"
	"testing"
	"unsafe"

	"pgregory.net/rapid"
)

// payload24 makes a fixed tuple of 40 bytes.
type payload24 struct{ A, B, C uint64 }

// aligned returns n zero bytes on an 8-byte boundary.
func aligned(n int) []byte {
	words := make([]uint64, (n+7)/8+1)
	return unsafe.Slice((*byte)(unsafe.Pointer(&words[0])), len(words)*8)[:n]
}

// fixedFrame returns an unsealed frame of n tuples of 40 bytes, two to a time.
func fixedFrame(n int) ([]byte, Header) {
	h := Header{Kind: Data, Stream: 7, Count: uint32(n), Bytes: uint32(n * 40), PayloadSize: 24,
		First: At(1000, 3, 1), Frontier: At(2000, 3, 1)}
	frame := aligned(h.FrameSize())
	fillFixed(frame, h)
	h.Last = TimeAt(unsafe.Pointer(&frame[len(frame)-40]))
	return frame, h
}

func fillFixed(frame []byte, h Header) {
	t := h.First
	for i, p := 0, unsafe.Pointer(&frame[FrameHeader]); i < int(h.Count); i++ {
		PutTuple(p, t, uint64(i)*7)
		*(*payload24)(FixedAt(p)) = payload24{uint64(i), uint64(i) + 1, uint64(i) + 2}
		if i%2 == 1 {
			t = t.Next()
		}
		if i+1 < int(h.Count) {
			p = unsafe.Add(p, 40)
		}
	}
}

// variableFrame returns an unsealed frame with the given payloads.
func variableFrame(payloads ...string) ([]byte, Header) {
	h := Header{Kind: Data, Stream: 9, Count: uint32(len(payloads)), First: At(5, 0, 1), Frontier: TimeMax}
	for _, p := range payloads {
		h.Bytes += uint32(VarStride(len(p)))
	}
	frame := aligned(h.FrameSize())
	h.Last = h.First
	off := FrameHeader
	for i, p := range payloads {
		h.Last = h.First + Time(i)
		copy(PutVarTuple(unsafe.Pointer(&frame[off]), h.Last, uint64(len(p)), len(p)), p)
		off += VarStride(len(p))
	}
	return frame, h
}

// TestGolden pins the layout of doc.go, byte by byte.
func TestGolden(t *testing.T) {
	fixed, h := fixedFrame(1)
	h.Last = h.First
	Seal(fixed, h)
	variable, vh := variableFrame("spate")
	Seal(variable, vh)
	frontier := aligned(FrameHeader)
	Seal(frontier, Header{Kind: Frontier, Stream: 0x1234, Frontier: At(1, 2, 3)})
	for name, c := range map[string]struct {
		frame []byte
		want  string
	}{
		"fixed": {fixed, `7053 01 01 0000 0700 01000000 28000000 01c000a00f000000 01c000a00f000000 01c000401f000000 18000000 CRC
			00000000000000000000000000000000 01c000a00f000000 0000000000000000 0000000000000000 0100000000000000 0200000000000000`},
		"variable": {variable, `7053 01 01 0000 0900 01000000 20000000 0100001400000000 0100001400000000 ffffffffffffffff 00000000 CRC
			00000000000000000000000000000000 0100001400000000 0500000000000000 05000000 00000000 7370617465 000000`},
		"frontier": {frontier, `7053 01 02 0000 3412 00000000 00000000 0000000000000000 0000000000000000 0380000400000000 00000000 CRC
			00000000000000000000000000000000`},
	} {
		crc := hex.EncodeToString(c.frame[offCRC : offCRC+4])
		want, err := hex.DecodeString(strings.NewReplacer("CRC", crc, " ", "", "\n", "", "\t", "").Replace(c.want))
		if err != nil {
			t.Fatal(err)
		}
		if !bytes.Equal(c.frame, want) {
			t.Errorf("%s:\n got %x\nwant %x", name, c.frame, want)
		}
		if err := Verify(c.frame); err != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
	for name, c := range map[string]struct {
		frame []byte
		want  uint32
	}{"fixed": {fixed, goldenFixedCRC}, "variable": {variable, goldenVariableCRC}, "frontier": {frontier, goldenFrontierCRC}} {
		if got := binary.LittleEndian.Uint32(c.frame[offCRC:]); got != c.want {
			t.Errorf("%s: checksum %#08x, want %#08x", name, got, c.want)
		}
	}
}

// The checksums of TestGolden's frames.
const (
	goldenFixedCRC    = 0x4aef5c43
	goldenVariableCRC = 0xf3314a7c
	goldenFrontierCRC = 0x5a56bffb
)

func TestSizes(t *testing.T) {
	if FrameHeader != 64 || TupleHeader != 16 || VarTupleHeader != 24 || offReserved+16 != FrameHeader {
		t.Error("a size of the format has changed")
	}
	for n, want := range map[int]int{0: 24, 1: 32, 8: 32, 9: 40} {
		if got := VarStride(n); got != want {
			t.Errorf("a variable tuple of %d bytes takes %d, want %d", n, got, want)
		}
	}
}

func TestHeaderRoundTrip(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		first := Time(rapid.Uint64Range(0, 1<<63).Draw(t, "first"))
		n, size := rapid.Uint32Range(1, 1000).Draw(t, "count"), 8*rapid.Uint32Range(1, 100).Draw(t, "size")
		h := Header{Kind: Data, Stream: StreamID(rapid.Uint16().Draw(t, "stream")), Count: n, PayloadSize: size,
			Bytes: n * (16 + size), First: first, Last: first + 5, Frontier: Time(rapid.Uint64().Draw(t, "frontier"))}
		buf := bytes.Repeat([]byte{0xff}, FrameHeader)
		h.Put(buf)
		got, err := ParseHeader(buf, Limits{})
		if err != nil || got != h || HeaderOf(buf) != h {
			t.Fatalf("%+v comes back as %+v, %v", h, got, err)
		}
		_, err = ParseHeader(buf, Limits{Bytes: h.Bytes - 1})
		if fe := (*FrameError)(nil); !errors.As(err, &fe) || fe.Offset != offBytes {
			t.Fatalf("a payload beyond the limit: %v", err)
		}
	})
}

func TestViewFixed(t *testing.T) {
	frame, h := fixedFrame(101)
	Seal(frame, h)
	if err := Verify(frame); err != nil {
		t.Fatal(err)
	}
	n := 0
	for tu := View(frame); tu.Valid(); tu.Advance() {
		if p := As[payload24](&tu); p.A != uint64(n) || tu.Hash() != uint64(n)*7 || len(tu.Bytes()) != 24 ||
			tu.Time() != h.First+Time(n/2) || tu.Offset() != FrameHeader+n*40 {
			t.Fatalf("tuple %d at %d: time %v, hash %d, %+v", n, tu.Offset(), tu.Time(), tu.Hash(), *p)
		}
		if p := Payload[payload24](frame, tu.Offset()+TupleHeader); p != As[payload24](&tu) {
			t.Fatal("Payload and As disagree")
		}
		n++
	}
	if n != 101 {
		t.Errorf("%d tuples, want 101", n)
	}
	for i := range 60 {
		at := h.First + Time(i)
		tu := View(frame)
		tu.Seek(at)
		if want := min(2*i, 101); tu.Offset() != FrameHeader+40*want {
			t.Errorf("seek %v stands at %d, want tuple %d", at, tu.Offset(), want)
		}
		if again := ViewFrom(frame, tu.Offset()); again != tu {
			t.Error("ViewFrom does not continue where Offset was")
		}
	}
}

func TestViewVariable(t *testing.T) {
	payloads := []string{"", "a", "12345678", "123456789", strings.Repeat("x", 1000), ""}
	frame, h := variableFrame(payloads...)
	Seal(frame, h)
	if err := Verify(frame); err != nil {
		t.Fatal(err)
	}
	var got []string
	for tu := View(frame); tu.Valid(); tu.Advance() {
		if SizeAt(tu.Ptr()) != len(tu.Bytes()) || cap(tu.Bytes()) != len(tu.Bytes()) {
			t.Fatal("sizes disagree")
		}
		got = append(got, string(tu.Bytes()))
	}
	if strings.Join(got, "|") != strings.Join(payloads, "|") {
		t.Errorf("payloads %q", got)
	}
	tu := View(frame)
	if tu.Seek(h.First + 3); string(tu.Bytes()) != "123456789" {
		t.Errorf("seek stands at %q", tu.Bytes())
	}
	if tu.Seek(TimeMax); tu.Valid() || tu.Offset() != len(frame) {
		t.Error("seek to infinity is not at the end")
	}
}

func TestViewOfOtherKindsIsEmpty(t *testing.T) {
	frame := aligned(FrameHeader + 16)
	Seal(frame, Header{Kind: End, Bytes: 16, First: 5, Last: 5, Frontier: TimeMax})
	if err := Verify(frame); err != nil {
		t.Fatal(err)
	}
	if tu := View(frame); tu.Valid() {
		t.Error("an end frame has tuples")
	}
}

// TestVerifyRefuses changes one thing at a time in a good frame, seals it again
// where the checksum is not the point, and looks at what Verify says.
func TestVerifyRefuses(t *testing.T) {
	le := binary.LittleEndian
	const tuple2, length1, pad1 = FrameHeader + 40, FrameHeader + 16, FrameHeader + 24 + 5
	for _, c := range []struct {
		name     string
		variable bool
		offset   int
		reason   string
		change   func(f []byte) []byte
	}{
		{"empty", false, 0, "a header has 64", func(f []byte) []byte { return nil }},
		{"short header", false, 63, "a header has 64", func(f []byte) []byte { return f[:63] }},
		{"magic", false, 0, "magic", func(f []byte) []byte { f[0]++; return f }},
		{"version", false, 2, "version 2", func(f []byte) []byte { f[2]++; return f }},
		{"kind 0", false, 3, "kind 0", func(f []byte) []byte { f[3] = 0; return reseal(f) }},
		{"kind 4", false, 3, "kind 4", func(f []byte) []byte { f[3] = 4; return reseal(f) }},
		{"flags", false, 4, "flags", func(f []byte) []byte { f[5] = 1; return reseal(f) }},
		{"reserved", false, 63, "reserved", func(f []byte) []byte { f[63] = 1; return reseal(f) }},
		{"cut off", false, 12, "header says", func(f []byte) []byte { return f[:len(f)-8] }},
		{"too long", false, 12, "header says", func(f []byte) []byte { return append(f, 0) }},
		{"checksum of payload", false, 44, "checksum", func(f []byte) []byte { f[100] ^= 1; return f }},
		{"checksum of header", false, 44, "checksum", func(f []byte) []byte { f[33] ^= 1; return f }},
		{"checksum itself", false, 44, "checksum", func(f []byte) []byte { f[45] ^= 1; return f }},
		{"count", false, 8, "3 tuples of 24", func(f []byte) []byte { f[8] = 3; return reseal(f) }},
		{"count 0", false, 8, "without tuples", func(f []byte) []byte { f[8] = 0; return reseal(f) }},
		{"payload size", false, 8, "of 32", func(f []byte) []byte { f[40] = 32; return reseal(f) }},
		{"odd payload size", false, 40, "size 25", func(f []byte) []byte { f[40] = 25; return reseal(f) }},
		{"odd bytes", false, 12, "multiple of 8", func(f []byte) []byte { f[12]++; return reseal(append(f, 0)) }},
		{"first above last", false, 16, "after last", func(f []byte) []byte { f[23] = 0x7f; return reseal(f) }},
		{"last is infinite", false, 24, "infinity", func(f []byte) []byte { le.PutUint64(f[24:], 1<<64-1); return reseal(f) }},
		{"first not the tuple's", false, 64, "first tuple", func(f []byte) []byte { f[16]--; return reseal(f) }},
		{"first after the tuple's", false, 64, "first tuple", func(f []byte) []byte { f[64]--; return reseal(f) }},
		{"last not the tuple's", false, tuple2, "last tuple", func(f []byte) []byte { f[24]++; return reseal(f) }},
		{"times go back", false, tuple2, "must not go back", func(f []byte) []byte { le.PutUint64(f[tuple2:], 1); return reseal(f) }},
		{"variable count", true, 8, "at least", func(f []byte) []byte { f[8] = 90; return reseal(f) }},
		{"fewer than counted", true, -1, "the header says 3", func(f []byte) []byte { f[8] = 3; return reseal(f) }},
		{"more than counted", true, -1, "after the last", func(f []byte) []byte { f[8] = 1; return reseal(f) }},
		{"length outside", true, length1, "left", func(f []byte) []byte { le.PutUint32(f[length1:], 1<<31); return reseal(f) }},
		{"length into the next", true, -1, "", func(f []byte) []byte { f[length1] = 48; return reseal(f) }},
		{"word after length", true, length1 + 4, "word after", func(f []byte) []byte { f[length1+4] = 1; return reseal(f) }},
		{"padding", true, pad1, "padding", func(f []byte) []byte { f[pad1] = 1; return reseal(f) }},
		{"frontier with bytes", false, 8, "frontier frame", func(f []byte) []byte { f[3] = 2; return reseal(f) }},
		{"end with tuples", false, 8, "end frame", func(f []byte) []byte { f[3] = 3; return reseal(f) }},
	} {
		frame, h := fixedFrame(2)
		if c.variable {
			frame, h = variableFrame("spate", strings.Repeat("y", 40))
		}
		Seal(frame, h)
		err := Verify(c.change(frame))
		var fe *FrameError
		if !errors.As(err, &fe) || !strings.Contains(fe.Reason, c.reason) || c.offset >= 0 && fe.Offset != c.offset {
			t.Errorf("%s: %v, want offset %d and %q", c.name, err, c.offset, c.reason)
		}
	}
}

// reseal makes the checksum right again, whatever the frame says.
func reseal(frame []byte) []byte {
	binary.LittleEndian.PutUint32(frame[offCRC:], checksum(frame))
	return frame
}

func TestSealPanicsOnNonsense(t *testing.T) {
	defer func() {
		if r, _ := recover().(string); !strings.HasPrefix(r, "BUG: sealing") {
			t.Errorf("seal of a contradictory header: %q", r)
		}
	}()
	frame, h := fixedFrame(2)
	h.Count = 3
	Seal(frame, h)
}

func TestViewPanicsOnNonsense(t *testing.T) {
	frame, h := fixedFrame(2)
	Seal(frame, h)
	for name, call := range map[string]func(){
		"cut off":    func() { View(frame[:len(frame)-1]) },
		"no header":  func() { View(frame[:10]) },
		"misaligned": func() { View(append(aligned(1), frame...)[1:][4:]) },
		"in header":  func() { ViewFrom(frame, 8) },
		"payload":    func() { Payload[payload24](frame, len(frame)-16) },
	} {
		func() {
			defer func() {
				if recover() == nil {
					t.Errorf("%s: no panic", name)
				}
			}()
			call()
		}()
	}
}

func TestNothingAllocates(t *testing.T) {
	frame, h := fixedFrame(100)
	variable, vh := variableFrame("a", "bb", "ccc")
	sum := uint64(0)
	if n := testing.AllocsPerRun(100, func() {
		fillFixed(frame, h)
		Seal(frame, h)
		Seal(variable, vh)
		if Verify(frame) != nil || Verify(variable) != nil {
			panic("BUG: a sealed frame is refused")
		}
		if _, err := ParseHeader(frame, Limits{}); err != nil {
			panic("BUG: a sealed header is refused")
		}
		for t := View(frame); t.Valid(); t.Advance() {
			sum += t.Hash() + As[payload24](&t).C
		}
		for t := View(variable); t.Valid(); t.Advance() {
			sum += uint64(len(t.Bytes()))
		}
	}); n != 0 {
		t.Errorf("%v allocations", n)
	}
}

// walk reads every byte that a view gives, as a consumer would.
func walk(frame []byte) (n int, last Time) {
	for t := View(frame); t.Valid(); t.Advance() {
		for _, b := range t.Bytes() {
			_ = b
		}
		n, last = n+1, t.Time()
	}
	return n, last
}

func fuzzSeeds(f *testing.F) {
	for _, make := range []func() ([]byte, Header){
		func() ([]byte, Header) { return fixedFrame(3) },
		func() ([]byte, Header) { return variableFrame("", "abc", "123456789") },
	} {
		frame, h := make()
		Seal(frame, h)
		f.Add(frame)
	}
	frame := aligned(FrameHeader)
	Seal(frame, Header{Kind: Frontier, Frontier: 5})
	f.Add(frame)
}

func FuzzParseHeader(f *testing.F) {
	fuzzSeeds(f)
	f.Fuzz(func(t *testing.T, b []byte) {
		h, err := ParseHeader(b, Limits{Bytes: 1 << 20})
		if err != nil {
			if fe := (*FrameError)(nil); !errors.As(err, &fe) || fe.Offset < 0 || fe.Offset > FrameHeader {
				t.Fatalf("error %v is not one of a header", err)
			}
			return
		}
		if h.Bytes > 1<<20 {
			t.Fatalf("a payload of %d bytes was let through", h.Bytes)
		}
		again := make([]byte, FrameHeader)
		h.Put(again)
		copy(again[offCRC:], b[offCRC:offReserved])
		if !bytes.Equal(again, b[:FrameHeader]) {
			t.Fatalf("header %+v does not write back what it was read from", h)
		}
	})
}

// FuzzVerify gives Verify frames with a right checksum and, if possible, length,
// so that what lies behind them is reached.
func FuzzVerify(f *testing.F) {
	fuzzSeeds(f)
	f.Fuzz(func(t *testing.T, b []byte) {
		frame := aligned(len(b))
		copy(frame, b)
		if len(frame) >= FrameHeader {
			binary.LittleEndian.PutUint32(frame[offBytes:], uint32(len(frame)-FrameHeader))
			reseal(frame)
		}
		if err := Verify(frame); err != nil {
			if fe := (*FrameError)(nil); !errors.As(err, &fe) || fe.Offset < 0 || fe.Offset > len(frame) {
				t.Fatalf("error %v is not one of a frame of %d bytes", err, len(frame))
			}
			return
		}
		h := HeaderOf(frame)
		if n, last := walk(frame); h.Kind == Data && (n != int(h.Count) || last != h.Last) {
			t.Fatalf("%d tuples up to %v, the header says %d up to %v", n, last, h.Count, h.Last)
		}
	})
}

// BenchmarkFrame writes all fields of 40-byte tuples, seals, verifies and reads
// all fields again, in frames of 64 KiB.
func BenchmarkFrame(b *testing.B) {
	frame, h := fixedFrame((64<<10 - FrameHeader) / 40)
	sum := uint64(0)
	steps := []struct {
		name string
		run  func()
	}{
		{"write", func() { fillFixed(frame, h) }},
		{"seal", func() { Seal(frame, h) }},
		{"verify", func() {
			if err := Verify(frame); err != nil {
				b.Fatal(err)
			}
		}},
		{"read", func() {
			for t := View(frame); t.Valid(); t.Advance() {
				p := As[payload24](&t)
				sum += uint64(t.Time()) ^ t.Hash() ^ p.A ^ p.B ^ p.C
			}
		}},
	}
	report := func(b *testing.B) {
		tuples := float64(b.N) * float64(h.Count)
		b.ReportMetric(float64(b.Elapsed().Nanoseconds())/tuples, "ns/tuple")
		b.ReportMetric(tuples/b.Elapsed().Seconds(), "tuples/s")
	}
	Seal(frame, h)
	for _, s := range steps {
		b.Run(s.name, func(b *testing.B) {
			for b.Loop() {
				s.run()
			}
			report(b)
		})
	}
	b.Run("all", func(b *testing.B) {
		for b.Loop() {
			for _, s := range steps {
				s.run()
			}
		}
		report(b)
	})
	if sum == 0 {
		b.Fatal("nothing was read")
	}
}
