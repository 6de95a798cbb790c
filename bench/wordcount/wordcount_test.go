package wordcount

import (
	"bytes"
	"fmt"
	"reflect"
	"slices"
	"strings"
	"testing"

	"github.com/fullspate/spate/wire"
)

func TestLayouts(t *testing.T) {
	for _, test := range []struct {
		of   reflect.Type
		size int
	}{
		{reflect.TypeFor[Fragment](), 144},
		{reflect.TypeFor[Word](), 16},
		{reflect.TypeFor[Frequency](), 32},
	} {
		if size, _, err := wire.CheckLayout(test.of); err != nil || size != test.size {
			t.Errorf("%v has %d bytes, %v; want %d", test.of, size, err, test.size)
		}
	}
}

func newInput(t testing.TB, cfg InputConfig) *Input {
	t.Helper()
	in, err := NewInput(cfg)
	if err != nil {
		t.Fatal(err)
	}
	return in
}

func TestConfig(t *testing.T) {
	in := newInput(t, InputConfig{Seed: 3, Rate: 7})
	if got, want := in.Config(), (InputConfig{Seed: 3, Rate: 7, Seconds: 60, Vocabulary: 10_000, Splits: 4}); got != want {
		t.Errorf("defaults give %+v, want %+v", got, want)
	}
	_, err := NewInput(InputConfig{Rate: -1, Seconds: 86_401, Vocabulary: 1_000_001, Splits: 4096})
	for _, field := range []string{"Rate is -1", "Seconds is 86401", "Vocabulary is 1000001", "Splits is 4096"} {
		if err == nil || !strings.Contains(err.Error(), field) {
			t.Errorf("the error %v does not say that %s", err, field)
		}
	}
}

func TestFragments(t *testing.T) {
	in := newInput(t, InputConfig{Seed: 1, Rate: 7, Seconds: 61, Vocabulary: 1000, Splits: 3})
	known := make(map[string]bool)
	for _, word := range in.vocabulary {
		if known[word] {
			t.Fatalf("two words are spelled %q", word)
		}
		known[word] = true
	}
	all := int64(0)
	for split := range 3 {
		before := int64(0)
		for i := range in.Len(split) {
			var f, again Fragment
			ms := in.Fragment(split, i, &f)
			again.Text[139] = 'x'
			if in.Fragment(split, i, &again) != ms || again != f {
				t.Fatalf("split %d, fragment %d is not the same twice", split, i)
			}
			if ms < before || ms >= 61_000 {
				t.Fatalf("split %d, fragment %d is at %d ms, after one at %d", split, i, ms, before)
			}
			before = ms
			if f.Used > FragmentText || f.Used < FragmentText-WordMax || len(bytes.Trim(f.Text[f.Used:], "\x00")) > 0 {
				t.Fatalf("%q uses %d bytes", f.Text, f.Used)
			}
			for _, word := range strings.Split(string(f.Words()), " ") {
				if !known[word] {
					t.Fatalf("%q holds the word %q", f.Words(), word)
				}
			}
			all++
		}
	}
	if all != 7*61 {
		t.Errorf("%d fragments, want %d", all, 7*61)
	}
}

// TestGolden pins an input: results of benchmarks are compared over versions.
func TestGolden(t *testing.T) {
	in := newInput(t, InputConfig{Seed: 1})
	var f Fragment
	ms := in.Fragment(2, 11, &f)
	got := fmt.Sprintf("%d %s", ms, f.Words())
	const want = "46 tesa ki pa ba qi nogu ba mube yobe zabu be ba puci wola le gu do viha ledu reba ce jabe bi ba jeba jo la qe " +
		"raku fumu cige bo fo vage tuba"
	if got != want {
		t.Errorf("got  %q\nwant %q", got, want)
	}
}

func TestMakeWord(t *testing.T) {
	for _, text := range []string{"a", "fifteen-letters"} {
		if w, err := MakeWord([]byte(text)); err != nil || w.String() != text {
			t.Errorf("%q became %q, %v", text, &w, err)
		}
	}
	for _, text := range []string{"", "sixteen-letters!"} {
		if w, err := MakeWord([]byte(text)); err == nil || w != (Word{}) {
			t.Errorf("%q became %q", text, &w)
		}
	}
	// What an outsider claims about a length does not lead out of the array.
	if w, f := (Word{Length: 255}), (Fragment{Used: 1 << 31}); len(w.Key()) != WordMax || len(f.Words()) != FragmentText {
		t.Errorf("lengths beyond the end are believed: %d, %d", len(w.Key()), len(f.Words()))
	}
}

// TestReferenceIsRunLengths counts a small input by sorting its words.
func TestReferenceIsRunLengths(t *testing.T) {
	in := newInput(t, InputConfig{Seed: 5, Rate: 3, Seconds: 70, Vocabulary: 40, Splits: 2})
	var words [3][]string // by window
	var f Fragment
	for n := range 3 * 70 { // three fragments in every second, by turns from the two splits
		in.Fragment(n%2, int64(n/2), &f)
		window := n / 3 / 30
		words[window] = append(words[window], strings.Split(string(f.Words()), " ")...)
	}
	var want, got []string
	for window, list := range words {
		slices.Sort(list)
		for len(list) > 0 {
			run := 1
			for run < len(list) && list[run] == list[0] {
				run++
			}
			want = append(want, fmt.Sprintf("%s occurred %d times before %d ms", list[0], run, (window+1)*30_000))
			list = list[run:]
		}
	}
	for _, a := range Reference(in) {
		got = append(got, a.String())
	}
	if !slices.Equal(got, want) {
		t.Errorf("got %d answers\n%q\nwant %d\n%q", len(got), got, len(want), want)
	}
}

func BenchmarkFragment(b *testing.B) {
	in := newInput(b, InputConfig{Seed: 1})
	var f Fragment
	i := int64(0)
	for b.Loop() {
		in.Fragment(0, i, &f)
		i++
	}
	if f.Used == 0 {
		b.Error("an empty fragment was made")
	}
	b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "fragments/s")
}
