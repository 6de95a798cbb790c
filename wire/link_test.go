package wire

import (
	"bytes"
	"encoding/hex"
	"errors"
	"strings"
	"testing"

	"pgregory.net/rapid"
)

func unhex(t testing.TB, s string) []byte {
	t.Helper()
	b, err := hex.DecodeString(strings.Join(strings.Fields(s), ""))
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// TestGoldenMessages pins the bytes of every kind of message.
func TestGoldenMessages(t *testing.T) {
	tau := At(1, 2, 3) // 0x4008003
	for name, c := range map[string]struct {
		got  []byte
		want string
	}{
		"frame":     {Envelope{Kind: EnvelopeFrame, Channel: 0x01020304, Bytes: 104}.Append(nil), "01 000000 04030201 68000000 00000000"},
		"frontiers": {Envelope{Kind: EnvelopeFrontiers, Bytes: 24}.Append(nil), "02 000000 00000000 18000000 00000000"},
		"acks":      {Envelope{Kind: EnvelopeAcks, Bytes: 24}.Append(nil), "03 000000 00000000 18000000 00000000"},
		"open":      {Envelope{Kind: EnvelopeOpen, Bytes: 24}.Append(nil), "04 000000 00000000 18000000 00000000"},
		"group":     {FrontierGroup{Task: 7, Exceptions: 2, Frontier: tau}.Append(nil), "07000000 02000000 0380000400000000 0000000000000000"},
		"ending group": {FrontierGroup{Task: 7, Exceptions: 1, Frontier: TimeMax, End: tau, Ending: true}.Append(nil),
			"07000000 01000080 ffffffffffffffff 0380000400000000"},
		"exception":  {FrontierException{Channel: 9, Frontier: tau}.Append(nil), "09000000 00000000 0380000400000000"},
		"ack entry":  {AckEntry{Channel: 9, Acked: tau, Granted: 0x40000}.Append(nil), "09000000 00000000 0380000400000000 0000040000000000"},
		"open entry": {OpenEntry{Channel: 9, From: tau, Granted: 0x40000}.Append(nil), "09000000 00000000 0380000400000000 0000040000000000"},
		"ask entry":  {AppendAsk(nil, 9), "09000000 00000000"},
		"closes":     {Envelope{Kind: EnvelopeCloses, Bytes: 8}.Append(nil), "07 000000 00000000 08000000 00000000"},
		"close":      {AppendClose(nil, 9), "09000000 00000000"},
		"fault":      {AppendFault(nil, 3, "no such τ"), "05 000000 03000000 10000000 00000000 6e6f207375636820cf84 000000000000"},
	} {
		if want := unhex(t, c.want); !bytes.Equal(c.got, want) {
			t.Errorf("%s:\n got %x\nwant %x", name, c.got, want)
		}
	}
}

func TestMessageSizes(t *testing.T) {
	for name, c := range map[string]struct{ got, want int }{
		"envelope":  {len(Envelope{}.Append(nil)), EnvelopeBytes},
		"group":     {len(FrontierGroup{}.Append(nil)), GroupBytes},
		"exception": {len(FrontierException{}.Append(nil)), ExceptionBytes},
		"ack":       {len(AckEntry{}.Append(nil)), AckBytes},
		"open":      {len(OpenEntry{}.Append(nil)), OpenBytes},
		"ask":       {len(AppendAsk(nil, 0)), AskBytes},
		"close":     {len(AppendClose(nil, 0)), CloseBytes},
		"fault":     {len(AppendFault(nil, 0, strings.Repeat("x", 5000))), EnvelopeBytes + FaultBytesMax},
	} {
		if c.got != c.want || c.want%8 != 0 {
			t.Errorf("%s: %d bytes, want %d, a multiple of 8", name, c.got, c.want)
		}
	}
	if EnvelopeBytes != 16 || GroupBytes != 24 || ExceptionBytes != 16 || AckBytes != 24 || OpenBytes != 24 || AskBytes != 8 || CloseBytes != 8 {
		t.Error("a size of the format has changed")
	}
}

func TestMessagesComeBack(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		channel, tau := rapid.Uint32().Draw(t, "channel"), Time(rapid.Uint64().Draw(t, "time"))
		env := Envelope{Kind: EnvelopeFrame, Channel: channel, Bytes: 8 * rapid.Uint32Range(0, 1<<28).Draw(t, "bytes")}
		if got, err := ParseEnvelope(env.Append(nil)); got != env || err != nil {
			t.Fatalf("%+v comes back as %+v, %v", env, got, err)
		}
		group := FrontierGroup{Task: channel, Exceptions: 1, Frontier: tau, Ending: rapid.Bool().Draw(t, "ending")}
		if group.Ending {
			group.End = tau / 2
		}
		exception := FrontierException{Channel: channel, Frontier: tau}
		body := append(exception.Append(group.Append(nil)), 1)
		gotGroup, rest, err := ParseFrontierGroup(body)
		if gotGroup != group || err != nil {
			t.Fatalf("%+v comes back as %+v, %v", group, gotGroup, err)
		}
		if got, rest, err := ParseFrontierException(rest); got != exception || err != nil || len(rest) != 1 {
			t.Fatalf("%+v comes back as %+v, %v", exception, got, err)
		}
		ack := AckEntry{Channel: channel, Acked: tau, Granted: rapid.Uint64().Draw(t, "granted")}
		if got, rest, err := ParseAckEntry(append(ack.Append(nil), 1)); got != ack || err != nil || len(rest) != 1 {
			t.Fatalf("%+v comes back as %+v, %v", ack, got, err)
		}
		open := OpenEntry{Channel: channel, From: tau, Granted: ack.Granted}
		if got, rest, err := ParseOpenEntry(append(open.Append(nil), 1)); got != open || err != nil || len(rest) != 1 {
			t.Fatalf("%+v comes back as %+v, %v", open, got, err)
		}
		if got, rest, err := ParseAsk(append(AppendAsk(nil, channel), 1)); got != channel || err != nil || len(rest) != 1 {
			t.Fatalf("an ask of channel %d comes back as %d, %v", channel, got, err)
		}
		if got, rest, err := ParseClose(append(AppendClose(nil, channel), 1)); got != channel || err != nil || len(rest) != 1 {
			t.Fatalf("a close of channel %d comes back as %d, %v", channel, got, err)
		}
	})
}

