package coordinator

import (
	"context"
	"errors"
	"net"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/fullspate/spate/engine/auth"
	"github.com/fullspate/spate/engine/control"
	"github.com/fullspate/spate/engine/coordinator/journal"
	"github.com/fullspate/spate/wire"
)

func TestJobsOverRealConnections(t *testing.T) {
	for _, network := range []string{"tcp", "unix"} {
		t.Run(network, func(t *testing.T) {
			cfg := testConfig(t)
			if network == "unix" {
				cfg.Listen = "unix://" + filepath.Join(t.TempDir(), "s")
			}
			s := startServer(t, cfg)
			for range 2 {
				startWorker(t, s.Addr, cfg.Secret, true)
			}
			awaitServer(t, "two workers", s.Info, readyWorkers(2))
			ctx := t.Context()
			for range 3 { // at once
				id, err := s.Submit(ctx, Request{Program: "count", Params: []byte("8")})
				if err != nil {
					t.Fatal(err)
				}
				defer func() {
					j, err := s.Wait(ctx, id)
					if err != nil || j.State != Completed || len(j.Results) != 2 {
						t.Errorf("job %s: %s with results %v (%v, %v)", id, j.State, j.Results, j.Failure, err)
					}
				}()
			}
		})
	}
}

// Reassignments over real connections: whoever asks can wait for the end, and follow what happens.
func TestReassignmentsOverRealConnections(t *testing.T) {
	cfg := testConfig(t)
	s := startServer(t, cfg)
	for range 2 {
		startWorker(t, s.Addr, cfg.Secret, false) // ends its parts when it is told to
	}
	awaitServer(t, "two workers", s.Info, readyWorkers(2))
	ctx := t.Context()
	id, err := s.Submit(ctx, Request{Program: "count", Parallelism: map[string]int{"in": 1, "count": 1}, Config: durable})
	if err != nil {
		t.Fatal(err)
	}
	awaitServer(t, "running", func(ctx context.Context) (JobInfo, error) { return s.Job(ctx, id) }, func(j JobInfo) bool { return j.State == Running })
	for _, ask := range []func() (Reassignment, error){
		func() (Reassignment, error) { return s.Rescale(ctx, id, "count", 3) },
		func() (Reassignment, error) { return s.Rebalance(ctx, id, "count", []uint64{1 << 63}) },
		func() (Reassignment, error) { return s.Migrate(ctx, id, "in", 0, "") },
	} {
		re, err := ask()
		if err != nil {
			t.Fatal(err)
		}
		if re, err = s.Reassigned(ctx, id, re.ID); err != nil || re.State != Done {
			t.Errorf("%v: %s, %s, %v", &re, re.State, re.Reason, err)
		}
	}
	if _, err := s.Reassigned(ctx, id, 99); err == nil || !strings.Contains(err.Error(), "no reassignment 99") {
		t.Errorf("waiting for what there is not: %v", err)
	}
	if _, err := s.DrainWorker(ctx, "w1"); err != nil {
		t.Fatal(err)
	}
	if w, err := s.Drained(ctx, "w1"); err != nil || !w.Drain.Done || len(w.Tasks) > 0 {
		t.Errorf("it still has %v, %+v, %v", w.Tasks, w.Drain, err)
	}
	if _, err := s.Drained(ctx, "w9"); err == nil {
		t.Error("a worker that there is not is drained")
	}
	if err := s.Drain(ctx, id); err != nil {
		t.Fatal(err)
	}
	var seen []EventKind
	for last := uint64(0); ; {
		events, err := s.Follow(ctx, id, last)
		if err != nil {
			t.Fatal(err)
		}
		if len(events) == 0 {
			break
		}
		seen, last = append(seen, kinds(events)...), events[len(events)-1].Seq
	}
	if seen[0] != JobSubmitted || seen[len(seen)-1] != JobCompleted || !has(seen, ReassignmentDone) {
		t.Errorf("events %v", seen)
	}
}

