package ft_test

import (
	"bytes"
	"encoding/hex"
	"errors"
	"reflect"
	"strings"
	"testing"

	"github.com/fullspate/spate/ft"
	"github.com/fullspate/spate/partition"
	"github.com/fullspate/spate/state"
	"github.com/fullspate/spate/wire"
)

// small is a checkpoint without tables, such as a source and a sink in one would have.
func small() *ft.Checkpoint {
	return &ft.Checkpoint{
		Operator: "read", Range: partition.Range{First: 1, Last: 0xff}, Generation: 3, Position: 0x1000, EndOf: 0x2000, Ending: true,
		Logs: []ft.LogImage{{
			LogName: ft.LogName{Edge: 1, Task: 6, Range: partition.Range{First: 0x50, Last: 0x60}}, Trim: 0x10, Frontier: 0x20, Frames: []byte("frames"),
		}},
		Splits: []ft.SplitState{
			{Ordinal: 2, Offset: ft.Offset{Place: 7, Skip: -1}, Skip: 5, Last: 0x30, Promise: 0x40, Ended: true},
			{Ordinal: 9},
		},
		Mark: []byte{0xaa},
	}
}

// samples are checkpoints of all kinds.
func samples(t testing.TB) []*ft.Checkpoint {
	w := newWorker(t, task("count"), 1)
	w.work(20)
	base := w.checkpoint(state.Base)
	w.work(5)
	return []*ft.Checkpoint{small(), {Operator: "", Range: partition.Full()}, base, w.checkpoint(state.Delta)}
}

func TestRoundTrip(t *testing.T) {
	for _, want := range samples(t) {
		prefix := []byte("prefix")
		b := want.Append(prefix)[len(prefix):]
		got, err := ft.Decode(b)
		if err != nil {
			t.Fatal(err)
		}
		if !reflect.DeepEqual(got, want) {
			t.Errorf("got  %+v\nwant %+v", got, want)
		}
		if got.Task() != want.Task() {
			t.Errorf("task %v, want %v", got.Task(), want.Task())
		}
	}
}

func TestInfo(t *testing.T) {
	delta := samples(t)[3]
	b := delta.Append(nil)
	i, err := ft.DecodeInfo(b)
	if err != nil {
		t.Fatal(err)
	}
	image, err := state.Inspect(delta.Tables[0])
	if err != nil {
		t.Fatal(err)
	}
	table := ft.TableInfo{
		Fingerprint: image.Fingerprint, Kind: state.Delta, Parent: image.Parent, Records: image.Records, Deletions: image.Deletions,
		RawBytes: image.RawBytes, Bytes: int64(len(delta.Tables[0])),
	}
	if i.Tables[0] != table {
		t.Errorf("table %+v, want %+v", i.Tables[0], table)
	}
	if got, want := i.TableBytes(), int64(len(delta.Tables[0])+len(delta.Tables[1])); got != want {
		t.Errorf("%d bytes of tables, want %d", got, want)
	}
	if got, want := i.LogBytes(), int64(len(delta.Logs[0].Frames)); got != want {
		t.Errorf("%d bytes of logs, want %d", got, want)
	}
	if i.Bytes != int64(len(b)) || i.Generation != 2 || i.Follows != 1 || i.Kind != state.Delta || i.Position != delta.Position {
		t.Errorf("info %+v of %d bytes", i, len(b))
	}
	if i.Logs[0].Trim != delta.Logs[0].Trim || i.Logs[0].Frontier != delta.Logs[0].Frontier {
		t.Errorf("log %+v, want that of %+v", i.Logs[0], delta.Logs[0])
	}
}

// TestInfoNeedsTheHeaderAlone reads the shortest beginning that will do.
func TestInfoNeedsTheHeaderAlone(t *testing.T) {
	b := small().Append(nil)
	size := 88 + 8 + 56 + 16
	i, err := ft.DecodeInfo(b[:size])
	if err != nil {
		t.Fatal(err)
	}
	if i.Task.String() != "read[0000000000000001-00000000000000ff]" || i.Splits != 2 || i.MarkBytes != 1 || !i.Ending || i.EndOf != 0x2000 {
		t.Errorf("info %+v", i)
	}
	if _, err := ft.DecodeInfo(b[:size-1]); err == nil {
		t.Error("a header without its last byte was read")
	}
}

