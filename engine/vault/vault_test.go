package vault

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/fullspate/spate/engine/auth"
	"github.com/fullspate/spate/engine/checkpoint"
	"github.com/fullspate/spate/engine/control"
	"github.com/fullspate/spate/ft"
	"github.com/fullspate/spate/partition"
	"github.com/fullspate/spate/state"
	"github.com/fullspate/spate/wire"
)

// TestRoundTrip keeps bases and deltas with two hosts, of which each alone can give the newest back at any time.
func TestRoundTrip(t *testing.T) {
	for _, network := range []string{"tcp", "unix"} {
		t.Run(network, func(t *testing.T) {
			a, b := startHost(t, network, "a", 1, Config{}, nil), startHost(t, network, "b", 2, Config{}, nil)
			c := startClient(t, 7, nil)
			w := newWorker(t, task("count/all ok?"))
			owners := map[ft.TaskID]uint64{w.id: 7}
			a.Owners(testJob, owners, nil)
			b.Owners(testJob, owners, nil)
			hosts := []control.Host{a.Host, b.Host}
			for range 20 { // so many that they are folded on the way
				w.work(20)
				if err := c.Put(t.Context(), testJob, hosts, w.take(state.Delta)); err != nil {
					t.Fatal(err)
				}
				w.is(c.Newest(t.Context(), testJob, hosts[:1], w.id))
				w.is(c.Newest(t.Context(), testJob, hosts[1:], w.id))
			}
			w.is(c.Newest(t.Context(), testJob, hosts, w.id))
			if infos := a.Tasks(testJob); len(infos) != 1 || infos[0].Generation != 20 || infos[0].Task != w.id {
				t.Errorf("tasks: %+v", infos)
			}
			a.Close(testJob)
			b.Close(testJob)
			if a.Bytes() != 0 || b.Bytes() != 0 || a.Tasks(testJob) != nil {
				t.Errorf("%d and %d bytes of nothing", a.Bytes(), b.Bytes())
			}
		})
	}
}

// TestWhoMayPut goes through what may be known of a task when somebody puts a checkpoint of it.
func TestWhoMayPut(t *testing.T) {
	a := startHost(t, "tcp", "a", 1, Config{}, nil)
	old, now := startClient(t, 7, nil), startClient(t, 8, nil)
	id := task("count")
	put := func(c *Client, job string, gen uint64) error {
		return c.Put(t.Context(), job, []control.Host{a.Host}, dummy(id, gen, wire.Time(gen), 100<<10))
	}
	want := func(what string, err error, fenced, unknown bool) {
		t.Helper()
		f, isFenced := errors.AsType[*FencedError](err)
		u, isUnknown := errors.AsType[*UnknownError](err)
		if isFenced != fenced || isUnknown != unknown || (err != nil) != (fenced || unknown) {
			t.Errorf("%s: %v", what, err)
		}
		if fenced && *f != (FencedError{Job: testJob, Task: id, From: 7, Owner: 8}) || unknown && u.Task != id {
			t.Errorf("%s: %+v", what, err)
		}
	}
	want("no owners are known", put(old, testJob, 1), false, true)
	a.Owners(testJob, map[ft.TaskID]uint64{id: 7, task("other"): 8}, nil)
	want("the owner", put(old, testJob, 1), false, false)
	a.Owners(testJob, map[ft.TaskID]uint64{id: 8}, nil)
	want("who was replaced", put(old, testJob, 2), true, false)
	want("who replaced him", put(now, testJob, 2), false, false)
	a.Owners(testJob, map[ft.TaskID]uint64{task("other"): 8}, nil)
	want("another job", put(now, "j2", 3), false, true)
	a.Open(testJob)
	if infos := a.Tasks(testJob); len(infos) != 0 {
		t.Errorf("kept are %+v, of a task that nobody runs", infos)
	}
	want("nobody runs it", put(now, testJob, 3), false, true)
	a.Close(testJob)
	a.Owners(testJob, map[ft.TaskID]uint64{id: 8}, nil)
	want("a job that is over", put(now, testJob, 3), false, true)
}

