package vault

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"reflect"
	"testing"

	"github.com/fullspate/spate/ft"
	"github.com/fullspate/spate/partition"
	"github.com/fullspate/spate/state"
)

func TestQuery(t *testing.T) {
	tests := map[string]bool{
		"operator=a&first=0&last=f":                          true,
		"operator=&first=0&last=ffffffffffffffff":            true,
		"operator=%26a%3D&first=1&last=1&generation=9":       true,
		"operator=a&first=0&last=f&generation=1&follows=0":   true,
		"operator=a&first=0":                                 false, // no last
		"operator=a&first=f&last=0":                          false, // no range
		"operator=a&first=0&last=10000000000000000":          false, // too large
		"operator=a&first=0&last=f&generation=-1":            false,
		"operator=a&first=0&last=f&generation=0x1":           false,
		"operator=a&operator=b&first=0&last=f":               false, // twice
		"operator=a&first=0&last=f&what=ever":                false, // unknown
		"operator=a&first=0&last=f;generation=1":             false, // not a query
		"operator=%zz&first=0&last=f":                        false,
		"operator=a&first=0&last=f&generation=1&follows=one": false,
	}
	for raw, right := range tests {
		if q, err := parseQuery(raw); (err == nil) != right {
			t.Errorf("%q: %+v, %v", raw, q, err)
		}
	}
}

// FuzzQuery wants what is taken to be the same again when it is written and read once more.
func FuzzQuery(f *testing.F) {
	f.Add("operator=a&first=0&last=f")
	f.Add(query{task: ft.TaskID{Operator: "a b/%&=?ü\x00", Range: partition.Full()}, generation: 1<<64 - 1, follows: 2}.String())
	f.Add("operator=%zz&first=0&last=f;")
	f.Fuzz(func(t *testing.T, raw string) {
		q, err := parseQuery(raw)
		if err != nil {
			if status, _ := faultOf(err); status != 400 {
				t.Errorf("%q: status %d, want 400", raw, status)
			}
			return
		}
		again, err := parseQuery(q.String())
		if err != nil || again != q {
			t.Errorf("%q is %+v, and then %+v, %v", raw, q, again, err)
		}
	})
}

// TestFaults sends errors of each kind.
func TestFaults(t *testing.T) {
	id := task("count")
	for _, want := range []error{
		&FencedError{"j1", id, 1<<64 - 1, 8},
		&UnknownError{"j1", id},
		&ft.ChainError{Task: id, Generation: 4, Follows: 3, Newest: 1<<64 - 1, Reason: "it is old"},
		&ft.BudgetError{Task: id, Bytes: 1, Used: 2, Budget: 3},
		&ft.FormatError{Offset: 7, Reason: "nonsense"},
	} {
		status, f := faultOf(fmt.Errorf("wrapped: %w", want))
		b, err := json.Marshal(f)
		if err != nil {
			t.Fatal(err)
		}
		if got := faultIn("", b); status < 400 || !reflect.DeepEqual(got, want) {
			t.Errorf("status %d, %#v, want %#v", status, got, want)
		}
	}
	for _, sent := range []error{fmt.Errorf("it: %w", ft.ErrNotFound), &state.ImageError{Reason: "nonsense"}, badRequest("no"), io.ErrNoProgress} {
		status, f := faultOf(sent)
		b, err := json.Marshal(f)
		if err != nil {
			t.Fatal(err)
		}
		got := faultIn("", b)
		if status < 400 || errors.Is(got, ft.ErrNotFound) != errors.Is(sent, ft.ErrNotFound) {
			t.Errorf("status %d, %v, want %v", status, got, sent)
		}
	}
	if err := faultIn("200 OK", []byte("<html>")); err == nil {
		t.Error("what is no fault is none")
	}
}

// TestReceive reads bodies that end on and around the end of blocks.
func TestReceive(t *testing.T) {
	for _, size := range []int{0, 1, blockBytes - 1, blockBytes, blockBytes + 1, 3*blockBytes + 7} {
		want := bytes.Repeat([]byte("spate"), size/5+1)[:size]
		for _, trust := range []int64{10, blockBytes + 3, 1 << 20} {
			blocks := 0
			got, err := receive(bytes.NewReader(append(want, "more"...)), int64(size), trust, func() error { blocks++; return nil })
			if err != nil || !bytes.Equal(got, want) || blocks < (size+blockBytes-1)/blockBytes {
				t.Errorf("%d bytes: %d in %d blocks, %v", size, len(got), blocks, err)
			}
		}
		if _, err := receive(bytes.NewReader(want), int64(size)+1, 10, func() error { return nil }); err == nil {
			t.Errorf("%d bytes of %d: no error", size, size+1)
		}
		var out bytes.Buffer
		if err := send(&out, want, func() error { return nil }); err != nil || !bytes.Equal(out.Bytes(), want) {
			t.Errorf("%d bytes sent: %v", size, err)
		}
	}
	if _, err := receive(bytes.NewReader([]byte("short")), 1<<60, 10, func() error { return nil }); err == nil {
		t.Error("much was announced, and little came: no error")
	}
}
