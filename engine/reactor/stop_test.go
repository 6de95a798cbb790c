package reactor

import (
	"errors"
	"net"
	"os"
	"runtime"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"
)

// Whatever a reactor is doing, Stop ends it: every connection that was opened is closed once, every function that was accepted
// has run, and nothing is accepted any more.
func TestStopInEveryState(t *testing.T) {
	tests := []struct {
		name string
		busy func(t *testing.T, r *Reactor, stopped <-chan struct{}, wg *sync.WaitGroup)
	}{
		{"idle", func(*testing.T, *Reactor, <-chan struct{}, *sync.WaitGroup) {}},
		{"busy", func(t *testing.T, r *Reactor, _ <-chan struct{}, _ *sync.WaitGroup) {
			r.Do(func() { r.Add(&counter{left: 1 << 60}) })
		}},
		{"waiting for a deadline", func(t *testing.T, r *Reactor, _ <-chan struct{}, _ *sync.WaitGroup) {
			r.Do(func() {
				r.Add(&workFunc{func(now time.Duration) (bool, time.Duration) { return false, now + time.Millisecond }})
			})
		}},
		{"reading", func(t *testing.T, r *Reactor, stopped <-chan struct{}, wg *sync.WaitGroup) { flood(t, r, wg) }},
		{"writing to one who does not read", func(t *testing.T, r *Reactor, _ <-chan struct{}, _ *sync.WaitGroup) {
			near, _ := connect(t, "unix")
			h := newHooks()
			enroll(t, r, near, h)
			on(t, r, func() { h.conn.Writev([][]byte{make([]byte, 16<<20)}) })
		}},
		{"asked by many", func(t *testing.T, r *Reactor, stopped <-chan struct{}, wg *sync.WaitGroup) {
			var ran, accepted atomic.Int64
			var asking sync.WaitGroup
			for range 4 {
				asking.Go(func() {
					for r.Do(func() { ran.Add(1) }) {
						accepted.Add(1)
						r.Wake()
					}
				})
			}
			wg.Go(func() {
				asking.Wait()
				<-stopped
				if ran.Load() != accepted.Load() {
					t.Errorf("%d functions have run of %d that were accepted", ran.Load(), accepted.Load())
				}
			})
		}},
		{"enrolling", enrolling},
	}
	everywhere(t, func(t *testing.T, _ string, cfg Config) {
		for _, test := range tests {
			t.Run(test.name, func(t *testing.T) {
				r := start(t, cfg)
				near, _ := connect(t, "tcp")
				h := newHooks()
				enroll(t, r, near, h)
				stopped := make(chan struct{})
				var wg sync.WaitGroup
				test.busy(t, r, stopped, &wg)
				for range 3 {
					wg.Go(r.Stop)
				}
				r.Stop()
				close(stopped)
				wg.Wait()
				if h.endings != 1 || !errors.Is(<-h.ended, ErrStopped) {
					t.Errorf("a connection was closed %d times, want once, with %v", h.endings, ErrStopped)
				}
				if r.Do(func() { t.Error("a function runs after Stop") }) {
					t.Error("Do accepts a function after Stop")
				}
				r.Wake()
			})
		}
	})
}

// What is accepted while Stop waits for the last turn is run in it.
func TestLastFunction(t *testing.T) {
	r := start(t, Config{})
	accepted, ran := false, false
	started := make(chan struct{})
	r.Do(func() {
		close(started)
		for !r.ending.Load() {
			runtime.Gosched()
		}
		accepted = r.Do(func() { ran = true })
	})
	await(t, started, "a function given to Do")
	r.Stop()
	if !accepted || !ran {
		t.Errorf("a function was accepted: %v, and has run: %v; want both", accepted, ran)
	}
}

// flood has a peer write without end.
func flood(t *testing.T, r *Reactor, wg *sync.WaitGroup) {
	near, far := connect(t, "unix")
	heard := make(chan struct{})
	var once sync.Once
	enroll(t, r, near, &hooks{traffic: func(c Conn) error {
		once.Do(func() { close(heard) })
		_, err := c.Read(make([]byte, c.Buffered()))
		return err
	}})
	wg.Go(func() {
		buf := make([]byte, 64<<10)
		for {
			if _, err := far.Write(buf); err != nil {
				return
			}
		}
	})
	await(t, heard, "traffic")
}

