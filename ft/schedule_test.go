package ft_test

import (
	"errors"
	"math/rand/v2"
	"testing"
	"time"

	"github.com/fullspate/spate/ft"
)

const (
	ms       = time.Millisecond
	interval = 1000 * ms
)

// pipeline has a sink (0), two counters (1, 2) and two sources (3, 4), all in one loop.
func pipeline() []ft.Member {
	return []ft.Member{{0, 3, 0, 1}, {1, 3, 0, 2}, {1, 3, 1, 2}, {2, 3, 0, 2}, {2, 3, 1, 2}}
}

func schedule(t *testing.T, cfg ft.ScheduleConfig, members []ft.Member) *ft.Schedule {
	t.Helper()
	s, err := ft.NewSchedule(cfg, members)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// next requires that task i is next at now.
func next(t *testing.T, s *ft.Schedule, now time.Duration, want int) {
	t.Helper()
	if i, ok, until := s.Next(now); !ok || i != want {
		t.Fatalf("at %v: task %d, %v, until %v, want task %d", now, i, ok, until, want)
	}
}

// idle requires that there is nothing to do before until.
func idle(t *testing.T, s *ft.Schedule, now, want time.Duration) {
	t.Helper()
	if i, ok, until := s.Next(now); ok || until != want {
		t.Fatalf("at %v: task %d, %v, until %v, want none until %v", now, i, ok, until, want)
	}
}

// TestRounds runs 20 rounds of quick checkpoints: in each, everybody once, sinks first.
func TestRounds(t *testing.T) {
	s := schedule(t, ft.ScheduleConfig{Interval: interval}, pipeline())
	due := []time.Duration{133333333, 333333333, 466666666, 600 * ms, 733333333}
	now := time.Duration(0)
	for round := range time.Duration(20) {
		for i, d := range due {
			d += round * interval
			_, ok, until := s.Next(now)
			if diff := until - d; ok || diff < -1 || diff > 1 {
				t.Fatalf("round %d: task %d is due at %v, want %v", round, i, until, d)
			}
			now = until
			next(t, s, now, i)
			s.Began(i, now)
			idle(t, s, now, ft.Never)
			now += 5 * ms
			s.Ended(i, now, nil)
		}
	}
}

func TestAsk(t *testing.T) {
	s := schedule(t, ft.ScheduleConfig{}, pipeline())
	idle(t, s, 0, ft.Never)
	s.Ask(3)
	next(t, s, 0, 3)
	s.Began(3, 0)
	s.Ask(3) // it wants one that begins later
	s.Ended(3, 5*ms, nil)
	idle(t, s, 5*ms, 10*ms)
	next(t, s, 10*ms, 3)
	s.Began(3, 10*ms)
	s.Ask(1)
	idle(t, s, 12*ms, ft.Never)
	s.Ended(3, 12*ms, nil)
	next(t, s, 12*ms, 1)
	s.Began(1, 12*ms)
	s.Ended(1, 13*ms, nil)
	idle(t, s, time.Hour, ft.Never)
}

func TestAskKeepsTheGap(t *testing.T) {
	s := schedule(t, ft.ScheduleConfig{Interval: 10 * interval, Spread: 1}, []ft.Member{{0, 1, 0, 1}})
	s.Ask(0)
	s.Began(0, 0)
	s.Ended(0, ms, nil)
	s.Ask(0)
	idle(t, s, ms, interval/2) // a 20th of the interval
	idle(t, s, 2*ms, interval/2)
	next(t, s, interval/2, 0)
}

// TestLeftOut lets a checkpoint take two and a half intervals: the rounds that pass with it are not made up for.
func TestLeftOut(t *testing.T) {
	s := schedule(t, ft.ScheduleConfig{Interval: interval, Spread: 1}, []ft.Member{{0, 1, 0, 1}, {0, 2, 0, 1}})
	next(t, s, 250*ms, 1) // due at 250, the other at 500
	s.Began(1, 250*ms)
	s.Ended(1, 2750*ms, nil)
	next(t, s, 2750*ms, 0) // which has waited since 500
	s.Began(0, 2750*ms)
	s.Ended(0, 2760*ms, nil)
	idle(t, s, 2760*ms, 3250*ms)
	next(t, s, 3250*ms, 1)
	s.Began(1, 3250*ms)
	s.Ended(1, 3251*ms, nil)
	idle(t, s, 3251*ms, 3500*ms)
}

func TestBackOff(t *testing.T) {
	tests := []struct {
		cfg  ft.ScheduleConfig
		want []time.Duration
	}{
		{ft.ScheduleConfig{Interval: interval, MinGap: 300 * ms}, []time.Duration{300 * ms, 600 * ms, 1000 * ms, 1000 * ms}},
		{ft.ScheduleConfig{MinGap: 300 * ms}, []time.Duration{300 * ms, 600 * ms, 1000 * ms, 1000 * ms}},
		{ft.ScheduleConfig{MinGap: 3000 * ms}, []time.Duration{3000 * ms, 3000 * ms}},
	}
	broken := errors.New("broken")
	for _, tt := range tests {
		s := schedule(t, tt.cfg, []ft.Member{{0, 1, 0, 1}})
		s.Ask(0)
		now := time.Duration(0)
		for _, pause := range tt.want {
			next(t, s, now, 0)
			s.Began(0, now)
			s.Ended(0, now, broken)
			idle(t, s, now, now+pause)
			now += pause
		}
		next(t, s, now, 0)
		s.Began(0, now)
		s.Ended(0, now, nil)
		s.Ask(0)
		idle(t, s, now, now+tt.cfg.MinGap) // forgotten
		now += tt.cfg.MinGap
		s.Began(0, now)
		s.Ended(0, now, broken)
		idle(t, s, now, now+tt.want[0])
	}
}

// TestScheduleAtRandom asks, begins, fails and is late at random, and holds what happens against what is promised.
func TestScheduleAtRandom(t *testing.T) {
	for seed := range uint64(200) {
		r := rand.New(rand.NewPCG(seed, 11))
		cfg := ft.ScheduleConfig{Interval: interval, AtOnce: 1 + r.IntN(2)}
		members := pipeline()
		s := schedule(t, cfg, members)
		gap, longest := interval/20, 30*ms
		ends := map[int]time.Duration{} // of what is under way
		began, asked := make([]time.Duration, len(members)), make([]time.Duration, len(members))
		for i := range members {
			began[i], asked[i] = -interval, -1
		}
		for now := time.Duration(0); now < 20*interval; now += ms {
			for i := range members {
				if end, running := ends[i]; running && end <= now {
					delete(ends, i)
					s.Ended(i, now, nil)
				}
			}
			if i := r.IntN(len(members)); r.IntN(40) == 0 {
				s.Ask(i)
				if asked[i] < 0 {
					asked[i] = now
				}
			}
			if i, ok, _ := s.Next(now); ok {
				if _, running := ends[i]; running || len(ends) >= cfg.AtOnce || now-began[i] < gap {
					t.Fatalf("seed %d: at %v task %d begins, %v are under way, its last began at %v", seed, now, i, ends, began[i])
				}
				s.Began(i, now)
				began[i], asked[i] = now, -1
				ends[i] = now + time.Duration(1+r.IntN(int(longest/ms)))*ms
			}
			for i := range members {
				// The gap, what is under way, and then each of the others twice: in turn, and once from before.
				bound := gap + time.Duration(2*len(members)+1)*(longest+ms)
				if asked[i] >= 0 && now-asked[i] > bound || now-began[i] > 2*interval+bound {
					t.Fatalf("seed %d: at %v task %d, asked at %v, has not begun since %v", seed, now, i, asked[i], began[i])
				}
			}
		}
	}
}

func TestScheduleRefusals(t *testing.T) {
	for _, cfg := range []ft.ScheduleConfig{{Interval: -1}, {Spread: 1.1}, {Spread: -1}, {MinGap: -1}, {AtOnce: -1}} {
		if _, err := ft.NewSchedule(cfg, nil); err == nil {
			t.Errorf("%+v was taken", cfg)
		}
	}
	for _, m := range []ft.Member{{}, {1, 1, 0, 1}, {0, 1, 1, 1}, {-1, 1, 0, 1}, {0, 1, -1, 1}} {
		if _, err := ft.NewSchedule(ft.ScheduleConfig{}, []ft.Member{m}); err == nil {
			t.Errorf("%+v was taken", m)
		}
	}
}

func TestScheduleMisuse(t *testing.T) {
	s := schedule(t, ft.ScheduleConfig{}, []ft.Member{{0, 1, 0, 1}})
	panics(t, func() { s.Ended(0, 0, nil) })
	s.Began(0, 0)
	panics(t, func() { s.Began(0, 0) })
}

func panics(t *testing.T, fn func()) {
	t.Helper()
	defer func() {
		if recover() == nil {
			t.Error("no panic")
		}
	}()
	fn()
}
