package wire

import (
	"bytes"
	"encoding/hex"
	"errors"
	"strings"
	"testing"

	"pgregory.net/rapid"
)

// goldenHello makes a hello whose every field is another number.
func goldenHello() Hello {
	h := Hello{Role: Acceptor, Purpose: PurposeData, Incarnation: 0x0102030405060708, Note: []byte("job")}
	for i := range h.Cluster {
		h.Cluster[i] = byte(0x40 + i)
	}
	for i := range h.Nonce {
		h.Nonce[i] = byte(0x80 + i)
	}
	return h
}

// TestHandshakeGolden pins the layout drawn in handshake.go, byte by byte.
func TestHandshakeGolden(t *testing.T) {
	for name, c := range map[string]struct {
		msg  []byte
		want string
	}{
		"hello": {goldenHello().Append(nil), `73704853 01 01 4300 02 02 000000000000 0807060504030201
			404142434445464748494a4b4c4d4e4f 808182838485868788898a8b8c8d8e8f909192939495969798999a9b9c9d9e9f 6a6f62`},
		"proof": {AppendProof(nil, goldenHello().Nonce), `73704853 01 02 2000
			808182838485868788898a8b8c8d8e8f909192939495969798999a9b9c9d9e9f`},
		"refusal": {Refusal{Reason: 9, Detail: "nö"}.Append(nil), `73704853 01 03 0700 09 000000 6ec3b6`},
	} {
		want, err := hex.DecodeString(strings.NewReplacer(" ", "", "\n", "", "\t", "").Replace(c.want))
		if err != nil {
			t.Fatal(err)
		}
		if !bytes.Equal(c.msg, want) {
			t.Errorf("%s:\n got %x\nwant %x", name, c.msg, want)
		}
	}
}

func TestHandshakeSizes(t *testing.T) {
	if HandshakeHeader != 8 || HelloSize != 72 || ProofSize != 40 || RefusalSize != 12 || HandshakeMax != 4168 {
		t.Error("a size of the format has changed")
	}
	h := goldenHello()
	h.Note = make([]byte, NoteMax)
	if n := len(h.Append(nil)); n != HandshakeMax {
		t.Errorf("the largest hello has %d bytes, want %d", n, HandshakeMax)
	}
	h.Note = nil
	if n := len(h.Append(nil)); n != HelloSize {
		t.Errorf("a hello without a note has %d bytes, want %d", n, HelloSize)
	}
}

func TestHelloRoundTrip(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		h := Hello{
			Role:        rapid.SampledFrom([]Role{Initiator, Acceptor}).Draw(t, "role"),
			Purpose:     rapid.SampledFrom([]Purpose{PurposeControl, PurposeData}).Draw(t, "purpose"),
			Incarnation: rapid.Uint64().Draw(t, "incarnation"),
			Cluster:     [16]byte(rapid.SliceOfN(rapid.Byte(), 16, 16).Draw(t, "cluster")),
			Nonce:       [32]byte(rapid.SliceOfN(rapid.Byte(), 32, 32).Draw(t, "nonce")),
			Note:        rapid.SliceOfN(rapid.Byte(), 0, NoteMax).Draw(t, "note"),
		}
		msg := h.Append([]byte("before"))[len("before"):]
		head, err := ParseHandshakeHeader(msg)
		if err != nil || head != (HandshakeHead{Protocol, HelloMessage, len(msg) - 8}) || head.Size() != len(msg) {
			t.Fatalf("header %+v, %v", head, err)
		}
		got, err := ParseHello(msg)
		if err != nil || got.Role != h.Role || got.Purpose != h.Purpose || got.Incarnation != h.Incarnation ||
			got.Cluster != h.Cluster || got.Nonce != h.Nonce || !bytes.Equal(got.Note, h.Note) || cap(got.Note) != len(got.Note) {
			t.Fatalf("%+v comes back as %+v, %v", h, got, err)
		}
	})
}

func TestProofRoundTrip(t *testing.T) {
	want := goldenHello().Nonce
	if got, err := ParseProof(AppendProof(nil, want)); err != nil || got != want {
		t.Errorf("%x comes back as %x, %v", want, got, err)
	}
}

// TestRefusalCarriesText shows that whatever the detail is, what is sent can be
// read and logged.
func TestRefusalCarriesText(t *testing.T) {
	for in, want := range map[string]string{
		"":                             "",
		"wrong":                        "wrong",
		"a\x00\n\x1b[31mb":             "a???[31mb",
		"bad \xff utf8":                "bad ? utf8",
		strings.Repeat("x", 4096):      strings.Repeat("x", DetailMax),
		strings.Repeat("ö", 300):       strings.Repeat("ö", DetailMax/2),
		strings.Repeat("世", 300):       strings.Repeat("世", DetailMax/3),
		"x" + strings.Repeat("ö", 256): "x" + strings.Repeat("ö", 255),
	} {
		got, err := ParseRefusal(Refusal{Reason: 3, Detail: in}.Append(nil))
		if err != nil || got.Reason != 3 || got.Detail != want {
			t.Errorf("%.20q comes back as %+v, %v", in, got, err)
		}
	}
}