func TestGolden(t *testing.T) {
	want := strings.Join([]string{
		"5350434b02000100a800000000000000",                           // magic, version, flags, header, tables
		"01000000020000000400000000000000",                           // logs, splits, operator, kind
		"0100000000000000ff00000000000000",                           // range
		"03000000000000000000000000000000",                           // generation, follows
		"00100000000000000020000000000000",                           // position, end
		"0100000000000000" + "7265616400000000",                      // mark, operator
		"10000000000000002000000000000000",                           // log: trim, frontier
		"0600000000000000" + "c62e0f5d" + "01000000",                 // bytes, checksum, edge
		"5000000000000000" + "6000000000000000" + "0600000000000000", // consumer: range, index
		"cb660217cfced49b00000000036f495c",                           // checksums
		"0200010000000000" + "0700000000000000" + "ffffffffffffffff", // split 2
		"0500000000000000" + "3000000000000000" + "4000000000000000",
		"0900000000000000" + strings.Repeat("00", 40), // split 9
		"aa00000000000000" + "6672616d65730000",       // mark, frames
	}, "")
	if got := hex.EncodeToString(small().Append(nil)); got != want {
		t.Errorf("got\n%s, want\n%s", got, want)
	}
}

// damage requires a *FormatError that lies inside of b.
func damage(t *testing.T, what string, b []byte) {
	t.Helper()
	_, err := ft.Decode(b)
	var format *ft.FormatError
	if !errors.As(err, &format) {
		t.Fatalf("%s: %v, want a FormatError", what, err)
	}
	if format.Offset < 0 || format.Offset > int64(len(b)) || format.Reason == "" {
		t.Fatalf("%s: %+v of %d bytes", what, format, len(b))
	}
}

func TestDamageIsFound(t *testing.T) {
	for _, c := range samples(t) {
		b := c.Append(nil)
		for n := range b {
			damage(t, "truncated", b[:n])
			flipped := bytes.Clone(b)
			flipped[n] ^= 1 << (n % 8)
			damage(t, "flipped", flipped)
		}
		damage(t, "longer", append(bytes.Clone(b), 0))
	}
}

// TestContradictionsAreFound encodes what no task would say.
func TestContradictionsAreFound(t *testing.T) {
	w := newWorker(t, task("count"), 1)
	w.work(20)
	w.checkpoint(state.Base)
	w.work(5)
	delta := w.checkpoint(state.Delta)
	tests := map[string]func(c *ft.Checkpoint){
		"base with deltas":      func(c *ft.Checkpoint) { c.Kind, c.Follows = state.Base, 0 },
		"delta of nothing":      func(c *ft.Checkpoint) { c.Follows = 0 },
		"base that follows":     func(c *ft.Checkpoint) { c.Kind = state.Base },
		"follows itself":        func(c *ft.Checkpoint) { c.Follows = c.Generation },
		"table of another time": func(c *ft.Checkpoint) { c.Position++ },
		"range upside down":     func(c *ft.Checkpoint) { c.Range = partition.Range{First: 2, Last: 1} },
		"unknown kind":          func(c *ft.Checkpoint) { c.Kind = 7 },
		"negative skip":         func(c *ft.Checkpoint) { c.Splits = []ft.SplitState{{Skip: -1}} },
	}
	damage(t, "an image of a narrower range", func() []byte {
		narrow := newWorker(t, ft.TaskID{Operator: "count", Range: partition.Range{First: 0, Last: 1 << 60}}, 1)
		narrow.work(1)
		c := narrow.checkpoint(state.Base)
		c.Range = partition.Full()
		return c.Append(nil)
	}())
	for name, spoil := range tests {
		c := *delta
		spoil(&c)
		damage(t, name, c.Append(nil))
	}
}

func TestAppendRefusesWhatIsNoImage(t *testing.T) {
	defer func() {
		if recover() == nil {
			t.Error("no panic")
		}
	}()
	(&ft.Checkpoint{Tables: [][]byte{[]byte("nonsense")}, Position: wire.Time(1)}).Append(nil)
}

// FuzzDecode requires that what is accepted is what would be written.
func FuzzDecode(f *testing.F) {
	for _, c := range samples(f) {
		f.Add(c.Append(nil))
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		c, err := ft.Decode(b)
		info, infoErr := ft.DecodeInfo(b)
		if err == nil && infoErr != nil {
			t.Fatalf("the whole is sound, the header not: %v", infoErr)
		}
		if err != nil {
			var format *ft.FormatError
			if !errors.As(err, &format) {
				t.Fatalf("%v is no FormatError", err)
			}
			return
		}
		if again := c.Append(nil); !bytes.Equal(again, b) || info.Bytes != int64(len(b)) {
			t.Fatalf("%x was read as %x", b, again)
		}
	})
}
