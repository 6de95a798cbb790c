package recovery

import (
	"context"
	"encoding/json"
	"slices"
	"strings"
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/fullspate/spate/bench/measure"
	"github.com/fullspate/spate/engine"
)

// gnet starts goroutines of its own when it is loaded.
func TestMain(m *testing.M) { goleak.VerifyTestMain(m, goleak.IgnoreCurrent()) }

// TestQuery runs the query in this process, fast: what arrives is what the reference says, and everything was timed.
func TestQuery(t *testing.T) {
	for _, in := range []Input{
		{Seed: 1, Rate: 40, Seconds: 65, Words: 300},
		{Seed: 2, Rate: 1000, Seconds: 5, Words: 700, Load: 2},
	} {
		params, err := json.Marshal(Params{Input: in, Pace: 1000})
		if err != nil {
			t.Fatal(err)
		}
		job, err := engine.Embedded{}.Start(context.Background(), Programs()[0], params, engine.Config{Pace: 1000, Loops: 2})
		if err != nil {
			t.Fatal(err)
		}
		if err := job.Wait(); err != nil {
			t.Fatal(err)
		}
		all, err := measure.Gather(job.Results(), toldResult, (*told).merge)
		if err != nil {
			t.Fatal(err)
		}
		want, err := reference(in)
		if err != nil || all.Totals != want || want.Words == 0 {
			t.Errorf("%+v: totals %+v, want %+v, %v", in, all.Totals, want, err)
		}
		line, err := unpack(all.Line)
		if err != nil || line.count() < int64(want.Words) || all.Began.IsZero() {
			t.Errorf("%+v: %d counts were timed of %d, from %v, %v", in, line.count(), want.Words, all.Began, err)
		}
	}
}

// TestTotals changes one count.
func TestTotals(t *testing.T) {
	var a, b Totals
	a.add(cell{spell(1), 30}, 2)
	a.add(cell{spell(2), 30}, 3)
	b.add(cell{spell(2), 30}, 2)
	b.add(cell{spell(1), 30}, 3)
	if a == b {
		t.Errorf("counts of two words were exchanged, and the totals stay %+v", a)
	}
}

func line(marks ...Mark) (l Timeline) {
	for _, m := range marks {
		l.add(m)
	}
	return l
}

const msec = time.Millisecond

func TestTimelinePacks(t *testing.T) {
	l := line(Mark{5 * msec, 1200 * time.Microsecond, 3}, Mark{5 * msec, 1200 * time.Microsecond, 2}, Mark{2 * msec, 0, 1}, Mark{time.Hour, time.Second, 1})
	if len(l) != 3 || l.count() != 7 {
		t.Fatalf("%v, want 7 counts in 3 marks", l)
	}
	packed, err := l.pack()
	if err != nil {
		t.Fatal(err)
	}
	if got, err := unpack(packed); err != nil || !slices.Equal(got, l) {
		t.Errorf("%v came back as %v, %v", l, got, err)
	}
	if _, err := unpack(packed[:len(packed)-1]); err == nil || !strings.Contains(err.Error(), "timeline") {
		t.Errorf("a timeline that was cut: %v", err)
	}
}

func TestQuantiles(t *testing.T) {
	l := line(Mark{0, 4 * msec, 1}, Mark{1 * msec, 1 * msec, 98}, Mark{2 * msec, 2 * msec, 1})
	got := l.quantiles(0.5, 0.98, 0.985, 0.99, 1)
	if want := []time.Duration{msec, msec, 2 * msec, 2 * msec, 4 * msec}; !slices.Equal(got, want) {
		t.Errorf("quantiles %v, want %v", got, want)
	}
	if got := Timeline(nil).quantiles(0.5, 1); !slices.Equal(got, []time.Duration{0, 0}) {
		t.Errorf("quantiles of nothing are %v", got)
	}
	if got := l.mean(); got != 1040*time.Microsecond {
		t.Errorf("mean %v, want 1.04ms", got)
	}
}

// outage is a timeline of a count each ms that takes 2 ms, but for those that are due from one moment to another, which all
// arrive then.
func outage(from, to time.Duration) (l Timeline) {
	for at := time.Duration(0); at < 3*time.Second; at += msec {
		took := 2 * msec
		if at >= from && at < to {
			took = to - at
		}
		l.add(Mark{at, took, 1})
	}
	return l
}

func TestNormal(t *testing.T) {
	l := outage(1000*msec, 1200*msec)
	at, ok := l.normal(1000*msec, 2*msec)
	// Of 500 counts 5 may be late: those of the last ms take 3 to 7 ms, and those before these more, which are too many.
	if want := 1192 * msec; !ok || at != want {
		t.Errorf("normal from %v on (%v), want %v", at, ok, want)
	}
	if at, ok := l.normal(1000*msec, msec); ok {
		t.Errorf("normal from %v on, though nothing is as quick as that", at)
	}
	if at, ok := l.normal(2600*msec, 2*msec); ok {
		t.Errorf("normal from %v on, of which there are not 500 ms", at)
	}
}

func TestWorst(t *testing.T) {
	if got, want := outage(1000*msec, 1100*msec).worst(100*msec), 50500*time.Microsecond; got != want {
		t.Errorf("the worst 100 ms have a mean of %v, want %v", got, want)
	}
}

// TestJudge reads a kill from a timeline: at 1 s by the job's clock, ordered 50 ms later, over after 200 ms.
func TestJudge(t *testing.T) {
	began := time.Unix(1000, 0)
	cfg := Defaults()
	f := fate{at: began.Add(time.Second), next: 3 * time.Second}
	f.detected, f.ordered, f.restored = f.at.Add(10*msec), f.at.Add(50*msec), f.at.Add(60*msec)
	k := f.judge(&cfg, began, outage(1000*msec, 1200*msec))
	want := Kill{Detected: 10, Ordered: 50, Restored: 60, CaughtUp: 200, Normal: 192, Before: 2, Worst: 200}
	if k != want {
		t.Errorf("%+v, want %+v", k, want)
	}
}

func TestValidate(t *testing.T) {
	if err := Defaults().Validate(); err != nil {
		t.Errorf("the defaults: %v", err)
	}
	err := Config{}.Validate()
	for _, field := range []string{"Rate", "Words", "Interval", "workers", "Settle", "kills"} {
		if err == nil || !strings.Contains(err.Error(), field) {
			t.Errorf("%s is wrong, and the error is %v", field, err)
		}
	}
}