// The coordinator is restarted while jobs run: they go on, and end with the next one.
func TestServerIsRestarted(t *testing.T) {
	cfg := testConfig(t)
	cfg.Listen = "unix://" + filepath.Join(t.TempDir(), "s")
	s := startServer(t, cfg)
	workers := []*liveWorker{startWorker(t, s.Addr, cfg.Secret, false), startWorker(t, s.Addr, cfg.Secret, false)}
	awaitServer(t, "two workers", s.Info, readyWorkers(2))
	id, err := s.Submit(t.Context(), Request{Program: "count"})
	if err != nil {
		t.Fatal(err)
	}
	running := func(f *fakeWorker) bool { return f.parts[id] != nil && f.parts[id].phase == control.PhaseRunning }
	for _, w := range workers {
		w.await(t, "running", running)
	}
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	if _, err := s.Submit(t.Context(), Request{Program: "count"}); err == nil {
		t.Error("a coordinator that has ended takes a job")
	}
	workers[0].do(func(f *fakeWorker) { f.complete(f.parts[id]) }) // while nobody listens

	s = startServer(t, cfg)
	awaitServer(t, "two workers again", s.Info, readyWorkers(2))
	if err := s.Drain(t.Context(), id); err != nil {
		t.Fatal(err)
	}
	j, err := s.Wait(t.Context(), id)
	if err != nil || j.State != Completed || len(j.Results) != 2 {
		t.Errorf("job %s with results %v (%v, %v)", j.State, j.Results, j.Failure, err)
	}
	if info, err := s.Info(t.Context()); err != nil || info.Epoch != 2 {
		t.Errorf("epoch %d (%v), want 2", info.Epoch, err)
	}
	for _, w := range workers {
		w.await(t, "released", func(f *fakeWorker) bool { return len(f.parts) == 0 })
	}
}

func TestServerDetectsLosses(t *testing.T) {
	tests := []struct {
		name  string
		fault func(*liveWorker)
		cause Cause

		timeout time.Duration
		quick   bool // the timeout need not be waited for
	}{
		{"silent", func(w *liveWorker) { w.do(func(*fakeWorker) { w.mute = true }) }, CauseHeartbeats, 500 * time.Millisecond, false},
		{"hanging", (*liveWorker).hang, CauseConnection, 500 * time.Millisecond, false},
		{"killed", (*liveWorker).kill, CauseConnection, time.Minute, true},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			cfg := testConfig(t)
			cfg.Timing.HeartbeatTimeout = tt.timeout
			s := startServer(t, cfg)
			w := startWorker(t, s.Addr, cfg.Secret, false)
			awaitServer(t, "a worker", s.Info, readyWorkers(1))
			id, err := s.Submit(t.Context(), Request{Program: "count"})
			if err != nil {
				t.Fatal(err)
			}
			w.await(t, "deployed", func(f *fakeWorker) bool { return f.parts[id] != nil })
			tt.fault(w)
			j, err := s.Wait(t.Context(), id)
			if err != nil || j.State != Failed || len(j.Losses) != 1 || j.Losses[0].Cause != tt.cause {
				t.Fatalf("job %s: %v, losses %+v (%v)", j.State, j.Failure, j.Losses, err)
			}
			if after := j.Losses[0].After; tt.quick != (after < cfg.Timing.HeartbeatTimeout) {
				t.Errorf("lost after %v, the timeout is %v: %s", after, cfg.Timing.HeartbeatTimeout, j.Losses[0].Reason)
			}
		})
	}
}