// TestReplacedWhileItArrives has an order come while the checkpoint of who is replaced by it is on its way.
func TestReplacedWhileItArrives(t *testing.T) {
	a := startHost(t, "tcp", "a", 1, Config{}, nil)
	k := dummy(task("count"), 1, 1, 1<<20)
	a.Owners(testJob, map[ft.TaskID]uint64{k.Task: 7}, nil)
	nc := a.call(t, 7)
	half := len(k.Encoded) / 2
	if _, err := nc.Write(append([]byte(putHead(k, len(k.Encoded))), k.Encoded[:half]...)); err != nil {
		t.Fatal(err)
	}
	eventually(t, "the checkpoint arrives", func() bool { return a.Bytes() == int64(len(k.Encoded)) })
	a.Owners(testJob, map[ft.TaskID]uint64{k.Task: 8}, nil)
	if _, err := nc.Write(k.Encoded[half:]); err != nil {
		t.Fatal(err)
	}
	status, err := answer(t, nc)
	if _, ok := errors.AsType[*FencedError](err); !ok || status != http.StatusForbidden || a.Bytes() != 0 {
		t.Errorf("status %d, %v, %d bytes are kept", status, err, a.Bytes())
	}
}

// eventually waits for what other goroutines make true.
func eventually(t *testing.T, what string, true func() bool) {
	t.Helper()
	for deadline := time.Now().Add(patient); !true(); time.Sleep(time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatalf("not in %v: %s", patient, what)
		}
	}
}

func TestErrorsOfTheStoreComeBack(t *testing.T) {
	k := dummy(task("count"), 5, 5, 1000)
	a := startHost(t, "tcp", "a", 1, Config{Budget: int64(len(k.Encoded)) * 5 / 2}, nil)
	hosts := []control.Host{a.Host}
	a.Owners(testJob, map[ft.TaskID]uint64{k.Task: 7, task("other"): 7, task("third"): 7}, nil)
	c := startClient(t, 7, nil)
	put := func(k checkpoint.Kept) error { return c.Put(t.Context(), testJob, hosts, k) }
	if err := errors.Join(put(k), put(k)); err != nil { // again is right
		t.Fatal(err)
	}
	var chain *ft.ChainError
	if err := put(dummy(k.Task, 4, 4, 1000)); !errors.As(err, &chain) || chain.Newest != 5 || chain.Generation != 4 || chain.Task != k.Task {
		t.Errorf("an older generation: %v", err)
	}
	spoilt := dummy(k.Task, 6, 6, 1000)
	spoilt.Encoded[len(spoilt.Encoded)-1] ^= 1
	var format *ft.FormatError
	if err := put(spoilt); !errors.As(err, &format) {
		t.Errorf("a damaged one: %v", err)
	}
	if err := put(dummy(task("other"), 1, 1, 1000)); err != nil {
		t.Fatal(err)
	}
	var budget *ft.BudgetError
	if err := put(dummy(task("third"), 1, 1, 1000)); !errors.As(err, &budget) || budget.Task != task("third") || budget.Used != a.Bytes() {
		t.Errorf("one too many: %v, %d bytes are kept", err, a.Bytes())
	}
	var host *HostError
	if err := put(dummy(k.Task, 7, 7, 1<<20)); !errors.As(err, &budget) || !errors.As(err, &host) || host.Host != a.Host {
		t.Errorf("one too large: %v", err)
	}
	if infos := a.Tasks(testJob); len(infos) != 2 || a.Bytes() != infos[0].Bytes+infos[1].Bytes {
		t.Errorf("%d bytes of %+v", a.Bytes(), infos)
	}
}

