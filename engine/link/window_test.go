package link

import (
	"testing"

	"github.com/fullspate/spate/wire"
	"pgregory.net/rapid"
)

// TestWindow has a sender that hears of grants late. What it sends the receiver, who keeps the same books by the grants that
// it has given, must always admit; and what is beyond the grant is never more than one frame and the rest of one τ.
func TestWindow(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		sender, receiver := newWindow(0), newWindow(0)
		var grants []uint64 // under way to the sender
		grant := func(n uint64) {
			receiver.granted += n
			grants = append(grants, receiver.granted)
		}
		grant(uint64(rapid.IntRange(0, 500).Draw(t, "window")))
		tau, rest, frameMax := wire.Time(1), uint64(0), uint64(0)
		for range rapid.IntRange(1, 60).Draw(t, "turns") {
			switch rapid.IntRange(0, 3).Draw(t, "what") {
			case 0:
				grant(uint64(rapid.IntRange(0, 300).Draw(t, "more")))
			case 1:
				if len(grants) > 0 {
					sender.granted, grants = grants[0], grants[1:]
				}
			default: // a frame that begins and ends within times, or goes on with that of the one before
				first := tau + wire.Time(rapid.IntRange(0, 1).Draw(t, "gap"))
				last := first + wire.Time(rapid.IntRange(0, 2).Draw(t, "span"))
				n := uint64(rapid.IntRange(1, 200).Draw(t, "bytes"))
				if !sender.admits(first) {
					continue
				}
				frameMax = max(frameMax, n)
				if sender.used < sender.granted {
					rest = 0
				} else if last == first {
					rest += n
				}
				if !receiver.admits(first) {
					t.Fatalf("the receiver does not admit a frame at %v: sender %+v, receiver %+v", first, sender, receiver)
				}
				sender.take(int(n), last)
				receiver.take(int(n), last)
				tau = last
				if over := int64(sender.used - sender.granted); over > int64(rest+2*frameMax) {
					t.Fatalf("%d bytes beyond the grant, of which %d belong to the τ that had begun", over, rest)
				}
			}
		}
	})
}

func TestWindowAdmits(t *testing.T) {
	w := newWindow(100)
	for _, c := range []struct {
		first, last wire.Time
		n           int
		admitted    bool
	}{
		{1, 3, 90, true},
		{3, 5, 60, true}, // uses the grant up, within 5
		{6, 7, 10, false},
		{4, 5, 10, false},
		{5, 5, 90, true}, // the rest of 5,
		{5, 7, 90, true}, // which ends here,
		{7, 7, 10, false},
		{5, 5, 10, true}, // as far as times go forwards
	} {
		if got := w.admits(c.first); got != c.admitted {
			t.Errorf("frame of %v to %v: admitted is %v, want %v; %+v", c.first, c.last, got, c.admitted, w)
		}
		if c.admitted {
			w.take(c.n, c.last)
		}
	}
	if w := newWindow(0); w.admits(0) {
		t.Error("a window without a grant admits a frame")
	}
}
