//go:build linux

package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"net/http"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/fullspate/spate/engine/auth"
	"github.com/fullspate/spate/wire"
)

// crowd is how many connections come at once.
const crowd = 2000

// TestHostilePeers knock at every port while a job runs: strangers, members who talk nonsense, impostors who take over a
// connection between two workers, and a crowd. The answers are right, and nobody has died.
func TestHostilePeers(t *testing.T) {
	input := early(t, "300")
	want := embeddedAnswers(t, input)
	f := startFleet(t, 2, "--heartbeat-timeout", "5s")
	finish := f.run(input, want, "--pace", "40")
	f.awaitJob("j1", 5_000)
	p := f.ports()
	ctx, stop := context.WithCancel(t.Context())
	var attacks sync.WaitGroup
	for _, a := range p.attacks() {
		attacks.Go(func() { a.repeat(ctx, t) })
	}
	for _, addr := range p.all {
		attacks.Go(func() { comeInCrowds(ctx, t, addr) })
	}
	finish() // the answers are those of a run that nobody has disturbed
	stop()
	attacks.Wait()
	f.alive()
	m, err := f.client.Metrics(t.Context(), "j1")
	if err != nil {
		t.Fatal(err)
	}
	broken := uint64(0)
	for _, w := range m.Workers {
		for _, l := range w.Links {
			broken += l.Broken
		}
	}
	if broken == 0 {
		t.Error("no impostor has broken a connection: the attack was none")
	}
	t.Logf("impostors have broken connections %d times", broken)
	checkRefusals(t, f.http)
}

// checkRefusals: the coordinator has counted whom it has turned away, by reason.
func checkRefusals(t *testing.T, addr string) {
	t.Helper()
	res, err := http.Get("http://" + addr + "/metrics")
	if err != nil {
		t.Fatal(err)
	}
	defer res.Body.Close()
	text, err := io.ReadAll(res.Body)
	if err != nil {
		t.Fatal(err)
	}
	for _, reason := range []auth.Reason{auth.BadMagic, auth.WrongSecret, auth.Timeout} {
		if !strings.Contains(string(text), `reason="`+reason.String()+`"`) {
			t.Errorf("no connection was refused for %v:\n%s", reason, text)
		}
	}
}

// ports are where a fleet can be attacked, and what an insider knows.
type ports struct {
	secret       auth.Secret
	cluster      string
	control      string
	data         string // of w1
	all          []string
	job          string
	epoch        uint64
	incarnations map[string]uint64
}

func (f *fleet) ports() *ports {
	f.t.Helper()
	c, err1 := f.client.Cluster(f.t.Context())
	workers, err2 := f.client.Workers(f.t.Context())
	job, err3 := f.client.Look(f.t.Context(), "j1")
	if err := errors.Join(err1, err2, err3); err != nil {
		f.t.Fatal(err)
	}
	p := &ports{secret: f.secret, cluster: c.ID, control: f.listen, all: []string{f.listen}, job: job.ID, epoch: job.Epoch,
		incarnations: map[string]uint64{}}
	for _, w := range workers {
		n, err := strconv.ParseUint(w.Incarnation, 16, 64)
		if err != nil {
			f.t.Fatal(err)
		}
		p.incarnations[w.ID] = n
		p.all = append(p.all, w.Address)
		if w.ID == "w1" {
			p.data = w.Address
		}
	}
	return p
}

// attack is something that is done to a port again and again.
type attack struct {
	name string
	do   func(ctx context.Context) error // nil if the attacker has got what it deserves
}

// repeat attacks until ctx is done, a few times a second.
func (a attack) repeat(ctx context.Context, t *testing.T) {
	for ctx.Err() == nil {
		bounded, cancel := context.WithTimeout(ctx, 20*time.Second)
		err := a.do(bounded)
		cancel()
		if err != nil && ctx.Err() == nil {
			t.Errorf("%s: %v", a.name, err)
			return
		}
		select {
		case <-ctx.Done():
		case <-time.After(150 * time.Millisecond):
		}
	}
}

// attacks are all but the crowds.
func (p *ports) attacks() []attack {
	var list []attack
	for i, addr := range p.all {
		purpose := wire.PurposeData
		if addr == p.control {
			purpose = wire.PurposeControl
		}
		hello := auth.Hello{Cluster: p.cluster, Incarnation: 99, Purpose: purpose}
		at := func(name string, do func(ctx context.Context) error) {
			list = append(list, attack{fmt.Sprintf("%s at port %d", name, i), do})
		}
		at("garbage", func(ctx context.Context) error { return shout(ctx, addr, noise(4096)) })
		at("nothing", func(ctx context.Context) error { return shout(ctx, addr, nil) })
		at("half a handshake", func(ctx context.Context) error { return hesitate(ctx, addr, p.secret, hello) })
		at("a wrong secret", func(ctx context.Context) error { return knock(ctx, addr, auth.NewSecret(), hello, auth.WrongSecret) })
		at("a wrong cluster", func(ctx context.Context) error {
			hello := hello
			hello.Cluster = auth.NewCluster()
			return knock(ctx, addr, p.secret, hello, auth.WrongCluster)
		})
		at("a member's nonsense", func(ctx context.Context) error { return p.babble(ctx, addr, hello, noise(100_000)) })
	}
	for i, lie := range lies() {
		list = append(list, attack{fmt.Sprintf("impostor %d", i), func(ctx context.Context) error { return p.impersonate(ctx, lie) }})
	}
	return list
}