func TestFaultText(t *testing.T) {
	for _, c := range []struct{ body, want string }{
		{string(AppendFault(nil, 0, "what\x00ever")[EnvelopeBytes:]), "what\x00ever"},
		{"12345678", "12345678"},
		{"\xff\xfeab\x00\x00\x00\x00", "?ab"},
		{"", ""},
	} {
		if got := FaultText([]byte(c.body)); got != c.want {
			t.Errorf("%q gives %q, want %q", c.body, got, c.want)
		}
	}
}

func TestBadMessages(t *testing.T) {
	parse := map[string]func([]byte) error{
		"envelope":  func(b []byte) error { _, err := ParseEnvelope(b); return err },
		"group":     func(b []byte) error { _, _, err := ParseFrontierGroup(b); return err },
		"exception": func(b []byte) error { _, _, err := ParseFrontierException(b); return err },
		"ack":       func(b []byte) error { _, _, err := ParseAckEntry(b); return err },
		"open":      func(b []byte) error { _, _, err := ParseOpenEntry(b); return err },
		"ask":       func(b []byte) error { _, _, err := ParseAsk(b); return err },
		"close":     func(b []byte) error { _, _, err := ParseClose(b); return err },
	}
	for _, c := range []struct {
		what, bytes string
		offset      int
		reason      string
	}{
		{"envelope", "01 000000 04030201 68000000 000000", 15, "15 bytes"},
		{"envelope", "00 000000 04030201 68000000 00000000", 0, "kind 0"},
		{"envelope", "08 000000 04030201 68000000 00000000", 0, "kind 8"},
		{"envelope", "01 000100 04030201 68000000 00000000", 1, "after the kind"},
		{"envelope", "03 000000 01000000 18000000 00000000", 4, "which has none"},
		{"envelope", "01 000000 04030201 69000000 00000000", 8, "multiple of 8"},
		{"envelope", "01 000000 04030201 68000000 00010000", 12, "want 0"},
		{"ask", "07000000 000000", 7, "7 bytes"},
		{"ask", "07000000 01000000", 4, "want 0"},
		{"close", "07000000 000000", 7, "7 bytes"},
		{"close", "07000000 01000000", 4, "want 0"},
		{"group", "07000000 00000000 0380000400000000 00000000000000", 23, "23 bytes"},
		{"group", "07000000 00000000 0380000400000000 0100000000000000", 16, "not known"},
		{"group", "07000000 01000000 0380000400000000 0000000000000000 09000000", 4, "1 exceptions"},
		{"group", "07000000 ffffff7f 0380000400000000 0000000000000000 09000000", 4, "2147483647 exceptions"},
		{"exception", "09000000 00000000 03800004000000", 15, "15 bytes"},
		{"exception", "09000000 01000000 0380000400000000", 4, "want 0"},
		{"ack", "09000000 00000000 0380000400000000", 16, "16 bytes"},
		{"ack", "09000000 00000001 0380000400000000 0000040000000000", 4, "want 0"},
		{"open", "09000000 00010000 0380000400000000 0000040000000000", 4, "want 0"},
	} {
		err := parse[c.what](unhex(t, c.bytes))
		e := (*EnvelopeError)(nil)
		if !errors.As(err, &e) || e.Offset != c.offset || !strings.Contains(e.Error(), c.reason) {
			t.Errorf("%s %s: %v, want %q at offset %d", c.what, c.bytes, err, c.reason, c.offset)
		}
	}
}

