package journal

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"testing"
)

// sample are records of all sorts.
func sample() [][]byte {
	return [][]byte{
		[]byte(`{"start":{"epoch":1}}`), {}, []byte("00000000 00000000 "), []byte("\x00\x00"),
		bytes.Repeat([]byte("a long one "), 30), []byte(`{"last":true}`),
	}
}

func encode(records [][]byte) []byte {
	data := []byte(magic)
	for _, r := range records {
		data = appendLine(data, r)
	}
	return data
}

func same(a, b [][]byte) bool { return slices.EqualFunc(a, b, bytes.Equal) }

func TestGolden(t *testing.T) {
	const want = "spate-journal 1\n00000009 0406da26 123456789\n00000000 aa262d91 \n"
	got := string(encode([][]byte{[]byte("123456789"), {}}))
	if got != want {
		t.Errorf("the format has changed: %q, want %q", got, want)
	}
}

// Wherever an append is cut off, what came before it is there, and nothing else.
func TestCutAnywhere(t *testing.T) {
	records := sample()
	data := encode(records)
	ends := []int{len(magic)}
	for _, r := range records {
		ends = append(ends, ends[len(ends)-1]+frameBytes+len(r))
	}
	for n := len(magic); n <= len(data); n++ {
		whole := 0
		for whole+1 < len(ends) && ends[whole+1] <= n {
			whole++
		}
		for zeros := range 3 { // blocks that were never written
			got, good, damage := scan(append(bytes.Clone(data[:n]), make([]byte, zeros)...))
			if damage != "" || good != ends[whole] || !same(got, records[:whole]) {
				t.Fatalf("cut at %d of %d, %d zeros: %d records up to %d (%s), want %d up to %d",
					n, len(data), zeros, len(got), good, damage, whole, ends[whole])
			}
		}
	}
	for n := range len(magic) {
		if _, _, damage := scan(data[:n]); damage == "" {
			t.Errorf("a file of %d bytes, which no crash can leave behind, was taken for a journal", n)
		}
	}
}

// No flipped bit goes unnoticed, wherever it is, and no record is read then.
func TestFlipAnyBit(t *testing.T) {
	data := encode(sample())
	for i := range data {
		for bit := range 8 {
			data[i] ^= 1 << bit
			if got, _, damage := scan(data); damage == "" {
				t.Errorf("bit %d of byte %d is flipped and %d records are read", bit, i, len(got))
			}
			data[i] ^= 1 << bit
		}
	}
	if _, _, damage := scan(data); damage != "" {
		t.Errorf("the sound file is damaged: %s", damage)
	}
}

func TestDamageHasAnOffset(t *testing.T) {
	dir := t.TempDir()
	data := encode(sample())
	at := len(magic) + frameBytes + len(sample()[0]) // the second line
	data[at+3] = 'f'
	write(t, filepath.Join(dir, "journal"), data)
	_, _, _, err := Open(dir)
	var fault *CorruptError
	if !errors.As(err, &fault) || fault.Offset != int64(at) || fault.File != filepath.Join(dir, "journal") {
		t.Fatalf("got %v, want damage at byte %d", err, at)
	}
	if got, err := os.ReadFile(fault.File); err != nil || !bytes.Equal(got, data) {
		t.Errorf("a damaged journal was changed (%v)", err)
	}
	data[at+3] = '0' // the directory is not locked any more
	write(t, fault.File, data)
	if j, records := open(t, dir, 0); !same(records, sample()) {
		t.Errorf("got %q", records)
	} else if err := j.Close(); err != nil {
		t.Error(err)
	}
}

func TestAppendedIsReadAgain(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "made", "on", "the", "way")
	var want [][]byte
	for round := range 3 {
		j, got := open(t, dir, 0)
		if !same(got, want) {
			t.Fatalf("round %d: got %q, want %q", round, got, want)
		}
		for i := range 3 {
			want = append(want, fmt.Appendf(nil, "record %d of round %d", i, round))
			if err := errors.Join(j.Append(want[len(want)-1]), j.Sync(), j.Sync()); err != nil {
				t.Fatal(err)
			}
		}
		if size := int64(len(encode(want))); j.Size() != size {
			t.Errorf("round %d: size %d, want %d", round, j.Size(), size)
		}
		if err := j.Close(); err != nil {
			t.Fatal(err)
		}
	}
}