// TestHandshakeRefuses changes one thing at a time in a good message.
func TestHandshakeRefuses(t *testing.T) {
	long := goldenHello()
	long.Note = make([]byte, NoteMax)
	for _, c := range []struct {
		name   string
		parse  func([]byte) error
		msg    []byte
		offset int // -1: ErrNotHandshake
		reason string
		change func(m []byte) []byte
	}{
		{"empty", hello, goldenHello().Append(nil), 0, "a header has 8", func(m []byte) []byte { return nil }},
		{"short header", hello, goldenHello().Append(nil), 7, "a header has 8", func(m []byte) []byte { return m[:7] }},
		{"magic", hello, goldenHello().Append(nil), -1, "", func(m []byte) []byte { m[3] = 'x'; return m }},
		{"version", hello, goldenHello().Append(nil), 4, "protocol 2, want 1", func(m []byte) []byte { m[4]++; return m }},
		{"kind 0", hello, goldenHello().Append(nil), 5, "kind 0", func(m []byte) []byte { m[5] = 0; return m }},
		{"kind 4", hello, goldenHello().Append(nil), 5, "kind 4", func(m []byte) []byte { m[5] = 4; return m }},
		{"another kind", proof, Refusal{Reason: 1, Detail: strings.Repeat("x", 28)}.Append(nil), 5, "refusal, want proof",
			func(m []byte) []byte { return m }},
		{"cut off", hello, goldenHello().Append(nil), 6, "has 74", func(m []byte) []byte { return m[:len(m)-1] }},
		{"too long", hello, goldenHello().Append(nil), 6, "has 76", func(m []byte) []byte { return append(m, 0) }},
		{"small hello", hello, goldenHello().Append(nil), 6, "of 71 bytes, want 72", func(m []byte) []byte { m[6] = 63; return m }},
		{"huge hello", hello, long.Append(nil), 6, "of 4169 bytes", func(m []byte) []byte { m[6]++; return append(m, 0) }},
		{"huge length", hello, goldenHello().Append(nil), 6, "of 65543 bytes", func(m []byte) []byte { m[6], m[7] = 255, 255; return m }},
		{"huge, other version", hello, long.Append(nil), 6, "of 4169 bytes", func(m []byte) []byte { m[4]++; m[6]++; return m }},
		{"role", hello, goldenHello().Append(nil), 8, "role 3", func(m []byte) []byte { m[8] = 3; return m }},
		{"purpose", hello, goldenHello().Append(nil), 9, "purpose 0", func(m []byte) []byte { m[9] = 0; return m }},
		{"reserved first", hello, goldenHello().Append(nil), 10, "reserved", func(m []byte) []byte { m[10] = 1; return m }},
		{"reserved last", hello, goldenHello().Append(nil), 15, "reserved", func(m []byte) []byte { m[15] = 1; return m }},
		{"short proof", proof, AppendProof(nil, [32]byte{}), 6, "proof of 39", func(m []byte) []byte { m[6]--; return m[:39] }},
		{"long proof", proof, AppendProof(nil, [32]byte{}), 6, "proof of 41", func(m []byte) []byte { m[6]++; return append(m, 0) }},
		{"short refusal", refusal, Refusal{Reason: 1}.Append(nil), 6, "refusal of 11", func(m []byte) []byte { m[6]--; return m[:11] }},
		{"long refusal", refusal, Refusal{Reason: 1, Detail: strings.Repeat("x", DetailMax)}.Append(nil), 6, "refusal of 525",
			func(m []byte) []byte { m[6]++; return append(m, 'x') }},
		{"no reason", refusal, Refusal{Reason: 1}.Append(nil), 8, "reason 0", func(m []byte) []byte { m[8] = 0; return m }},
		{"refusal reserved", refusal, Refusal{Reason: 1}.Append(nil), 11, "reserved", func(m []byte) []byte { m[11] = 1; return m }},
		{"escape", refusal, Refusal{Reason: 1, Detail: "abc"}.Append(nil), 13, "U+001B", func(m []byte) []byte { m[13] = 0x1b; return m }},
		{"not text", refusal, Refusal{Reason: 1, Detail: "abc"}.Append(nil), 14, "U+FFFD", func(m []byte) []byte { m[14] = 0xff; return m }},
	} {
		err := c.parse(c.change(c.msg))
		if c.offset < 0 {
			if !errors.Is(err, ErrNotHandshake) {
				t.Errorf("%s: %v, want ErrNotHandshake", c.name, err)
			}
			continue
		}
		he, ok := errors.AsType[*HandshakeError](err)
		if !ok || he.Offset != c.offset || !strings.Contains(he.Reason, c.reason) {
			t.Errorf("%s: %v, want offset %d and %q", c.name, err, c.offset, c.reason)
		}
	}
}