// FuzzMessages parses bytes as each kind of message; what is accepted must write back the bytes that it was read from.
func FuzzMessages(f *testing.F) {
	f.Add(Envelope{Kind: EnvelopeFrame, Channel: 5, Bytes: 64}.Append(nil))
	f.Add(FrontierException{Channel: 1, Frontier: 9}.Append(FrontierGroup{Task: 1, Exceptions: 1, Frontier: 10, End: 3, Ending: true}.Append(nil)))
	f.Add(AckEntry{Channel: 1, Acked: 2, Granted: 3}.Append(nil))
	f.Fuzz(func(t *testing.T, b []byte) {
		same := func(what string, got []byte, err error) {
			if e := (*EnvelopeError)(nil); err != nil {
				if !errors.As(err, &e) || e.Offset < 0 || e.Offset > len(b) {
					t.Fatalf("%s: error %v is not one of %d bytes", what, err, len(b))
				}
			} else if !bytes.HasPrefix(b, got) {
				t.Fatalf("%s: %x comes back as %x", what, b, got)
			}
		}
		env, err := ParseEnvelope(b)
		same("envelope", env.Append(nil), err)
		group, _, err := ParseFrontierGroup(b)
		same("group", group.Append(nil), err)
		exception, _, err := ParseFrontierException(b)
		same("exception", exception.Append(nil), err)
		ack, _, err := ParseAckEntry(b)
		same("ack", ack.Append(nil), err)
		open, _, err := ParseOpenEntry(b)
		same("open", open.Append(nil), err)
		ask, _, err := ParseAsk(b)
		same("ask", AppendAsk(nil, ask), err)
		over, _, err := ParseClose(b)
		same("close", AppendClose(nil, over), err)
		FaultText(b)
	})
}

func TestMessagesDoNotAllocate(t *testing.T) {
	dst := make([]byte, 0, 256)
	if n := testing.AllocsPerRun(100, func() {
		dst = Envelope{Kind: EnvelopeFrame}.Append(dst[:0])
		dst = FrontierException{}.Append(FrontierGroup{Exceptions: 1}.Append(dst))
		dst = AckEntry{}.Append(dst)
		if _, err := ParseEnvelope(dst); err != nil {
			panic(err)
		}
		if _, _, err := ParseFrontierGroup(dst[EnvelopeBytes:]); err != nil {
			panic(err)
		}
	}); n != 0 {
		t.Errorf("%v allocations", n)
	}
}
