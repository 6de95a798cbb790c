package task

import (
	"encoding/binary"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/fullspate/spate/buffers"
	"github.com/fullspate/spate/partition"
	"github.com/fullspate/spate/wire"
)

func ms(n uint64) wire.Time { return wire.TimerTime(n) }

// Two upstream tasks on port 0, one on port 1; three keys; everything at one τ, in more than one frame.
func TestOrderWithinAStep(t *testing.T) {
	b := newBench(t)
	first := b.log(0)
	second := b.log(0)
	other := b.log(0)
	tau := ms(10)
	for i := range uint64(20) {
		put(first, tau, i%3, 100+i)
		put(second, tau, i%3, 200+i)
		put(other, tau, 2-i%3, 300+i)
	}
	for _, l := range b.logs {
		put(l, tau+1, 0, 1)
		l.Seal(tau + 2)
	}
	tk := b.task(b.spec(2, 2, nil, nil))
	tk.Connect(b.channel(other, ChannelID{1, 0}, 0))
	tk.Connect(b.channel(second, ChannelID{0, 1 << 40}, 0))
	tk.Connect(b.channel(first, ChannelID{0, 0}, 0))
	for _, h := range []uint64{2, 0} { // pending for keys 0 and 2
		tk.ctx.at, tk.ctx.hash = tk.insts[0], h
		tk.ctx.SetTimer(1, 10*time.Millisecond)
		tk.ctx.SetTimer(0, 10*time.Millisecond)
	}
	b.run(tk, 1)
	var want []string
	for key := range uint64(3) {
		if key != 1 {
			want = append(want, "t0@10ms", "t1@10ms")
		}
		for _, from := range []uint64{100, 200, 300} {
			for i := range uint64(20) {
				if from < 300 && i%3 == key || from == 300 && 2-i%3 == key {
					want = append(want, fmt.Sprintf("%d:%d@%d", from/300, from+i, tau))
				}
			}
		}
	}
	b.expect(want...)
	if tk.Position() != tau+1 {
		t.Errorf("position %v, want %v", tk.Position(), tau+1)
	}
	if n := tk.insts[0].tables[0].Len() + tk.insts[0].tables[1].Len(); n != 0 {
		t.Errorf("%d timers are still pending", n)
	}
}

// Byte-string keys of equal hash go by their bytes, in tuples of fixed and of variable size.
func TestOrderOfKeysWithEqualHashes(t *testing.T) {
	for _, size := range []int{0, 8} {
		b := newBench(t)
		l, err := buffers.New(buffers.Config{Stream: 1, PayloadSize: size, FrameBytes: 256, Pool: b.pool})
		if err != nil {
			t.Fatal(err)
		}
		b.logs = append(b.logs, l)
		for i := range 30 {
			binary.BigEndian.PutUint64(l.Append(ms(5), 77, 8), uint64(i%3)<<32|uint64(i))
		}
		l.Seal(ms(6))
		scratch := make([]byte, 4) // keys are decoded into one place, as codecs do
		s := &Spec{ID: "op", Key: KeyBytes, Ports: []Port{{PayloadSize: size}}}
		note := func(c *Ctx, p []byte) {
			b.did = append(b.did, fmt.Sprintf("%x:%d", c.KeyBytes()[3], binary.BigEndian.Uint32(p[4:])))
		}
		s.Bind = func(in *Instance) {
			in.Handlers[0] = Handler{Fixed: func(c *Ctx, p Ptr) { note(c, bytesAt(p, 8)) }, Bytes: note, KeyOf: func(p []byte) []byte {
				if size > 0 {
					return p[:4]
				}
				copy(scratch, p)
				return scratch
			}}
		}
		tk := b.task(s)
		c, err := l.OpenCursor(0)
		if err != nil {
			t.Fatal(err)
		}
		tk.Connect(NewChannel(ChannelID{}, size, c, 0, wire.TimeMax))
		b.run(tk, 100)
		var want []string
		for key := range 3 {
			for i := key; i < 30; i += 3 {
				want = append(want, fmt.Sprintf("%x:%d", key, i))
			}
		}
		b.expect(want...)
	}
}

