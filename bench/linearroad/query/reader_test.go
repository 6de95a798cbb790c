package query

import (
	"errors"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/fullspate/spate/bench/linearroad/format"
	"github.com/fullspate/spate/bench/linearroad/history"
	"github.com/fullspate/spate/bench/linearroad/traffic"
	"github.com/fullspate/spate/engine"
)

// drain reads everything in blocks of n and returns it with the offset before each block.
func drain[T any](t *testing.T, r engine.Reader[T], n int) (all []engine.Record[T], at []engine.Offset, starts []int) {
	t.Helper()
	block := make([]engine.Record[T], n)
	for {
		offset := r.Offset()
		got, err := r.Read(block)
		if got > 0 {
			at, starts = append(at, offset), append(starts, len(all))
			all = append(all, block[:got]...)
		}
		if err == io.EOF {
			return all, at, starts
		}
		if err != nil {
			t.Fatal(err)
		}
	}
}

// checkOffsets opens a reader at each offset and expects the same records again.
func checkOffsets[T comparable](t *testing.T, all []engine.Record[T], at []engine.Offset, starts []int, open func(engine.Offset) (engine.Reader[T], error)) {
	t.Helper()
	for i := 0; i < len(at); i += 1 + len(at)/50 {
		r, err := open(at[i])
		if err != nil {
			t.Fatalf("at %+v: %v", at[i], err)
		}
		again, _, _ := drain(t, r, 1000)
		if len(again) != len(all)-starts[i] || again[0] != all[starts[i]] || again[len(again)-1] != all[len(all)-1] {
			t.Errorf("at %+v: %d records, want the %d from the %dth", at[i], len(again), len(all)-starts[i], starts[i])
		}
		if err := r.Close(); err != nil {
			t.Error(err)
		}
	}
}

func TestGeneratedReader(t *testing.T) {
	const xways, from, to = 3, 100, 130
	tr, err := traffic.New(traffic.Config{Seed: 1, Xways: xways, From: from, To: to})
	if err != nil {
		t.Fatal(err)
	}
	shared := new(rooms)
	for x := range int64(xways) {
		open := func(at engine.Offset) (engine.Reader[format.Tuple], error) {
			r := &xwayReader{xway: tr.Xway(int(x)), rooms: shared, number: x, xways: xways, to: to, origin: -1000 * from}
			return r, r.open(from, at)
		}
		r, err := open(engine.Offset{})
		if err != nil {
			t.Fatal(err)
		}
		all, at, starts := drain(t, r, 7)
		counts := make(map[uint16]int64)
		for i := range all {
			counts[all[i].Value.Time]++
		}
		second, place := uint16(0), int64(0)
		for i := range all {
			v := &all[i]
			if v.Value.Time != second {
				second, place = v.Value.Time, 0
			}
			// 1000·(t + (x + i/n)/L)
			n := counts[second]
			if want := 1000*(int64(second)-from) + 1000*(x*n+place)/(xways*n); v.Millis != want {
				t.Fatalf("expressway %d, tuple %d of %d of second %d at %d ms, want %d", x, place, n, second, v.Millis, want)
			}
			place++
		}
		checkOffsets(t, all, at, starts, open)
		for _, bad := range []engine.Offset{{Place: 1}, {Place: to + 2}, {Place: from + 1, Skip: 1 << 20}, {Place: from + 1, Skip: -1}} {
			if _, err := open(bad); err == nil {
				t.Errorf("opened at %+v", bad)
			}
		}
	}
}

func TestGeneratedReaderPeeks(t *testing.T) {
	tr, err := traffic.New(traffic.Config{Seed: 1, Xways: 2, From: 0, To: 40})
	if err != nil {
		t.Fatal(err)
	}
	r := &xwayReader{xway: tr.Xway(1), rooms: new(rooms), number: 1, xways: 2, to: 40}
	block := make([]engine.Record[format.Tuple], 5)
	for {
		bound, ok := r.Peek()
		n, err := r.Read(block)
		if err == io.EOF {
			return
		}
		if err != nil || !ok {
			t.Fatal(err, ok)
		}
		if n > 0 && block[0].Millis < bound {
			t.Fatalf("peeked %d ms, but the next record is at %d", bound, block[0].Millis)
		}
	}
}

// fileOf writes a file.
func fileOf(t *testing.T, name, text string) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), name)
	if err := os.WriteFile(path, []byte(text), 0o644); err != nil {
		t.Fatal(err)
	}
	return path
}

func TestFileReader(t *testing.T) {
	const line = ",107,32,0,0,0,10,53320,-1,-1,-1,-1,-1,-1\n"
	text := "0,3" + line + "0,3" + line + "0,3" + line + "0,7" + line + "0,60" + line + strings.TrimSpace("0,60"+line)
	f := &FileInput{Path: fileOf(t, "in.dat", text), Origin: 2 * time.Second}
	open := func(at engine.Offset) (engine.Reader[format.Tuple], error) { return f.open(at) }
	r, err := open(engine.Offset{})
	if err != nil {
		t.Fatal(err)
	}
	all, at, starts := drain(t, r, 2)
	for i, want := range []int64{5000, 5333, 5666, 9000, 62000, 62500} {
		if all[i].Millis != want {
			t.Errorf("line %d at %d ms, want %d", i+1, all[i].Millis, want)
		}
	}
	checkOffsets(t, all, at, starts, open)
	if _, err := open(engine.Offset{Place: 7}); err == nil {
		t.Error("opened behind the end")
	}
}

func TestHistoryReader(t *testing.T) {
	var rows []byte
	for i := range rowsPerMilli + 5 {
		rows = append(history.Append(rows, &history.Row{VID: uint32(i), Day: 1, Xway: 2, Toll: 33}), '\n')
	}
	path := fileOf(t, "history.csv", string(rows))
	f := &FileInput{History: path, Origin: 2 * time.Millisecond}
	open := func(at engine.Offset) (engine.Reader[format.Tuple], error) { return f.openRows(at) }
	r, err := open(engine.Offset{})
	if err != nil {
		t.Fatal(err)
	}
	all, at, starts := drain(t, r, 1000)
	if all[rowsPerMilli-1].Millis != 0 || all[rowsPerMilli].Millis != 1 || time.Duration(all[len(all)-1].Millis)*time.Millisecond >= HistorySpan(int64(len(all))) {
		t.Errorf("rows at %d, %d, %d ms", all[rowsPerMilli-1].Millis, all[rowsPerMilli].Millis, all[len(all)-1].Millis)
	}
	if v := all[7].Value; v.VID != 7 || v.Day != 1 || v.Xway != 2 || v.Pos != 33 || v.QID != 8 || v.Type != rowType || f.Loaded().Rows != int64(len(all)) {
		t.Errorf("the row in line 8 is %+v; %+v", v, f.Loaded())
	}
	checkOffsets(t, all, at, starts, open)
	if _, err := open(engine.Offset{Place: 1 << 20}); !errors.Is(err, io.EOF) {
		t.Errorf("opened behind the end: %v", err)
	}
	f.Origin = time.Millisecond
	short, err := f.openRows(engine.Offset{Place: rowsPerMilli - 2})
	if err != nil {
		t.Fatal(err)
	}
	defer short.Close()
	block := make([]engine.Record[format.Tuple], 10)
	if n, err := short.Read(block); n != 2 || err == nil || !strings.Contains(err.Error(), "16000 rows") {
		t.Errorf("%d rows within the millisecond that is left, %v", n, err)
	}
}
