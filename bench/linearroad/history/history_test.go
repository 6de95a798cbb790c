package history

import (
	"bytes"
	"errors"
	"io"
	"slices"
	"strings"
	"testing"
	"unsafe"

	"github.com/fullspate/spate/bench/linearroad/format"
)

// TestLookupGolden pins the function: a validator on another machine must compute the same.
func TestLookupGolden(t *testing.T) {
	got := make([]Row, 0, 4)
	for _, q := range []Row{{VID: 100, Day: 1}, {VID: 100, Day: 69}, {VID: 3<<HomeShift + 7, Day: 5}, {VID: 1<<30 - 1, Day: 33}} {
		x, toll, ok := Lookup(42, q.VID, q.Day)
		if !ok {
			t.Fatalf("%+v has no row", q)
		}
		got = append(got, Row{VID: q.VID, Day: q.Day, Xway: x, Toll: toll})
	}
	want := []Row{
		{VID: 100, Day: 1, Xway: 0, Toll: 96},
		{VID: 100, Day: 69, Xway: 0, Toll: 38},
		{VID: 3<<HomeShift + 7, Day: 5, Xway: 3, Toll: 72},
		{VID: 1<<30 - 1, Day: 33, Xway: 4095, Toll: 71},
	}
	if !slices.Equal(got, want) {
		t.Errorf("got  %+v\nwant %+v", got, want)
	}
}

func TestLookupShares(t *testing.T) {
	const n = 100000
	unknown, away, sum := 0, 0, 0
	for i := range uint32(n) {
		vid := 9<<HomeShift + i
		x, toll, ok := Lookup(1, vid, uint8(1+i%69))
		if !ok {
			unknown++
			continue
		}
		if toll < TollMin || toll > TollMax {
			t.Fatalf("vid %d: toll %d", vid, toll)
		}
		sum += int(toll)
		if x == 8 {
			away++
		} else if x != 9 {
			t.Fatalf("vid %d: xway %d", vid, x)
		}
		if Toll(1, vid, uint8(1+i%69), x) != toll || Toll(1, vid, uint8(1+i%69), x^1) != 0 {
			t.Fatalf("vid %d: Toll disagrees with Lookup", vid)
		}
	}
	if unknown < n/80 || unknown > n/50 || away < n/9 || away > n/7 || sum/n < 50 || sum/n > 57 {
		t.Errorf("%d without history, %d away, mean toll %d", unknown, away, sum/n)
	}
}

func TestNoRow(t *testing.T) {
	for _, day := range []uint8{0, 70, 255} {
		if _, _, ok := Lookup(1, 100, day); ok || Toll(1, 100, day, 0) != 0 {
			t.Errorf("day %d has a row", day)
		}
	}
}

func TestWriteAndRead(t *testing.T) {
	vids := []uint32{100, 101, 1<<HomeShift + 100}
	for v := uint32(0); ; v++ {
		if !Known(3, v) {
			vids = append(vids, v) // one without history
			break
		}
	}
	var file bytes.Buffer
	n, err := Write(&file, 3, slices.Values(vids))
	if err != nil || n != 3*69 {
		t.Fatal(n, err)
	}
	r := NewReader(&file, "h.csv")
	rows := int64(0)
	for {
		var row Row
		if err := r.Next(&row); err == io.EOF {
			break
		} else if err != nil {
			t.Fatal(err)
		}
		rows++
		if x, toll, ok := Lookup(3, row.VID, row.Day); !ok || x != row.Xway || toll != row.Toll {
			t.Fatalf("%+v, but the function says %d %d %v", row, x, toll, ok)
		}
	}
	if rows != n || r.Line() != int(n) {
		t.Errorf("%d rows, wrote %d", rows, n)
	}
}

func TestReaderRefuses(t *testing.T) {
	for _, c := range []struct{ line, want string }{
		{"1,2,3", `h.csv:2: field line is "1,2,3", want 4 comma separated integers, not 3`},
		{"1,70,3,4", `h.csv:2: field day is "70", want 0 to 69`},
		{"-1,7,3,4", `h.csv:2: field vid is "-1", want 0 to 4294967295`},
		{"1,7,4096,4", `h.csv:2: field xway is "4096", want 0 to 4095`},
		{"1,7,3,-4", `h.csv:2: field toll is "-4"`},
		{"1,7,3,4.5", `h.csv:2: field toll is "4.5", want an integer`},
	} {
		r := NewReader(strings.NewReader("2,0,0,99\r\n"+c.line), "h.csv")
		var row Row
		if err := r.Next(&row); err != nil || row != (Row{VID: 2, Toll: 99}) {
			t.Fatal(row, err)
		}
		err := r.Next(&row)
		var bad *format.FieldError
		if !errors.As(err, &bad) || !strings.HasPrefix(err.Error(), c.want) {
			t.Errorf("%s: %v, want %s", c.line, err, c.want)
		}
	}
}

type full struct{}

func (full) Write([]byte) (int, error) { return 0, io.ErrShortWrite }

func TestWriteFails(t *testing.T) {
	if _, err := Write(full{}, 1, slices.Values([]uint32{100})); !errors.Is(err, io.ErrShortWrite) {
		t.Error(err)
	}
}

func TestRowLayout(t *testing.T) {
	if n := unsafe.Sizeof(Row{}); n != 16 {
		t.Errorf("a row has %d bytes", n)
	}
}

func BenchmarkToll(b *testing.B) {
	sum := uint32(0)
	for i := uint32(0); b.Loop(); i++ {
		sum += Toll(7, i, uint8(1+i&63), 0)
	}
	if sum == 0 {
		b.Fatal("no tolls")
	}
}
