package network

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"path/filepath"
	"time"

	"github.com/fullspate/spate/bench/measure"
	"github.com/fullspate/spate/engine"
	"github.com/fullspate/spate/engine/reactor/bare"
)

// The ids of the bare program's two ends, for engine.Config.Pins.
const (
	receiverID = "receiver"
	senderID   = "sender"
)

// BareParams are the parameters of the bare sender.
type BareParams struct {
	Network string `json:"network"` // tcp or unix
	Bytes   int64  `json:"bytes"`   // to be sent and timed, at least 1
	Buffer  int    `json:"buffer"`  // bytes that are sent at a time, 1…1 MiB
}

// check reports every problem at once.
func (p BareParams) check() error {
	errs := []error{checkNetwork(p.Network)}
	if p.Bytes < 1 {
		errs = append(errs, fmt.Errorf("%d bytes to be sent, want at least 1", p.Bytes))
	}
	if p.Buffer < 1 || p.Buffer > 1<<20 {
		errs = append(errs, fmt.Errorf("buffers of %d bytes, want 1…%d", p.Buffer, 1<<20))
	}
	return errors.Join(errs...)
}

// bareResult names what the sender has to tell.
const bareResult = "bare"

// sent is what the sender came to.
type sent struct {
	Bytes int64         `json:"bytes"`
	Took  time.Duration `json:"took"`
}

func (s *sent) merge(o sent) error {
	s.Bytes += o.Bytes
	s.Took += o.Took
	return nil
}

// bareProgram sends bytes with gnet alone from the process of one operator to that of the other, which are where a job has
// put them. The receiver is a source whose only record says where it listens; the sender is a sink that sends while it
// writes that record:
//
//	receiver (source) ── address ──▶ sender (sink)
//	        ▲═══════ 64 KiB buffers ══════╝
func bareProgram() engine.Program {
	return engine.Program{Name: "network-bare", Build: func(env *engine.Env, params json.RawMessage) (*engine.Graph, error) {
		p, err := measure.Decode[BareParams](params)
		if err == nil {
			err = p.check()
		}
		if err != nil {
			return nil, err
		}
		g := engine.NewGraph("network-bare")
		addresses := engine.Source(g, receiverID, engine.SourceSpec[address]{
			Splits: []engine.Split{{Name: receiverID}}, Block: 1,
			Open: func(engine.Split, engine.Offset) (engine.Reader[address], error) { return listen(p.Network) },
		})
		s := &sender{params: p}
		engine.SinkFunc(g, senderID, addresses, s.send)
		env.Result(bareResult, func() (any, error) { return s.sent, nil })
		return g, nil
	}}
}

// address is where a receiver listens.
type address struct {
	Length uint64
	Name   [120]byte // longer than the path of any socket
}

// receiver accepts one connection and lets a bare.Receiver have it.
type receiver struct {
	listener net.Listener
	dir      string // of its own; empty for TCP
	told     bool
	taken    chan error // has one value once the connection is accepted or will never be
	bare     *bare.Receiver
}

func listen(network string) (r *receiver, err error) {
	r = &receiver{taken: make(chan error, 1)}
	name := "127.0.0.1:0"
	if network == "unix" {
		if r.dir, err = os.MkdirTemp("", "spate-bare-"); err != nil {
			return nil, err
		}
		name = filepath.Join(r.dir, "socket")
	}
	if r.listener, err = net.Listen(network, name); err != nil {
		return nil, errors.Join(err, r.clean())
	}
	go func() { r.taken <- r.take() }()
	return r, nil
}

// take waits for the connection.
func (r *receiver) take() error {
	nc, err := r.listener.Accept()
	if err != nil {
		return err
	}
	if err = buffered(nc); err == nil {
		r.bare, err = bare.NewReceiver(nc)
	}
	return err
}

// Read returns the address, and that there is no more.
func (r *receiver) Read(dst []engine.Record[address]) (int, error) {
	if r.told {
		return 0, io.EOF
	}
	r.told = true
	v := &dst[0].Value
	*v = address{}
	name := r.listener.Addr().String()
	if v.Length = uint64(copy(v.Name[:], name)); int(v.Length) < len(name) {
		return 0, fmt.Errorf("the address %s has more than %d bytes", name, len(v.Name))
	}
	return 1, nil
}

// Offset is of no use: nobody reads an address again.
func (r *receiver) Offset() engine.Offset { return engine.Offset{} }

// Close ends the receiving.
func (r *receiver) Close() error {
	errs := []error{r.listener.Close()}
	if err := <-r.taken; err != nil && !errors.Is(err, net.ErrClosed) {
		errs = append(errs, err)
	}
	if r.bare != nil {
		errs = append(errs, r.bare.Close())
	}
	return errors.Join(append(errs, r.clean())...)
}

func (r *receiver) clean() error {
	if r.dir == "" {
		return nil
	}
	return os.RemoveAll(r.dir)
}

// sender sends when it is told where to.
type sender struct {
	params BareParams
	sent   sent
}

// send sends an eighth for warming up, then all, and notes how long that took. The loop waits meanwhile.
func (s *sender) send(c *engine.Ctx, to *address) {
	if err := s.sendTo(string(to.Name[:min(to.Length, uint64(len(to.Name)))])); err != nil {
		c.Fail(fmt.Errorf("bare sender: %w", err))
	}
}

func (s *sender) sendTo(name string) error {
	nc, err := net.Dial(s.params.Network, name)
	if err != nil {
		return err
	}
	if err := buffered(nc); err != nil {
		return errors.Join(err, nc.Close())
	}
	b, err := bare.NewSender(nc, s.params.Buffer)
	if err != nil {
		return errors.Join(err, nc.Close())
	}
	err = b.Send(s.params.Bytes / 8)
	began := time.Now()
	if err == nil {
		err = b.Send(s.params.Bytes)
	}
	s.sent = sent{s.params.Bytes, time.Since(began)}
	return errors.Join(err, b.Close())
}

// socketBytes is what a reactor asks of the kernel for its sockets.
const socketBytes = 4 << 20

// buffered gives a socket the buffers of the engine's own.
func buffered(nc net.Conn) error {
	switch nc := nc.(type) {
	case *net.TCPConn:
		return errors.Join(nc.SetWriteBuffer(socketBytes), nc.SetReadBuffer(socketBytes))
	case *net.UnixConn:
		return nc.SetWriteBuffer(socketBytes)
	}
	return nil
}