// TestBadRequests sends what a client never sends.
func TestBadRequests(t *testing.T) {
	a := startHost(t, "tcp", "a", 1, Config{Budget: 1 << 40}, nil)
	id := task("count")
	a.Owners(testJob, map[ft.TaskID]uint64{id: 7}, nil)
	where := "/jobs/" + testJob + "/checkpoints?" + query{task: id}.String()
	requests := map[string]struct {
		text   string
		status int
	}{
		"no length":       {"PUT " + where + "&generation=1 HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n", 411},
		"no generation":   {"PUT " + where + " HTTP/1.1\r\nHost: a\r\nContent-Length: 0\r\n\r\n", 400},
		"no checkpoint":   {"PUT " + where + "&generation=1 HTTP/1.1\r\nHost: a\r\nContent-Length: 0\r\n\r\n", 422},
		"too much":        {"PUT " + where + "&generation=1 HTTP/1.1\r\nHost: a\r\nContent-Length: 1000000000000000000\r\n\r\n", 507},
		"bad query":       {"GET " + where + "&first=zz HTTP/1.1\r\nHost: a\r\n\r\n", 400},
		"nothing there":   {"GET " + where + "&generation=1 HTTP/1.1\r\nHost: a\r\n\r\n", 404},
		"another method":  {"DELETE " + where + " HTTP/1.1\r\nHost: a\r\n\r\n", 405},
		"another address": {"GET / HTTP/1.1\r\nHost: a\r\n\r\n", 404},
		"not a request":   {"nonsense\r\n\r\n", 400},
	}
	for name, tt := range requests {
		t.Run(name, func(t *testing.T) {
			nc := a.call(t, 7)
			if _, err := io.WriteString(nc, tt.text); err != nil {
				t.Fatal(err)
			}
			if status, err := answer(t, nc); status != tt.status || err == nil {
				t.Errorf("status %d, %v, want %d", status, err, tt.status)
			}
		})
	}
	if a.Bytes() != 0 {
		t.Errorf("%d bytes are kept", a.Bytes())
	}
}

// TestCutInTheMiddle loses the connection, or the peer, in the middle of a checkpoint.
func TestCutInTheMiddle(t *testing.T) {
	k := dummy(task("count"), 1, 1, 1<<20)
	for name, cut := range map[string]struct {
		do     func(*net.TCPConn) error
		status int
	}{
		"ended":   {(*net.TCPConn).CloseWrite, http.StatusBadRequest},
		"stalled": {func(*net.TCPConn) error { return nil }, http.StatusRequestTimeout},
	} {
		t.Run(name, func(t *testing.T) {
			a := startHost(t, "tcp", "a", 1, Config{TimeOut: 100 * time.Millisecond}, nil)
			a.Owners(testJob, map[ft.TaskID]uint64{k.Task: 7}, nil)
			nc := a.call(t, 7)
			if _, err := nc.Write(append([]byte(putHead(k, len(k.Encoded))), k.Encoded[:500_000]...)); err != nil {
				t.Fatal(err)
			}
			if err := cut.do(nc.(*net.TCPConn)); err != nil {
				t.Fatal(err)
			}
			if status, err := answer(t, nc); status != cut.status || a.Bytes() != 0 || a.Tasks(testJob) != nil {
				t.Errorf("status %d, %v; %d bytes are kept", status, err, a.Bytes())
			}
			if _, err := nc.Read(make([]byte, 1)); err != io.EOF {
				t.Errorf("the connection goes on: %v", err)
			}
		})
	}
}

func TestServeRefusesOtherPurposes(t *testing.T) {
	v := New(Config{})
	ours, theirs := net.Pipe()
	v.Serve(ours, auth.Peer{Hello: auth.Hello{Purpose: wire.PurposeData}})
	if _, err := theirs.Read(make([]byte, 1)); err != io.EOF {
		t.Errorf("a connection for data: %v, want it closed", err)
	}
	v.Stop()
	v.Stop()
	ours, theirs = net.Pipe()
	v.Serve(ours, auth.Peer{Hello: auth.Hello{Purpose: wire.PurposeBackup}})
	if _, err := theirs.Read(make([]byte, 1)); err != io.EOF {
		t.Errorf("a connection after Stop: %v, want it closed", err)
	}
}