// Those that do not know the secret, or do not keep to the protocol, cost a connection.
func TestHostilePeers(t *testing.T) {
	cfg := testConfig(t)
	s := startServer(t, cfg)
	startWorker(t, s.Addr, cfg.Secret, true)
	awaitServer(t, "a worker", s.Info, readyWorkers(1))
	ctx := t.Context()
	hello := auth.Hello{Incarnation: 77, Purpose: wire.PurposeControl}
	if _, _, err := auth.Dial(ctx, s.Addr(), auth.NewSecret(), hello); err == nil {
		t.Error("a wrong secret is taken")
	}
	refused := func(context.Context) (auth.Stats, error) { return s.AuthStats(), nil }
	awaitServer(t, "refusal", refused, func(a auth.Stats) bool { return a.Refused[auth.WrongSecret] == 1 })
	garbage := map[string]string{
		"no messages":       "\x00\x01\n",
		"no registration":   `{"type":"heartbeat"}` + "\n",
		"wrong incarnation": `{"type":"register","incarnation":78,"loops":1,"addr":"tcp://127.0.0.1:1"}` + "\n",
		"half a line":       `{"type":`,
	}
	for name, bytes := range garbage {
		nc, _, err := auth.Dial(ctx, s.Addr(), cfg.Secret, hello)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := nc.Write([]byte(bytes)); err != nil {
			t.Fatal(err)
		}
		if tcp, ok := nc.(*net.TCPConn); ok {
			_ = tcp.CloseWrite() // the end of half a line
		}
		if _, err := nc.Read(make([]byte, 1)); err == nil {
			t.Errorf("%s: the coordinator answers", name)
		}
		_ = nc.Close()
	}
	id, err := s.Submit(ctx, Request{Program: "count"})
	if err != nil {
		t.Fatal(err)
	}
	if j, err := s.Wait(ctx, id); err != nil || j.State != Completed {
		t.Errorf("job %s: %v, %v", j.State, j.Failure, err)
	}
}

func TestProfilesOfAllWorkers(t *testing.T) {
	cfg := testConfig(t)
	s := startServer(t, cfg)
	_, err := s.Profile(t.Context(), "heap", 0)
	wantCode(t, err, Unavailable)
	_, err = s.Profile(t.Context(), "mood", 0)
	wantCode(t, err, Invalid)
	_, err = s.Profile(t.Context(), "cpu", time.Hour)
	wantCode(t, err, Invalid)

	startWorker(t, s.Addr, cfg.Secret, true)
	awaitServer(t, "a worker", s.Info, readyWorkers(1))
	nc := mute(t, s, cfg) // one that is there, and ends while it is asked
	awaitServer(t, "two workers", s.Info, readyWorkers(2))
	go func() {
		c := control.NewConn(nc, "coordinator")
		for {
			if m, err := c.Receive(); err != nil || control.Kind(m) == "profile" {
				_ = c.Close()
				return
			}
		}
	}()
	list, err := s.Profile(t.Context(), "heap", 0)
	if err != nil || len(list) != 2 {
		t.Fatalf("got %+v, %v", list, err)
	}
	if p := list[0]; p.Worker != "w1" || string(p.Data) != "heap" || p.Err != nil {
		t.Errorf("the first is %+v", p)
	}
	if p := list[1]; p.Worker != "w2" || p.Err == nil || !strings.Contains(p.Err.Error(), "connection has ended") {
		t.Errorf("the second is %+v", p)
	}
}

// mute is the connection of a worker that has registered and says no more.
func mute(t *testing.T, s *Server, cfg Config) net.Conn {
	t.Helper()
	nc, _, err := auth.Dial(t.Context(), s.Addr(), cfg.Secret, auth.Hello{Incarnation: 5, Purpose: wire.PurposeControl})
	if err != nil {
		t.Fatal(err)
	}
	line, err := control.Append(nil, (&fakeWorker{incarnation: 5, loops: 1}).register())
	if err != nil {
		t.Fatal(err)
	}
	if _, err := nc.Write(line); err != nil {
		t.Fatal(err)
	}
	return nc
}

func TestDismissedWorkersEnd(t *testing.T) {
	cfg := testConfig(t)
	s := startServer(t, cfg)
	w := startWorker(t, s.Addr, cfg.Secret, true)
	awaitServer(t, "a worker", s.Info, readyWorkers(1))
	if err := s.Dismiss(t.Context(), "done"); err != nil {
		t.Fatal(err)
	}
	if err := s.Close(); err != nil { // does not cut off what was said
		t.Fatal(err)
	}
	w.await(t, "ended", func(f *fakeWorker) bool { return f.over == "shut down: done" })
}