func TestNothingAtTheFrontierIsProcessed(t *testing.T) {
	b := newBench(t)
	l, idle := b.log(0), b.log(0)
	put(l, 100, 1, 1)
	put(l, 200, 1, 2)
	l.Seal(201)
	tk := b.task(b.spec(2, 0, nil, nil))
	tk.Connect(b.channel(l, ChannelID{0, 0}, 0))
	tk.Connect(b.channel(idle, ChannelID{1, 0}, 0))
	for _, step := range []struct {
		frontier wire.Time
		did      []string
	}{{0, nil}, {100, nil}, {101, []string{"0:1@100"}}, {200, nil}, {201, []string{"0:2@200"}}} {
		idle.Advance(step.frontier)
		b.run(tk, 100)
		b.expect(step.did...)
		if tk.Position() != step.frontier {
			t.Errorf("position %v, want the frontier %v", tk.Position(), step.frontier)
		}
	}
}

func TestHoldIsExact(t *testing.T) {
	b := newBench(t)
	l := b.log(0)
	for i := range wire.Time(10) {
		put(l, 10*(i+1), 1, uint64(i))
	}
	l.Seal(1000)
	tk := b.task(b.spec(1, 0, nil, nil))
	tk.Connect(b.channel(l, ChannelID{}, 0))
	if !tk.Hold(30) {
		t.Fatal("refused")
	}
	b.run(tk, 100)
	b.expect("0:0@10", "0:1@20")
	if tk.Position() != 30 {
		t.Errorf("held at %v, want 30", tk.Position())
	}
	if tk.Hold(29) {
		t.Error("a task at 30 can be held at 29")
	}
	tk.Hold(wire.TimeMax)
	b.run(tk, 3)
	b.expect("0:2@30", "0:3@40", "0:4@50")
}

// The input ends at 25 ms. A timer due before is an ordinary one, whenever it comes to fire; at and after the end, what
// timers and tuples set is dropped. In a job that is cancelled timers of the end phase do not fire.
func TestEndPhase(t *testing.T) {
	for _, cancelled := range []bool{false, true} {
		b := newBench(t)
		l := b.log(0)
		set := func(c *Ctx, _ int) { c.SetTimer(0, c.Now()+10*time.Millisecond) }
		tk := b.task(b.spec(1, 1, func(c *Ctx, _ uint64) { set(c, 0) }, set))
		tk.Connect(b.channel(l, ChannelID{}, 0))
		if cancelled {
			tk.Cancel()
		}
		put(l, ms(4), 1, 0)
		put(l, ms(30), 2, 7) // emitted upstream, at the end
		l.Ending(ms(25))
		l.Seal(ms(31))
		b.run(tk, 100)
		b.expect(fmt.Sprint("0:0@", uint64(ms(4))), "t0@14ms", "t0@24ms", fmt.Sprint("0:7@", uint64(ms(30))))
		l.End(ms(25))
		p := b.run(tk, 100)
		if cancelled {
			b.expect()
		} else {
			b.expect("t0@34ms")
		}
		if !p.Done || tk.Position() != wire.TimeMax {
			t.Errorf("not done: %+v at %v", p, tk.Position())
		}
	}
}

// TestCancelledBehindATimer has tuples come to a task that is being cancelled, at and beyond a timer that is not to fire any more:
// those who sent them were at their end before they heard of the cancelling.
func TestCancelledBehindATimer(t *testing.T) {
	for _, budget := range []int{1, 100} {
		b := newBench(t)
		l := b.log(1 << 20)
		tk := b.task(b.spec(1, 1, func(c *Ctx, v uint64) {
			if v == 1 {
				c.SetTimer(0, 20*time.Millisecond)
			}
		}, nil))
		tk.Connect(b.channel(l, ChannelID{}, 0))
		timer := wire.TimerTime(20)
		put(l, 5, 7, 1)
		put(l, timer, 7, 2)
		put(l, timer+1, 7, 3)
		put(l, timer+2, 7, 4)
		l.Ending(10)
		l.End(10)
		tk.Cancel()
		for n := 0; !b.run(tk, budget).Done; n++ {
			if n > 100 {
				t.Fatalf("it stands at %v, %v", tk.Position(), b.did)
			}
		}
		b.expect("0:1@5", fmt.Sprintf("0:2@%d", timer), fmt.Sprintf("0:3@%d", timer+1), fmt.Sprintf("0:4@%d", timer+2))
	}
}

