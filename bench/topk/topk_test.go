package topk

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
		{reflect.TypeFor[View](), 40},
		{reflect.TypeFor[Place](), 32},
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
	in := newInput(t, InputConfig{Seed: 3, K: 7})
	want := InputConfig{Seed: 3, Rate: 1000, Seconds: 60, Languages: 300, Pages: 10_000, Users: 1_000_000, K: 7, Splits: 4}
	if got := in.Config(); got != want {
		t.Errorf("defaults give %+v, want %+v", got, want)
	}
	_, err := NewInput(InputConfig{
		Rate: -1, Seconds: 86_401, Languages: 677, Pages: 1_000_001, Users: 1_000_000_001, K: 33, Splits: 4096,
	})
	for _, field := range []string{
		"Rate is -1", "Seconds is 86401", "Languages is 677", "Pages is 1000001", "Users is 1000000001", "K is 33", "Splits is 4096",
	} {
		if err == nil || !strings.Contains(err.Error(), field) {
			t.Errorf("the error %v does not say that %s", err, field)
		}
	}
}

func TestCodesDiffer(t *testing.T) {
	seen := make(map[[2]byte]bool)
	for rank := range languagesMax {
		code := codeOf(rank)
		if seen[code] || code[0] < 'a' || code[0] > 'z' || code[1] < 'a' || code[1] > 'z' {
			t.Fatalf("language %d has the code %q", rank, code)
		}
		seen[code] = true
	}
}

func TestViews(t *testing.T) {
	in := newInput(t, InputConfig{Seed: 1, Rate: 70, Seconds: 61, Languages: 20, Pages: 50, Users: 9, Splits: 3})
	all, mobile := int64(0), 0
	for split := range 3 {
		before := int64(0)
		for i := range in.Len(split) {
			var v, again View
			ms := in.View(split, i, &v)
			again.Host[23] = 'x'
			if in.View(split, i, &again) != ms || again != v {
				t.Fatalf("split %d, view %d is not the same twice", split, i)
			}
			if ms < before || ms >= 61_000 {
				t.Fatalf("split %d, view %d is at %d ms, after one at %d", split, i, ms, before)
			}
			before = ms
			code := codeOf(int(v.Page) / 50)
			if v.User >= 9 || v.Page >= 20*50 || !bytes.HasPrefix(v.Host[:], code[:]) {
				t.Fatalf("odd view: %+v, host %q", v, v.Host)
			}
			switch host := string(bytes.TrimRight(v.Host[2:], "\x00")); host {
			case ".m.encyclopedia.test":
				mobile++
			case ".encyclopedia.test":
			default:
				t.Fatalf("the host is %q", v.Host)
			}
			all++
		}
	}
	if all != 70*61 || mobile < int(all)*3/10 || mobile > int(all)/2 {
		t.Errorf("%d views, %d of them mobile, want %d and about 40 %%", all, mobile, 70*61)
	}
}

// TestGolden pins an input: results of benchmarks are compared over versions.
func TestGolden(t *testing.T) {
	in := newInput(t, InputConfig{Seed: 1})
	var v View
	ms := in.View(2, 11, &v)
	got := fmt.Sprintf("%d user %d page %d %s", ms, v.User, v.Page, bytes.TrimRight(v.Host[:], "\x00"))
	const want = "46 user 431582 page 2420055 eg.m.encyclopedia.test"
	if got != want {
		t.Errorf("got  %q\nwant %q", got, want)
	}
}

func TestLanguageOf(t *testing.T) {
	for host, want := range map[string]string{"de.x": "de", "a.": "a", "zh-yue.m.x": "zh-yue", "12345678.": "12345678"} {
		if got, err := LanguageOf([]byte(host)); err != nil || got.String() != want {
			t.Errorf("the language of %q is %q, %v", host, got, err)
		}
	}
	for _, host := range []string{"", ".", ".de", "de", "123456789.x"} {
		if got, err := LanguageOf([]byte(host)); err == nil {
			t.Errorf("the language of %q is %q", host, got)
		}
	}
	de, _ := LanguageOf([]byte("de."))
	den, _ := LanguageOf([]byte("den."))
	en, _ := LanguageOf([]byte("en."))
	if de >= den || den >= en {
		t.Errorf("de, den and en are ordered as %x, %x, %x", uint64(de), uint64(den), uint64(en))
	}
}

// TestReferenceByCounting ranks a small input in another way: a place's rank is one more than the number of languages
// ahead of it.
func TestReferenceByCounting(t *testing.T) {
	for _, k := range []int{1, 3, 32} {
		in := newInput(t, InputConfig{Seed: 5, Rate: 1, Seconds: 70, Languages: 12, K: k, Splits: 2})
		var views [4][languagesMax]uint64 // by window end and number of the language
		var v View
		for n := range 70 {
			in.View(n%2, int64(n/2), &v)
			views[n/30+1][int(v.Host[0]-'a')*letters+int(v.Host[1]-'a')]++
		}
		var want []Place
		ties := 0
		for end, counts := range views {
			for language, count := range counts {
				ahead := 0
				for other, more := range counts {
					if more > count || more == count && other < language {
						ahead++
					}
					if more == count && count > 0 && other != language {
						ties++
					}
				}
				if count > 0 && ahead < k {
					code := Language(uint64('a'+language/letters)<<56 | uint64('a'+language%letters)<<48)
					want = append(want, Place{int64(end) * 30_000, code, count, uint64(ahead + 1)})
				}
			}
		}
		slices.SortFunc(want, ComparePlaces)
		if got := Reference(in); !slices.Equal(got, want) {
			t.Errorf("k %d: got %d places\n%v\nwant %d\n%v", k, len(got), got, len(want), want)
		}
		if ties == 0 {
			t.Error("no two languages had equally many views, so that ties are not tested")
		}
	}
}

func BenchmarkView(b *testing.B) {
	in := newInput(b, InputConfig{Seed: 1})
	var v View
	i, pages := int64(0), uint64(0)
	for b.Loop() {
		in.View(0, i, &v)
		pages += v.Page
		i++
	}
	if pages == 0 {
		b.Error("only page 0 was viewed")
	}
	b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "views/s")
}