// enrolling enrolls connections until that fails, and then looks whether all that were opened have been closed.
func enrolling(t *testing.T, r *Reactor, stopped <-chan struct{}, wg *sync.WaitGroup) {
	l, err := net.Listen("unix", t.TempDir()+"/s")
	if err != nil {
		t.Fatal(err)
	}
	first := make(chan struct{})
	wg.Go(func() {
		defer l.Close()
		var all []*hooks
		for i := 0; ; i++ {
			nc, err := net.Dial("unix", l.Addr().String())
			if err != nil {
				t.Error(err)
				break
			}
			peer, err := l.Accept()
			if err != nil {
				t.Error(err)
				break
			}
			peer.Close()
			h := newHooks()
			if err := r.Enroll(nc, h); err != nil {
				if !errors.Is(err, ErrStopped) || h.opened > 0 {
					t.Errorf("enrolling fails with %v, want %v", err, ErrStopped)
				}
				break
			}
			all = append(all, h)
			if i == 0 {
				close(first)
			}
		}
		<-stopped
		for _, h := range all {
			if h.opened != 1 || h.endings != 1 {
				t.Errorf("a connection was opened %d times and closed %d times", h.opened, h.endings)
			}
		}
	})
	await(t, first, "the first connection")
}

// Those whom the loop calls may stop it. Stop does not wait then, or it would wait for its caller.
func TestStopOnTheLoop(t *testing.T) {
	tests := []struct {
		name  string
		cause func(r *Reactor, h *hooks, peer net.Conn)
	}{
		{"function", func(r *Reactor, _ *hooks, _ net.Conn) { r.Do(r.Stop) }},
		{"work", func(r *Reactor, _ *hooks, _ net.Conn) {
			r.Do(func() { r.Add(&workFunc{func(time.Duration) (bool, time.Duration) { r.Stop(); return true, 0 }}) })
		}},
		{"traffic", func(r *Reactor, h *hooks, peer net.Conn) {
			r.Do(func() { h.traffic = func(Conn) error { r.Stop(); return nil } })
			peer.Write([]byte("x"))
		}},
		{"closed", func(r *Reactor, h *hooks, peer net.Conn) {
			r.Do(func() { h.closed = func(Conn, error) { r.Stop() } })
			peer.Close()
		}},
		{"closed by stop", func(r *Reactor, h *hooks, peer net.Conn) {
			r.Do(func() { h.closed = func(Conn, error) { r.Stop() }; r.Stop() })
		}},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			near, far := connect(t, "tcp")
			r := start(t, Config{})
			h := newHooks()
			enroll(t, r, near, h)
			test.cause(r, h, far)
			await(t, h.ended, "Closed")
			await(t, r.done, "the end")
			if h.endings != 1 {
				t.Errorf("a connection was closed %d times", h.endings)
			}
		})
	}
	t.Run("open", func(t *testing.T) {
		near, _ := connect(t, "tcp")
		r := start(t, Config{})
		h := newHooks()
		h.open = func(Conn) { r.Stop() }
		enroll(t, r, near, h)
		if err := await(t, h.ended, "Closed"); !errors.Is(err, ErrStopped) {
			t.Errorf("closed with %v, want %v", err, ErrStopped)
		}
		await(t, r.done, "the end")
	})
}

// A reactor that is stopped has given back every descriptor, also of connections.
func TestDescriptorsAreGivenBack(t *testing.T) {
	if runtime.GOOS != "linux" {
		t.Skip("descriptors are counted in /proc")
	}
	everywhere(t, func(t *testing.T, network string, cfg Config) {
		before := descriptors(t)
		r := start(t, cfg)
		var peers []net.Conn
		for range 10 {
			near, far := connect(t, network)
			enroll(t, r, near, newHooks())
			peers = append(peers, far)
		}
		if during := descriptors(t); len(during) < len(before)+20 {
			t.Errorf("%d descriptors with 20 connections more, %d before", len(during), len(before))
		}
		r.Stop()
		for _, p := range peers {
			p.Close()
		}
		if after := descriptors(t); len(after) > len(before) {
			t.Errorf("descriptors before: %v\nafter: %v", before, after)
		}
	})
}

// descriptors lists the process's, but for what the runtime opens for itself when it first needs it.
func descriptors(t *testing.T) (all []string) {
	entries, err := os.ReadDir("/proc/self/fd")
	if err != nil {
		t.Fatal(err)
	}
	for _, e := range entries {
		to, err := os.Readlink("/proc/self/fd/" + e.Name())
		if err == nil && (strings.HasPrefix(to, "socket:") || strings.HasPrefix(to, "anon_inode:")) {
			all = append(all, e.Name()+" "+to)
		}
	}
	return all
}
