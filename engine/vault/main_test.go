package vault

import (
	"bufio"
	"bytes"
	"context"
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"net/http"
	"strings"
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/fullspate/spate/engine/auth"
	"github.com/fullspate/spate/engine/checkpoint"
	"github.com/fullspate/spate/engine/control"
	"github.com/fullspate/spate/ft"
	"github.com/fullspate/spate/partition"
	"github.com/fullspate/spate/state"
	"github.com/fullspate/spate/wire"
	"github.com/fullspate/spate/wire/slab"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

const (
	testJob = "j1"
	patient = 10 * time.Second // for what must happen, on a busy machine
)

var (
	testSecret  = auth.Secret{1, 2, 3}
	testCluster = strings.Repeat("c1", 16)
)

func hello(incarnation uint64) auth.Hello {
	return auth.Hello{Cluster: testCluster, Incarnation: incarnation}
}

func task(operator string) ft.TaskID { return ft.TaskID{Operator: operator, Range: partition.Full()} }

// host is a worker as far as its vault goes.
type host struct {
	control.Host
	*Vault
	acceptor *auth.Acceptor
}

// startHost starts a worker whose vault keeps checkpoints of the test's job, and stops it with the test. On the way to the
// vault a connection goes through wrap, if there is one.
func startHost(t testing.TB, network, name string, incarnation uint64, cfg Config, wrap func(net.Conn) net.Conn) *host {
	t.Helper()
	addr := "tcp://127.0.0.1:0"
	if network == "unix" {
		addr = "unix://" + t.TempDir() + "/socket"
	}
	l, err := auth.Listen(context.Background(), addr)
	if err != nil {
		t.Fatal(err)
	}
	h := &host{Host: control.Host{Worker: name, Incarnation: incarnation, Addr: auth.AddressOf(l.Addr()).String()}, Vault: New(cfg)}
	h.Open(testJob)
	h.acceptor, err = auth.Serve(l, auth.Config{Secret: testSecret, Hello: hello(incarnation), Handle: func(nc net.Conn, from auth.Peer) {
		if wrap != nil {
			nc = wrap(nc)
		}
		h.Serve(nc, from)
	}})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(h.die)
	return h
}

// die ends the worker; that may be said again.
func (h *host) die() {
	_ = h.acceptor.Close() // the listener may be closed already
	h.Stop()
}

// startClient makes a client of a worker, and stops it with the test.
func startClient(t testing.TB, incarnation uint64, change func(*ClientConfig)) *Client {
	t.Helper()
	cfg := ClientConfig{Secret: testSecret, Hello: func() auth.Hello { return hello(incarnation) }}
	if change != nil {
		change(&cfg)
	}
	c := NewClient(cfg)
	t.Cleanup(c.Stop)
	return c
}

// worker is a task as far as its checkpoints go: it changes a table at random.
type worker struct {
	t        testing.TB
	id       ft.TaskID
	rand     *rand.Rand
	table    *state.Map
	gen      uint64 // of the last checkpoint
	follows  uint64 // generation that the next delta builds upon
	position wire.Time
}

// account is what the table holds.
type account struct{ Balance, Changes uint64 }

func newWorker(t testing.TB, id ft.TaskID) *worker {
	t.Helper()
	schema, err := state.SchemaOf[account]("accounts", state.Uint64, state.None)
	if err != nil {
		t.Fatal(err)
	}
	pool := slab.New(slab.Config{Budget: 64 << 20})
	m, err := state.New(state.Config{Schema: schema, Range: id.Range, Pool: pool})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := m.Close(); err != nil {
			t.Error(err)
		}
		if err := pool.Close(); err != nil {
			t.Error(err)
		}
	})
	return &worker{t: t, id: id, rand: rand.New(rand.NewPCG(1, uint64(len(id.Operator)))), table: m}
}

