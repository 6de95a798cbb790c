package task

import (
	"testing"
	"time"

	"github.com/fullspate/spate/wire"
)

// A clock with a pace says when everything is on its way, whoever has noted what.
func TestAgesByPace(t *testing.T) {
	a := NewAges(Clock{Pace: 2})
	a.AddSource([]Split{{Ordinal: 3}})
	if a.of([]Split{{Ordinal: 3}}) != nil {
		t.Error("a source notes what the clock says")
	}
	for _, tau := range []wire.Time{wire.At(3000, 3, 7), wire.TimerTime(3000), wire.At(3000, 9, 1)} {
		if at, ok := a.since(tau); !ok || at != 1500*time.Millisecond {
			t.Errorf("%v at pace 2 is on its way since %v, %v", tau, at, ok)
		}
	}
}

// Without one a tuple is on its way since its own source has emitted it, a timer once every source has passed its time.
func TestAgesByMarks(t *testing.T) {
	a := NewAges(Clock{})
	a.AddSource([]Split{{Ordinal: 0}, {Ordinal: 2}})
	a.AddSource([]Split{{Ordinal: 1}})
	a.AddSource(nil) // has nothing to read
	even, odd := a.of([]Split{{Ordinal: 0}, {Ordinal: 2}}), a.of([]Split{{Ordinal: 1}})
	even.put(ms(10), 100*time.Millisecond)
	even.put(ms(20), 200*time.Millisecond)
	odd.put(ms(15), 500*time.Millisecond)
	for _, tt := range []struct {
		tau wire.Time
		at  time.Duration // 0 for not known
	}{
		{wire.At(5, 2, 1), 100 * time.Millisecond},
		{wire.At(10, 0, 1), 200 * time.Millisecond},
		{wire.At(20, 2, 1), 0},
		{wire.At(5, 1, 1), 500 * time.Millisecond},
		{wire.At(15, 1, 1), 0},
		{wire.At(5, 7, 1), 0}, // of no source
		{wire.TimerTime(5), 500 * time.Millisecond},
		{wire.TimerTime(15), 0},
	} {
		if at, ok := a.since(tt.tau); ok != (tt.at > 0) || at != tt.at {
			t.Errorf("%v is on its way since %v, %v, want %v", tt.tau, at, ok, tt.at)
		}
	}
}

// However long a source runs, and however far behind who asks is, marks are few and nearly exact, and never too late.
func TestMarksAreFewAndNearlyExact(t *testing.T) {
	const turn = 100 * time.Microsecond
	var m trail
	n := 0
	for now := time.Duration(0); now < 5*time.Minute; now += turn {
		n++
		m.put(wire.Time(n), now) // has emitted n − 1 now
		if len(m.list) > marksMax {
			t.Fatalf("%d marks", len(m.list))
		}
		if n%100_003 != 0 {
			continue
		}
		for _, share := range []float64{0, 0.1, 0.5, 0.9, 0.999, 0.99999, 1} {
			tau := int(share * float64(n-1))
			emitted := time.Duration(tau) * turn
			at, ok := m.passed(wire.Time(tau))
			age := now - emitted
			if early := emitted - at; !ok || early < 0 || early > markEvery+age/markShare {
				t.Fatalf("%v after the start what was emitted at %v is said to be at %v, %v", now, emitted, at, ok)
			}
		}
	}
	if _, ok := m.passed(wire.Time(n)); ok {
		t.Error("what is not emitted is on its way")
	}
}

func TestLatencyIsThatOfTheLastSecond(t *testing.T) {
	l := latencies{ages: NewAges(Clock{Pace: 1})}
	now := time.Duration(0)
	for i := range 1000 { // a tuple every millisecond, which takes 1 to 100 ms
		now = time.Duration(i) * time.Millisecond
		l.take(wire.At(uint64(i), 1, 1), now+time.Duration(i%100+1)*time.Millisecond)
		l.next = 0
	}
	if got := l.latest(now, false); got != (Latency{}) {
		t.Errorf("before the second is over: %+v", got)
	}
	got := l.latest(time.Second, false)
	if got.Count != 1000 || !about(got.P50, 50) || !about(got.P95, 95) || !about(got.P99, 99) || !about(got.Max, 100) {
		t.Errorf("of 1 to 100 ms: %+v", got)
	}
	if again := l.latest(1900*time.Millisecond, false); again != got {
		t.Errorf("within the next second: %+v, want what it was", again)
	}
	l.take(wire.At(1500, 1, 1), 1900*time.Millisecond)
	if got = l.latest(2*time.Second, false); got.Count != 1 || !about(got.Max, 400) {
		t.Errorf("of one tuple of 400 ms: %+v", got)
	}
	if got = l.latest(3*time.Second, false); got != (Latency{}) {
		t.Errorf("of a second without tuples: %+v", got)
	}
	l.take(wire.At(3000, 1, 1), 3100*time.Millisecond)
	if got = l.latest(3100*time.Millisecond, true); got.Count != 1 || !about(got.P50, 100) {
		t.Errorf("at the end: %+v", got)
	}
}

// about says whether d is so many milliseconds, as exactly as a histogram tells.
func about(d time.Duration, ms float64) bool {
	got := float64(d) / float64(time.Millisecond)
	return got >= ms && got <= ms*1.02
}

// What is processed before it is due, or twice, or within the same millisecond, is not counted; nothing is allocated.
func TestWhatLatencyIsTakenOf(t *testing.T) {
	l := latencies{ages: NewAges(Clock{Pace: 1})}
	l.take(wire.At(5, 1, 1), 10*time.Millisecond)
	l.take(wire.At(5, 1, 1), 20*time.Millisecond)
	l.take(wire.At(6, 1, 1), 21*time.Millisecond)
	l.take(wire.At(7, 1, 1), 21*time.Millisecond+latencyEvery/2)
	l.take(wire.At(1000, 1, 1), 30*time.Millisecond)
	if got := l.latest(time.Second, false); got.Count != 2 {
		t.Errorf("%+v, want 2 tuples", got)
	}
	now := time.Second
	if n := testing.AllocsPerRun(100, func() {
		now += latencyEvery
		l.take(wire.At(uint64(now.Milliseconds())-1, 1, 1), now)
	}); n != 0 {
		t.Errorf("%v allocations for a tuple", n)
	}
}