func TestWaitEndsWithItsContext(t *testing.T) {
	cfg := testConfig(t)
	s := startServer(t, cfg)
	startWorker(t, s.Addr, cfg.Secret, false)
	awaitServer(t, "a worker", s.Info, readyWorkers(1))
	id, err := s.Submit(t.Context(), Request{Program: "count"})
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if j, err := s.Wait(ctx, id); !errors.Is(err, context.Canceled) || j.ID != id || j.State.Over() {
		t.Errorf("got job %q, %s, %v", j.ID, j.State, err)
	}
	_, err = s.Wait(t.Context(), "j9")
	wantCode(t, err, NotFound)
	wantCode(t, s.Cancel(t.Context(), "j9"), NotFound)
}

func TestStartRefuses(t *testing.T) {
	cfg := testConfig(t)
	s := startServer(t, cfg)
	other := cfg
	if _, err := Start(other); !errors.Is(err, journal.ErrLocked) {
		t.Errorf("a second coordinator with the same state: %v", err)
	}
	other.StateDir, other.Listen = t.TempDir(), s.Addr()
	if _, err := Start(other); err == nil {
		t.Error("two coordinators listen on one address")
	}
	other.Listen = ""
	if again, err := Start(other); err != nil {
		t.Errorf("after that failure: %v", err)
	} else if err := again.Close(); err != nil {
		t.Error(err)
	}
	if _, err := Start(Config{Listen: "x", Timing: Timing{Report: 1}, Programs: testPrograms[:1:1]}); err == nil {
		t.Error("a bad configuration is taken")
	} else {
		for _, want := range []string{"Listen", "StateDir", "Secret", "Report"} {
			if !strings.Contains(err.Error(), want) {
				t.Errorf("%q does not speak of %s", err, want)
			}
		}
	}
}

func TestStartRefusesADamagedJournal(t *testing.T) {
	for name, lines := range map[string]string{"damaged": "spate-journal 1\nrubbish\n", "unknown": ""} {
		cfg := testConfig(t)
		if lines == "" { // a sound journal with a record of another version
			j, _, _, err := journal.Open(cfg.StateDir)
			if err != nil {
				t.Fatal(err)
			}
			if err := errors.Join(j.Append([]byte(`{"moved":{}}`)), j.Close()); err != nil {
				t.Fatal(err)
			}
		} else if err := os.WriteFile(filepath.Join(cfg.StateDir, "journal"), []byte(lines), 0o600); err != nil {
			t.Fatal(err)
		}
		_, err := Start(cfg)
		if err == nil || !strings.Contains(err.Error(), filepath.Join(cfg.StateDir, "journal")) {
			t.Errorf("%s: %v, want an error that names the file", name, err)
		}
	}
}

// A coordinator that cannot write its journal ends: it must not act on what it could not keep.
func TestJournalFailureEndsTheServer(t *testing.T) {
	cfg := testConfig(t)
	s := startServer(t, cfg)
	startWorker(t, s.Addr, cfg.Secret, true)
	awaitServer(t, "a worker", s.Info, readyWorkers(1))
	if err := s.ask(t.Context(), func(d *desk, _ time.Time) { _ = d.journal.Close() }); err != nil {
		t.Fatal(err)
	}
	_, err := s.Submit(t.Context(), Request{Program: "count"})
	wantCode(t, err, Unavailable)
	<-s.Done()
	if err := s.Err(); err == nil || !strings.Contains(err.Error(), "journal") {
		t.Errorf("it ended with %v", err)
	}
}

// The journal does not grow for ever while the coordinator runs.
func TestJournalIsRewritten(t *testing.T) {
	cfg := testConfig(t)
	s := startServer(t, cfg)
	var size atomic.Int64
	err := s.ask(t.Context(), func(d *desk, _ time.Time) {
		d.compact = 1 // at the next opportunity
		size.Store(d.journal.Size())
		for range 100 {
			d.machine.append(Record{Start: d.machine.startRecord()})
		}
	})
	if err != nil {
		t.Fatal(err)
	}
	if got, err := s.JournalBytes(t.Context()); err != nil || got != size.Load() {
		t.Errorf("the journal has %d bytes (%v), want %d", got, err, size.Load())
	}
}