// lies are what an impostor says in place of a worker.
func lies() [][]byte {
	frame := func(bytes uint32, body int) []byte {
		e := wire.Envelope{Kind: wire.EnvelopeFrame, Bytes: bytes}
		return append(e.Append(nil), noise(body)...)
	}
	return [][]byte{
		noise(1000),
		frame(1<<31, 64), // a huge length
		frame(4096, 100), // half a frame
		frame(4096, 4096),
		frame(64, 64)[:9], // half an envelope
	}
}

func noise(n int) []byte {
	b := make([]byte, n)
	for i := range b {
		b[i] = byte(rand.Uint32())
	}
	return b
}

// connect opens a connection that is given up when ctx is done.
func connect(ctx context.Context, addr string) (net.Conn, func(), error) {
	a, err := auth.ParseAddress(addr)
	if err != nil {
		return nil, nil, err
	}
	c, err := new(net.Dialer).DialContext(ctx, a.Network, a.Name)
	if err != nil {
		return nil, nil, err
	}
	unhook := context.AfterFunc(ctx, func() { c.Close() })
	return c, func() { unhook(); c.Close() }, nil
}

// shown is what is read until the other end closes the connection; it fails if that does not happen.
func shown(ctx context.Context, c net.Conn) error {
	_, _ = io.Copy(io.Discard, c)
	if ctx.Err() != nil {
		return errors.New("the connection was left open")
	}
	return nil
}

// shout says something and expects to be shown the door.
func shout(ctx context.Context, addr string, text []byte) error {
	c, done, err := connect(ctx, addr)
	if err != nil {
		return err
	}
	defer done()
	_, _ = c.Write(text) // it may be closed before all is said
	return shown(ctx, c)
}

// hesitate begins a handshake in good order, a byte at a time, and expects not to be waited for.
func hesitate(ctx context.Context, addr string, secret auth.Secret, hello auth.Hello) error {
	c, done, err := connect(ctx, addr)
	if err != nil {
		return err
	}
	defer done()
	began := time.Now()
	if _, err := auth.Client(ctx, &dribble{Conn: c, left: 40}, secret, hello); err == nil {
		return errors.New("half a handshake was taken for a whole one")
	}
	if err := shown(ctx, c); err != nil {
		return err
	}
	if took := time.Since(began); took > 10*time.Second {
		return fmt.Errorf("a slow peer was borne for %v", took)
	}
	return nil
}

// dribble writes a byte at a time, slowly, and stops before it has said all.
type dribble struct {
	net.Conn
	left int
}

func (d *dribble) Write(p []byte) (int, error) {
	for i := range p {
		if d.left == 0 {
			return i, errors.New("enough said")
		}
		d.left--
		if _, err := d.Conn.Write(p[i : i+1]); err != nil {
			return i, err
		}
		time.Sleep(20 * time.Millisecond)
	}
	return len(p), nil
}

// knock expects to be refused for a reason. Where a crowd is before it, nobody has time for reasons.
func knock(ctx context.Context, addr string, secret auth.Secret, hello auth.Hello, want auth.Reason) error {
	c, _, err := auth.Dial(ctx, addr, secret, hello)
	if err == nil {
		c.Close()
		return errors.New("was let in")
	}
	var refused *auth.Refused
	if errors.As(err, &refused) && refused.Reason != want && refused.Remote && refused.Reason != auth.TooMany {
		return fmt.Errorf("refused for %v, want %v", refused.Reason, want)
	}
	return nil
}

// babble talks nonsense after a good handshake.
func (p *ports) babble(ctx context.Context, addr string, hello auth.Hello, text []byte) error {
	hello.Note = []byte(`{"job":"j9","worker":"w9"}`)
	c, _, err := auth.Dial(ctx, addr, p.secret, hello)
	if err != nil {
		return nil // too many at the door
	}
	defer c.Close()
	unhook := context.AfterFunc(ctx, func() { c.Close() })
	defer unhook()
	_, _ = c.Write(text)
	return shown(ctx, c)
}

// impersonate takes over w2's connection to w1 and says something that w2 would not.
func (p *ports) impersonate(ctx context.Context, lie []byte) error {
	note, err := json.Marshal(map[string]any{
		"job": p.job, "epoch": p.epoch, "worker": "w2", "loop": 0, "far_loop": 0, "receiver": p.incarnations["w1"],
	})
	if err != nil {
		return err
	}
	hello := auth.Hello{Cluster: p.cluster, Incarnation: p.incarnations["w2"], Purpose: wire.PurposeData, Note: note}
	c, _, err := auth.Dial(ctx, p.data, p.secret, hello)
	if err != nil {
		return nil // too many at the door, or the job has ended
	}
	defer c.Close()
	_, _ = c.Write(lie)
	// Half a message may be the beginning of a whole one: the impostor goes after a while.
	_ = c.SetReadDeadline(time.Now().Add(200 * time.Millisecond))
	_, _ = io.Copy(io.Discard, c)
	return nil
}

// comeInCrowds opens as many connections as there may be at once, says nothing on them, and does it again.
func comeInCrowds(ctx context.Context, t *testing.T, addr string) {
	for ctx.Err() == nil {
		var came atomic.Int64
		var all sync.WaitGroup
		bounded, cancel := context.WithTimeout(ctx, 10*time.Second)
		for range crowd {
			c, done, err := connect(bounded, addr)
			if err != nil {
				break // the backlog is full, or this process has no more files
			}
			came.Add(1)
			all.Go(func() {
				defer done()
				_, _ = io.Copy(io.Discard, c)
			})
		}
		all.Wait()
		cancel()
		if ctx.Err() == nil {
			t.Logf("%d came at once to %s", came.Load(), addr)
		}
		select {
		case <-ctx.Done():
		case <-time.After(time.Second):
		}
	}
}