// After a torn append the file goes on where the sound part ended.
func TestTornTailIsCut(t *testing.T) {
	dir := t.TempDir()
	records := sample()
	data := encode(records)
	write(t, filepath.Join(dir, "journal"), data[:len(data)-1])
	last := frameBytes + len(records[len(records)-1])
	j, got := open(t, dir, int64(last-1))
	records = records[:len(records)-1]
	if !same(got, records) {
		t.Fatalf("got %q", got)
	}
	records = append(records, []byte("x"))
	if err := errors.Join(j.Append([]byte("x")), j.Close()); err != nil {
		t.Fatal(err)
	}
	j, got = open(t, dir, 0)
	if !same(got, records) {
		t.Errorf("got %q, want %q", got, records)
	}
	if err := j.Close(); err != nil {
		t.Error(err)
	}
}

func TestRewrite(t *testing.T) {
	dir := t.TempDir()
	write(t, filepath.Join(dir, "journal.new"), []byte("what a crash left behind"))
	j, _ := open(t, dir, 0)
	for range 100 {
		if err := j.Append([]byte("old")); err != nil {
			t.Fatal(err)
		}
	}
	if err := errors.Join(j.Rewrite(sample()), j.Append([]byte("after")), j.Close()); err != nil {
		t.Fatal(err)
	}
	j, got := open(t, dir, 0)
	if want := append(sample(), []byte("after")); !same(got, want) {
		t.Errorf("got %q, want %q", got, want)
	}
	if err := j.Close(); err != nil {
		t.Error(err)
	}
}

func TestOneAtATime(t *testing.T) {
	dir := t.TempDir()
	j, _ := open(t, dir, 0)
	if _, _, _, err := Open(dir); !errors.Is(err, ErrLocked) {
		t.Errorf("a second one: %v, want ErrLocked", err)
	}
	if err := j.Close(); err != nil {
		t.Fatal(err)
	}
	j, _ = open(t, dir, 0)
	if err := j.Close(); err != nil {
		t.Error(err)
	}
}

// Once a write has failed nothing is taken any more: what is on disk is unknown.
func TestFailureIsFinal(t *testing.T) {
	j, _ := open(t, t.TempDir(), 0)
	if err := j.file.Close(); err != nil { // as if the disk had gone
		t.Fatal(err)
	}
	first := j.Append([]byte("x"))
	if first == nil {
		t.Fatal("a record was taken")
	}
	for what, err := range map[string]error{"Append": j.Append([]byte("x")), "Sync": j.Sync(), "Rewrite": j.Rewrite(nil)} {
		if err != first {
			t.Errorf("%s: %v, want %v", what, err, first)
		}
	}
	if err := j.Close(); err == nil {
		t.Error("Close says nothing of it")
	}
}

func TestNewlineIsABug(t *testing.T) {
	j, _ := open(t, t.TempDir(), 0)
	defer func() {
		if recover() == nil {
			t.Error("a record with a newline was taken")
		}
		if err := j.Close(); err != nil {
			t.Error(err)
		}
	}()
	_ = j.Append([]byte("a\nb"))
}

// Whatever is in the file, reading it does not panic, and what it holds can be written and read again.
func FuzzScan(f *testing.F) {
	data := encode(sample())
	f.Add(data)
	f.Add(data[:len(data)-3])
	f.Add([]byte(magic + "ffffffff 00000000 x"))
	f.Fuzz(func(t *testing.T, data []byte) {
		records, good, damage := scan(data)
		if damage != "" {
			return
		}
		if !bytes.Equal(encode(records), data[:good]) {
			t.Fatalf("%q is read as %q up to %d", data, records, good)
		}
	})
}

func open(t *testing.T, dir string, cut int64) (*Journal, [][]byte) {
	t.Helper()
	j, records, n, err := Open(dir)
	if err != nil {
		t.Fatal(err)
	}
	if n != cut {
		t.Errorf("%d bytes are cut, want %d", n, cut)
	}
	return j, records
}

func write(t *testing.T, path string, data []byte) {
	t.Helper()
	if err := os.WriteFile(path, data, 0o600); err != nil {
		t.Fatal(err)
	}
}