// work changes n records out of 500, and goes on in time.
func (w *worker) work(n int) {
	accounts, err := state.NewFixed[account](w.table)
	if err != nil {
		w.t.Fatal(err)
	}
	for range n {
		v, _ := accounts.Upsert(w.id.Range.First + (w.id.Range.Last-w.id.Range.First)/500*w.rand.Uint64N(500))
		v.Balance += w.rand.Uint64N(1000)
		v.Changes++
	}
	w.position += wire.At(1, 0, 0)
}

// take takes the next checkpoint.
func (w *worker) take(kind state.Kind) checkpoint.Kept {
	w.t.Helper()
	w.gen++
	c := &ft.Checkpoint{
		Operator: w.id.Operator, Range: w.id.Range, Generation: w.gen, Position: w.position, Kind: state.Base,
		Logs: []ft.LogImage{{Trim: w.position / 2, Frontier: w.position, Frames: bytes.Repeat([]byte{byte(w.gen)}, 20)}},
	}
	if kind == state.Delta && w.follows != 0 {
		c.Kind, c.Follows = state.Delta, w.follows
	}
	s, err := w.table.Freeze(kind, w.position)
	if err != nil {
		w.t.Fatal(err)
	}
	s.Step(0, nil)
	var b bytes.Buffer
	if _, err := s.Encode(&b, state.Raw); err != nil {
		w.t.Fatal(err)
	}
	c.Tables = append(c.Tables, b.Bytes())
	w.follows = w.gen
	return checkpoint.Kept{Task: w.id, Generation: c.Generation, Follows: c.Follows, Position: c.Position, Encoded: c.Append(nil)}
}

// is fails the test unless a checkpoint is the task as it is now.
func (w *worker) is(c *ft.Checkpoint, err error) {
	w.t.Helper()
	if err != nil {
		w.t.Fatal(err)
	}
	info, err := state.Verify(c.Tables[0])
	if err != nil {
		w.t.Fatal(err)
	}
	if sum := w.table.Checksum(w.id.Range); info.Checksum != sum || c.Position != w.position || c.Generation != w.gen || c.Kind != state.Base {
		w.t.Fatalf("checkpoint %d at %v, a %v, with sum %x, want %d at %v with %x",
			c.Generation, c.Position, c.Kind, info.Checksum, w.gen, w.position, sum)
	}
}

// dummy is a checkpoint without tables, with a log of so many bytes.
func dummy(id ft.TaskID, gen uint64, position wire.Time, size int) checkpoint.Kept {
	c := &ft.Checkpoint{
		Operator: id.Operator, Range: id.Range, Generation: gen, Position: position, Kind: state.Base,
		Logs: []ft.LogImage{{Frontier: position, Frames: bytes.Repeat([]byte{byte(gen)}, size)}},
	}
	return checkpoint.Kept{Task: id, Generation: gen, Position: position, Encoded: c.Append(nil)}
}

// call opens a connection to a host as the client does, for requests that a client does not make.
func (h *host) call(t *testing.T, incarnation uint64) net.Conn {
	t.Helper()
	say := hello(incarnation)
	say.Purpose = wire.PurposeBackup
	nc, _, err := auth.Dial(t.Context(), h.Addr, testSecret, say)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { nc.Close() })
	if err := nc.SetDeadline(time.Now().Add(patient)); err != nil {
		t.Fatal(err)
	}
	return nc
}

// answer reads an answer, and returns its status and what error it is.
func answer(t *testing.T, nc net.Conn) (int, error) {
	t.Helper()
	res, err := http.ReadResponse(bufio.NewReader(nc), nil)
	if err != nil {
		t.Fatal(err)
	}
	defer res.Body.Close()
	b, err := io.ReadAll(res.Body)
	if err != nil {
		t.Fatal(err)
	}
	return res.StatusCode, faultIn(res.Status, b)
}

// putHead is the head of a request to put a checkpoint.
func putHead(k checkpoint.Kept, length int) string {
	q := query{task: k.Task, generation: k.Generation, follows: k.Follows}
	return fmt.Sprintf("PUT /jobs/%s/checkpoints?%v HTTP/1.1\r\nHost: a\r\nContent-Length: %d\r\n\r\n", testJob, q, length)
}
