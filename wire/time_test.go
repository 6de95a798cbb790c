package wire

import (
	"fmt"
	"strings"
	"testing"

	"pgregory.net/rapid"
)

func TestTimeParts(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		ms := rapid.Uint64Range(0, MillisMax).Draw(t, "ms")
		split := rapid.Uint16Range(0, SplitMax).Draw(t, "split")
		seq := rapid.Uint16Range(0, SeqMax).Draw(t, "seq")
		τ := At(ms, split, seq)
		if τ.Millis() != ms || τ.Split() != split || τ.Seq() != seq {
			t.Fatalf("%d, %d, %d come back as %d, %d, %d", ms, split, seq, τ.Millis(), τ.Split(), τ.Seq())
		}
		if τ == TimeMax || TimerTime(ms) > τ || TimerTime(ms).IsTimer() != true || τ.IsTimer() != (split == 0 && seq == 0) {
			t.Fatalf("%v is out of order with its timer time", τ)
		}
		next, ok := τ.NextOK()
		switch {
		case !ok:
			if next != TimeMax || ms != MillisMax || seq != SeqMax {
				t.Fatalf("no time after %v", τ)
			}
		case seq < SeqMax:
			if next != At(ms, split, seq+1) {
				t.Fatalf("%v after %v", next, τ)
			}
		default:
			if next != At(ms+1, split, 1) {
				t.Fatalf("%v after %v", next, τ)
			}
		}
		if τ.After() != τ+1 || τ.After() > next {
			t.Fatalf("%v right after %v", τ.After(), τ)
		}
	})
}

func TestTimeMax(t *testing.T) {
	if TimeMax.Next() != TimeMax || TimeMax.After() != TimeMax {
		t.Error("there is something beyond infinity")
	}
	if last := At(MillisMax, SplitMax, SeqMax); last.After() <= last || last.After() == TimeMax {
		t.Error("the last millisecond reaches infinity")
	}
}

func TestTimeString(t *testing.T) {
	for τ, want := range map[Time]string{
		At(12345, 3, 7): "12.345s/3#7", TimerTime(60000): "60.000s/0#0", TimeMax: "∞",
	} {
		if got := τ.String(); got != want {
			t.Errorf("%d prints as %s, want %s", uint64(τ), got, want)
		}
	}
}

func TestTimeOutOfRangePanics(t *testing.T) {
	for name, call := range map[string]func(){
		"milliseconds": func() { At(MillisMax+1, 0, 1) },
		"split":        func() { At(0, SplitMax+1, 1) },
		"sequence":     func() { At(0, 0, SeqMax+1) },
		"timer":        func() { TimerTime(MillisMax + 1) },
	} {
		func() {
			defer func() {
				if r := fmt.Sprint(recover()); !strings.HasPrefix(r, "BUG: time out of range") {
					t.Errorf("%s: %q", name, r)
				}
			}()
			call()
		}()
	}
}
