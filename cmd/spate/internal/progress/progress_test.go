package progress

import (
	"bytes"
	"strings"
	"sync"
	"testing"
	"time"

	"go.uber.org/goleak"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// lockedBuffer lets the test read what the bar's goroutines write.
type lockedBuffer struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (l *lockedBuffer) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.Write(p)
}

func (l *lockedBuffer) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.String()
}

func TestShortWorkDrawsNothing(t *testing.T) {
	var w lockedBuffer
	b := Start(&w, true, "work", 10)
	b.Set(5)
	b.Stop()
	if w.String() != "" {
		t.Errorf("drew %q", w.String())
	}
}

func TestNothingIsDrawnWithoutTerminalOrTotal(t *testing.T) {
	for _, terminal := range []bool{true, false} {
		var w lockedBuffer
		total := int64(10)
		if terminal {
			total = 0
		}
		b := start(&w, terminal, "work", total, 0)
		time.Sleep(3 * refresh / 2)
		b.Stop()
		if w.String() != "" {
			t.Errorf("terminal %v, total %d: drew %q", terminal, total, w.String())
		}
	}
}

func TestLongWorkDrawsAndErases(t *testing.T) {
	var w lockedBuffer
	b := start(&w, true, "counting", 100, time.Millisecond)
	b.Add(30)
	b.Add(12)
	for deadline := time.Now().Add(10 * time.Second); !strings.Contains(w.String(), "42 %") && time.Now().Before(deadline); {
		time.Sleep(refresh / 10)
	}
	b.Set(100)
	b.Stop()
	if drawn := w.String(); !strings.Contains(drawn, "counting") || !strings.Contains(drawn, "42 %") {
		t.Errorf("drew %q, want the name and 42 %%", drawn)
	}
}
