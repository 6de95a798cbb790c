package reactor

import (
	"bytes"
	"errors"
	"log/slog"
	"strings"
	"testing"
	"time"
)

// What panics does not take the reactor with it.
func TestPanics(t *testing.T) {
	var p panics
	r := start(t, Config{OnPanic: p.note})
	ended := func(h *hooks) {
		t.Helper()
		var pe *PanicError
		if err := await(t, h.ended, "Closed"); !errors.As(err, &pe) {
			t.Errorf("closed with %v, want a *PanicError", err)
		}
	}

	on(t, r, func() {
		r.Add(&workFunc{func(time.Duration) (bool, time.Duration) { panic("work") }})
	})
	near, _ := connect(t, "tcp")
	h := newHooks()
	h.open = func(Conn) { panic("open") }
	enroll(t, r, near, h)
	ended(h)

	near, far := connect(t, "unix")
	h = newHooks()
	h.traffic = func(Conn) error { panic("traffic") }
	enroll(t, r, near, h)
	far.Write([]byte("x"))
	ended(h)

	near, far = connect(t, "unix")
	h = newHooks()
	done := make(chan struct{})
	h.closed = func(Conn, error) { defer close(done); panic("closed") }
	enroll(t, r, near, h)
	far.Close()
	await(t, done, "Closed")
	r.Do(func() { panic("do") })

	w := newCounter()
	on(t, r, func() {
		if len(r.works) != 0 {
			t.Errorf("%d pieces of work are on the loop after the only one has panicked", len(r.works))
		}
		r.Add(w)
	})
	await(t, w.stepped, "a step after all that")
	p.mu.Lock()
	defer p.mu.Unlock()
	for i, want := range []any{"work", "open", "traffic", "closed", "do"} {
		if i >= len(p.values) || p.values[i] != want {
			t.Fatalf("OnPanic was told %v, want %q as number %d", p.values, want, i)
		}
		if !strings.Contains(p.stacks[i], "reactor.TestPanics.") {
			t.Errorf("the stack of %q does not lead to who has panicked:\n%s", want, p.stacks[i])
		}
	}
}

// Without OnPanic a panic is logged.
func TestPanicIsLogged(t *testing.T) {
	var log bytes.Buffer
	r := start(t, Config{Name: "loop-3", Logger: slog.New(slog.NewTextHandler(&log, nil))})
	on(t, r, func() { r.Do(func() { panic("out of spate") }) })
	r.Stop()
	for _, want := range []string{"level=ERROR", "loop-3", "out of spate", "TestPanicIsLogged"} {
		if !strings.Contains(log.String(), want) {
			t.Errorf("no %q in the log:\n%s", want, log.String())
		}
	}
}

// With the tag invariants, what is for the loop alone does not work elsewhere.
func TestOffTheLoop(t *testing.T) {
	if !invariants {
		t.Skip("it is checked with -tags invariants alone")
	}
	near, _ := connect(t, "tcp")
	r := start(t, Config{})
	h := newHooks()
	enroll(t, r, near, h)
	w := newCounter()
	for name, call := range map[string]func(){
		"Add":        func() { r.Add(w) },
		"Remove":     func() { r.Remove(w) },
		"Read":       func() { h.conn.Read(nil) },
		"Writev":     func() { h.conn.Writev(nil) },
		"Close":      func() { h.conn.Close(nil) },
		"SetHandler": func() { h.conn.SetHandler(h) },
	} {
		func() {
			defer func() {
				if v, _ := recover().(string); !strings.Contains(v, "BUG: ") || !strings.Contains(v, name) {
					t.Errorf("%s off the loop: %q, want a panic that says so", name, v)
				}
			}()
			call()
		}()
	}
}
