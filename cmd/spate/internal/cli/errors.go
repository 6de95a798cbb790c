package cli

import (
	"fmt"
	"io"
	"strings"
)

// say prints an error, or each of several that are joined in it, after the program's name.
func say(w io.Writer, err error) {
	for _, one := range apart(err) {
		fmt.Fprintf(w, "spate: %s\n", one)
	}
}

// apart takes joined errors apart; what was said before all of them is said before each.
func apart(err error) []string {
	text := err.Error()
	switch e := err.(type) {
	case interface{ Unwrap() []error }:
		var all []string
		for _, one := range e.Unwrap() {
			all = append(all, apart(one)...)
		}
		if strings.Join(all, "\n") == text {
			return all
		}
	case interface{ Unwrap() error }:
		inner := e.Unwrap()
		if inner == nil {
			break
		}
		all := apart(inner)
		before, is := strings.CutSuffix(text, inner.Error())
		if !is || len(all) < 2 {
			break
		}
		for i := range all {
			all[i] = before + all[i]
		}
		return all
	}
	return []string{text}
}

// faultKeeper remembers the first error of a write.
type faultKeeper struct {
	io.Writer
	err error
}

func (f *faultKeeper) Write(p []byte) (int, error) {
	n, err := f.Writer.Write(p)
	if f.err == nil {
		f.err = err
	}
	return n, err
}