// TestStopCutsOff stops a vault in the middle of a request.
func TestStopCutsOff(t *testing.T) {
	a := startHost(t, "unix", "a", 1, Config{}, nil)
	k := dummy(task("count"), 1, 1, 1<<20)
	a.Owners(testJob, map[ft.TaskID]uint64{k.Task: 7}, nil)
	nc := a.call(t, 7)
	if _, err := io.WriteString(nc, putHead(k, len(k.Encoded))); err != nil {
		t.Fatal(err)
	}
	eventually(t, "the checkpoint arrives", func() bool { return a.Bytes() > 0 })
	a.Stop()
	if _, err := nc.Read(make([]byte, 1)); err == nil || a.Bytes() != 0 {
		t.Errorf("the connection goes on, or %d bytes are kept", a.Bytes())
	}
}

// TestDamagedIsForgotten finds, when it folds, that what is kept has been spoilt.
func TestDamagedIsForgotten(t *testing.T) {
	v := New(Config{})
	defer v.Stop()
	v.Open(testJob)
	j := v.job(testJob)
	w := newWorker(t, task("count"))
	j.own(map[ft.TaskID]uint64{w.id: 7}, nil)
	w.work(1000)
	base := w.take(state.Base)
	if err := j.put(t.Context(), 7, base); err != nil {
		t.Fatal(err)
	}
	for range 8 {
		w.work(1)
		if err := j.put(t.Context(), 7, w.take(state.Delta)); err != nil {
			t.Fatal(err)
		}
	}
	base.Encoded[len(base.Encoded)/2] ^= 1
	var format *ft.FormatError
	if err := j.fold(t.Context(), w.id); !errors.As(err, &format) {
		t.Fatalf("folding what is damaged: %v", err)
	}
	w.work(1)
	var chain *ft.ChainError
	if err := j.put(t.Context(), 7, w.take(state.Delta)); !errors.As(err, &chain) {
		t.Errorf("a delta to what was forgotten: %v", err)
	}
	if err := j.put(t.Context(), 7, w.take(state.Base)); err != nil {
		t.Error(err)
	}
}

// TestAtOnce is for the race detector: tasks are put and fetched, orders come, and another job comes and goes.
func TestAtOnce(t *testing.T) {
	a, b := startHost(t, "unix", "a", 1, Config{}, nil), startHost(t, "tcp", "b", 2, Config{}, nil)
	hosts := []control.Host{a.Host, b.Host}
	own := New(Config{})
	defer own.Stop()
	own.Open(testJob)
	c := startClient(t, 7, func(cfg *ClientConfig) { cfg.Own = own })
	owners := map[ft.TaskID]uint64{}
	for _, r := range partition.Even(4) {
		owners[ft.TaskID{Operator: "count", Range: r}] = 7
	}
	a.Owners(testJob, owners, nil)
	b.Owners(testJob, owners, nil)
	own.Owners(testJob, owners, nil)
	var tasks, orders sync.WaitGroup
	for id := range owners {
		w := newWorker(t, id)
		tasks.Go(func() { w.keepGoing(c, hosts) })
	}
	var over atomic.Bool
	orders.Go(func() {
		for n := 0; !over.Load(); n++ {
			a.Owners(testJob, owners, nil)
			other := fmt.Sprint("other", n%3)
			a.Open(other)
			a.Owners(other, owners, nil)
			_ = c.Put(context.Background(), other, hosts[:1], dummy(task("count"), 1, 1, 10)) // it may come too late
			a.Close(other)
			a.Tasks(testJob)
		}
	})
	tasks.Wait()
	over.Store(true)
	orders.Wait()
	a.Close(testJob)
	if a.Bytes() != 0 {
		t.Errorf("%d bytes of nothing", a.Bytes())
	}
}

// keepGoing puts and fetches a few checkpoints.
func (w *worker) keepGoing(c *Client, hosts []control.Host) {
	for range 25 {
		w.work(20)
		k := w.take(state.Delta)
		if err := c.Put(context.Background(), testJob, hosts, k); err != nil {
			w.t.Error(err)
			return
		}
		got, err := c.Newest(context.Background(), testJob, hosts, w.id)
		if err != nil || got.Generation != k.Generation {
			w.t.Errorf("generation %d: %v", k.Generation, err)
			return
		}
	}
}