func hello(msg []byte) error   { _, err := ParseHello(msg); return err }
func proof(msg []byte) error   { _, err := ParseProof(msg); return err }
func refusal(msg []byte) error { _, err := ParseRefusal(msg); return err }

// TestOtherVersionsCanBeToldSo: refusals are read whatever their version, and
// the header of anything else gives a length to read.
func TestOtherVersionsCanBeToldSo(t *testing.T) {
	msg := Refusal{Reason: 2, Detail: "speak 7"}.Append(nil)
	msg[offProtocol] = 7
	if r, err := ParseRefusal(msg); err != nil || r.Detail != "speak 7" {
		t.Errorf("refusal of version 7: %+v, %v", r, err)
	}
	head := []byte("spHS\x07\x63\x05\x00")
	if h, err := ParseHandshakeHeader(head); err != nil || h != (HandshakeHead{7, 0x63, 5}) {
		t.Errorf("header of version 7: %+v, %v", h, err)
	}
}

func TestHandshakePanicsOnNonsense(t *testing.T) {
	for name, call := range map[string]func(){
		"role":    func() { Hello{Purpose: PurposeData}.Append(nil) },
		"purpose": func() { Hello{Role: Initiator}.Append(nil) },
		"note":    func() { Hello{Role: Initiator, Purpose: PurposeData, Note: make([]byte, NoteMax+1)}.Append(nil) },
		"reason":  func() { Refusal{}.Append(nil) },
	} {
		func() {
			defer func() {
				if r, _ := recover().(string); !strings.HasPrefix(r, "BUG: ") {
					t.Errorf("%s: %q", name, r)
				}
			}()
			call()
		}()
	}
}

func TestHandshakeNames(t *testing.T) {
	for got, want := range map[string]string{
		HelloMessage.String(): "hello", ProofMessage.String(): "proof", RefusalMessage.String(): "refusal",
		Message(9).String(): "message of kind 9", Initiator.String(): "initiator", Acceptor.String(): "acceptor",
		Role(9).String(): "role 9", PurposeControl.String(): "control", PurposeData.String(): "data",
		Purpose(9).String(): "purpose 9",
	} {
		if got != want {
			t.Errorf("%q, want %q", got, want)
		}
	}
}

func fuzzHandshakeSeeds(f *testing.F) {
	f.Add(goldenHello().Append(nil))
	f.Add(AppendProof(nil, [32]byte{1}))
	f.Add(Refusal{Reason: 1, Detail: "wrong"}.Append(nil))
	f.Add([]byte("spHS\x02\x01\xff\x0f"))
	f.Add([]byte("GET / HTTP/1.1\r\n\r\n"))
}

// FuzzHandshakeHeader: what is let through is bounded before it is read.
func FuzzHandshakeHeader(f *testing.F) {
	fuzzHandshakeSeeds(f)
	f.Fuzz(func(t *testing.T, b []byte) {
		h, err := ParseHandshakeHeader(b)
		if err != nil {
			checkHandshakeError(t, b, err)
		} else if h.Size() > HandshakeMax || h.Size() < HandshakeHeader {
			t.Fatalf("a message of %d bytes was let through", h.Size())
		}
	})
}

// FuzzHandshake: what any of the parsers accepts is what it would have written.
func FuzzHandshake(f *testing.F) {
	fuzzHandshakeSeeds(f)
	f.Fuzz(func(t *testing.T, b []byte) {
		if h, err := ParseHello(b); err != nil {
			checkHandshakeError(t, b, err)
		} else if again := h.Append(nil); !bytes.Equal(again, b) {
			t.Fatalf("hello %x is written as %x", b, again)
		}
		if p, err := ParseProof(b); err != nil {
			checkHandshakeError(t, b, err)
		} else if again := AppendProof(nil, p); !bytes.Equal(again, b) {
			t.Fatalf("proof %x is written as %x", b, again)
		}
		if r, err := ParseRefusal(b); err != nil {
			checkHandshakeError(t, b, err)
		} else if again := r.Append(nil); !bytes.Equal(again[offMessage:], b[offMessage:]) {
			t.Fatalf("refusal %x is written as %x", b, again)
		}
	})
}

func checkHandshakeError(t *testing.T, b []byte, err error) {
	t.Helper()
	if errors.Is(err, ErrNotHandshake) {
		return
	}
	if he, ok := errors.AsType[*HandshakeError](err); !ok || he.Offset < 0 || he.Offset > len(b) {
		t.Fatalf("error %v is not one of a message of %d bytes", err, len(b))
	}
}