func TestTimersAreMovedAndCancelled(t *testing.T) {
	b := newBench(t)
	l := b.log(0)
	at := func(n int) time.Duration { return time.Duration(n) * time.Millisecond }
	tk := b.task(b.spec(1, 2, func(c *Ctx, v uint64) {
		switch v {
		case 1:
			c.SetTimer(0, at(50))
			c.SetTimer(0, at(60)) // moved
			c.SetTimer(0, at(50)) // and back
			c.SetTimer(1, at(50))
		case 2:
			c.SetTimer(0, at(70))
			c.SetTimer(1, at(70))
			c.CancelTimer(1)
			if _, ok := c.TimerDue(1); ok {
				t.Error("a cancelled timer is pending")
			}
			if due, ok := c.TimerDue(0); !ok || due != at(70) {
				t.Errorf("due at %v", due)
			}
		}
	}, func(c *Ctx, i int) {
		if i == 0 {
			c.CancelTimer(1) // due in the same step
		}
	}))
	tk.Connect(b.channel(l, ChannelID{}, 0))
	put(l, 1, 1, 1)
	put(l, 2, 2, 2)
	l.End(ms(100))
	for range 10 {
		b.run(tk, 1)
	}
	b.expect("0:1@1", "0:2@2", "t0@50ms", "t0@70ms")
}

func TestATimerThatIsNotBeyondTheStepFails(t *testing.T) {
	b := newBench(t)
	l := b.log(0)
	tk := b.task(b.spec(1, 1, func(c *Ctx, _ uint64) { c.SetTimer(0, 10*time.Millisecond) }, nil))
	tk.Connect(b.channel(l, ChannelID{}, 0))
	put(l, ms(10)+5, partition.HashUint64(42), 1)
	l.Seal(ms(11))
	_, err := tk.Run(0, 10)
	var te *Error
	if !errors.As(err, &te) || te.Key != "42" || te.Time != ms(10)+5 || !strings.Contains(err.Error(), "beyond the current step") {
		t.Errorf("got %v", err)
	}
}

func TestSwitch(t *testing.T) {
	b := newBench(t)
	old, next := b.log(0), b.log(0)
	for i := range wire.Time(10) {
		put(old, 10*(i+1), 1, uint64(i))
		put(next, 10*(i+1), 1, 100+uint64(i))
	}
	old.Seal(101)
	next.Seal(41) // it is behind at first
	next.Advance(41)
	tk := b.task(b.spec(1, 0, nil, nil))
	ch := b.channel(old, ChannelID{}, 0)
	tk.Connect(ch)
	b.run(tk, 3)
	b.expect("0:0@10", "0:1@20", "0:2@30")
	err := tk.Switch(20, []*Channel{ch}, nil)
	var pe *PassedError
	if !errors.As(err, &pe) || pe.Position != 31 {
		t.Errorf("switched below the position: %v", err)
	}
	if err := tk.Switch(60, []*Channel{ch}, []*Channel{b.channel(next, ChannelID{}, 60)}); err != nil {
		t.Fatal(err)
	}
	b.run(tk, 100)
	b.expect("0:3@40", "0:4@50")
	if tk.Position() != 60 {
		t.Errorf("waits at %v, want the time of the switch", tk.Position())
	}
	next.Advance(101)
	b.run(tk, 100)
	b.expect("0:105@60", "0:106@70", "0:107@80", "0:108@90", "0:109@100")
	if len(tk.Channels()) != 1 {
		t.Errorf("%d channels, the old one should be gone", len(tk.Channels()))
	}
}

// What the old channels have told of the end of the input holds for their successors, which may not have told it yet.
func TestSwitchInTheEndPhase(t *testing.T) {
	b := newBench(t)
	old, next := b.log(0), b.log(0)
	tk := b.task(b.spec(1, 1, func(c *Ctx, _ uint64) { c.SetTimer(0, c.Now()+time.Millisecond) }, nil))
	ch := b.channel(old, ChannelID{}, 0)
	tk.Connect(ch)
	put(old, ms(20), 1, 1) // beyond the end, which the task does not look at before it is switched
	old.Ending(ms(10))
	old.Seal(ms(30))
	if err := tk.Switch(ms(25), []*Channel{ch}, []*Channel{b.channel(next, ChannelID{}, ms(25))}); err != nil {
		t.Fatal(err)
	}
	b.run(tk, 10)
	next.End(ms(10))
	b.run(tk, 10)
	b.expect(fmt.Sprint("0:1@", uint64(ms(20)))) // and no timer
	if tk.Position() != wire.TimeMax {
		t.Errorf("at %v, want the end", tk.Position())
	}
}
