package cli

import (
	"errors"
	"fmt"
	"slices"
	"testing"
)

func TestApart(t *testing.T) {
	a, b, c := errors.New("a"), errors.New("b\nstack"), errors.New("c")
	for _, test := range []struct {
		err  error
		want []string
	}{
		{a, []string{"a"}},
		{b, []string{"b\nstack"}},
		{errors.Join(a, errors.Join(b, c)), []string{"a", "b\nstack", "c"}},
		{fmt.Errorf("x: %w", errors.Join(a, usageError{errors.Join(b, c)})), []string{"x: a", "x: b\nstack", "x: c"}},
		{fmt.Errorf("x: %w and %w", a, c), []string{"x: a and c"}},
		{fmt.Errorf("%w, so", errors.Join(a, c)), []string{"a\nc, so"}},
		{fmt.Errorf("x: %w", b), []string{"x: b\nstack"}},
	} {
		if got := apart(test.err); !slices.Equal(got, test.want) {
			t.Errorf("%q is taken apart into %q, want %q", test.err, got, test.want)
		}
	}
}
