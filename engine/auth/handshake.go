package auth

import (
	"context"
	"crypto/subtle"
	"errors"
	"fmt"
	"io"
	"net"
	"time"

	"github.com/fullspate/spate/wire"
)

const (
	// TimeoutDefault is how long a handshake may take where nothing else is said: two round trips, on a machine that is
	// saturated and answers up to 400 ms late.
	TimeoutDefault = 2 * time.Second
	// refusalWait is how long a refusal may take to be written. It fits a fresh socket's buffer, so that the write itself
	// does not wait; but a saturated machine may take that long to get to it.
	refusalWait = 250 * time.Millisecond
)

// longAgo is a deadline that has passed.
var longAgo = time.Unix(1, 0)

// ErrNoSecret is returned where the zero Secret was given.
var ErrNoSecret = errors.New("no secret: want one from --secret-file or " + SecretEnv)

// Client opens a connection as its initiator. It is bounded by ctx, and by TimeoutDefault where ctx has no deadline. It
// returns who the acceptor is, or an error: a *Refused, unless secret or hello are at fault. After an error the connection
// is of no use but to be closed, which is up to the caller.
func Client(ctx context.Context, conn net.Conn, secret Secret, hello Hello) (Peer, error) {
	return shake(ctx, conn, secret, hello, wire.Initiator, (*exchange).initiate)
}

// Server opens a connection as its acceptor; otherwise it is like Client. Where ctx is cancelled with a *Refused as its
// cause, that is what the peer is told.
func Server(ctx context.Context, conn net.Conn, secret Secret, hello Hello, policy Policy) (Peer, error) {
	return shake(ctx, conn, secret, hello, wire.Acceptor, func(x *exchange) error { return x.accept(policy) })
}

// exchange is a handshake under way, as one end sees it.
type exchange struct {
	conn   net.Conn
	secret Secret
	own    wire.Hello
	theirs wire.Hello
	keys   keys
}

// shake runs one end's steps within ctx, and tells the peer if they come to nothing.
func shake(ctx context.Context, conn net.Conn, secret Secret, hello Hello, role wire.Role, steps func(*exchange) error) (Peer, error) {
	if secret.IsZero() {
		return Peer{}, ErrNoSecret
	}
	own, err := hello.encode(role)
	if err != nil {
		return Peer{}, err
	}
	if _, ok := ctx.Deadline(); !ok {
		var cancel context.CancelFunc
		ctx, cancel = context.WithTimeout(ctx, TimeoutDefault)
		defer cancel()
	}
	x := &exchange{conn: conn, secret: secret, own: own}
	release := leash(ctx, conn)
	err = steps(x)
	if !release() {
		err = interruption(ctx, err)
	}
	if err != nil {
		if r, ok := errors.AsType[*Refused](err); ok && r.speaks() {
			tell(conn, r)
		}
		return Peer{}, fmt.Errorf("handshake with %s: %w", peerName(conn), err)
	}
	return Peer{Hello: decode(x.theirs), Session: x.keys.session, Addr: peerName(conn)}, nil
}

// leash ties a connection to a context: once ctx is done, reads and writes fail. Release unties it and reports whether it
// still holds; if not, what was done to the connection is done by then.
func leash(ctx context.Context, conn net.Conn) (release func() bool) {
	done := make(chan struct{})
	stop := context.AfterFunc(ctx, func() {
		_ = conn.SetDeadline(longAgo) // fails on a closed connection, which is as good
		close(done)
	})
	return func() bool {
		if stop() {
			return true
		}
		<-done
		return false
	}
}

// interruption is the error of a handshake whose context ended, perhaps together with err.
func interruption(ctx context.Context, err error) error {
	r, ok := errors.AsType[*Refused](err)
	if ok && r.Reason != Broken {
		return err // it had failed anyway
	}
	cause := context.Cause(ctx)
	if given, ok := errors.AsType[*Refused](cause); ok {
		return given
	}
	refused := &Refused{Reason: Stopping, Err: cause}
	if errors.Is(cause, context.DeadlineExceeded) {
		refused.Reason = Timeout
	}
	if r != nil {
		refused.Detail = r.Detail
	}
	return refused
}

// tell writes a refusal, if that is possible at once.
func tell(conn net.Conn, r *Refused) {
	if conn.SetDeadline(time.Now().Add(refusalWait)) == nil {
		_, _ = conn.Write(wire.Refusal{Reason: uint8(r.Reason), Detail: r.Detail}.Append(nil)) // the peer is gone: so be it
	}
}

// initiate is the initiator's side of the picture in doc.go.
func (x *exchange) initiate() error {
	own := x.own.Append(nil)
	if err := x.write(own); err != nil {
		return err
	}
	theirs, err := x.readHello()
	if err != nil {
		return err
	}
	if err := judgeAcceptor(x.own, x.theirs); err != nil {
		return err
	}
	x.keys = deriveKeys(x.secret, own, theirs)
	if err := x.write(wire.AppendProof(nil, x.keys.proofs[wire.Initiator])); err != nil {
		return err
	}
	return x.readProof(wire.Acceptor)
}

// accept is the acceptor's side of it.
func (x *exchange) accept(policy Policy) error {
	theirs, err := x.readHello()
	if err != nil {
		return err
	}
	if err := policy.judgeInitiator(x.own, x.theirs); err != nil {
		return err
	}
	x.own.Purpose = x.theirs.Purpose
	own := x.own.Append(nil)
	if err := x.write(own); err != nil {
		return err
	}
	x.keys = deriveKeys(x.secret, theirs, own)
	if err := x.readProof(wire.Initiator); err != nil {
		return err
	}
	return x.write(wire.AppendProof(nil, x.keys.proofs[wire.Acceptor]))
}

func (x *exchange) readHello() (msg []byte, err error) {
	if msg, err = x.read(wire.HelloMessage, wire.HelloSize); err != nil {
		return nil, err
	}
	if x.theirs, err = wire.ParseHello(msg); err != nil {
		return nil, refuse(Malformed, "%v", err)
	}
	return msg, nil
}

func (x *exchange) readProof(of wire.Role) error {
	msg, err := x.read(wire.ProofMessage, wire.ProofSize)
	if err != nil {
		return err
	}
	proof, err := wire.ParseProof(msg)
	if err != nil {
		return refuse(Malformed, "%v", err)
	}
	if subtle.ConstantTimeCompare(proof[:], x.keys.proofs[of][:]) != 1 {
		return refuse(WrongSecret, "the %v's proof does not fit: both ends need the same secret (--secret-file, %s), "+
			"and recorded or altered handshakes fit nowhere", of, SecretEnv)
	}
	return nil
}

// read reads one whole message, which should be of the wanted kind; least is the size of the smallest such. It takes no byte
// beyond a message that is as wanted, and needs one system call for it if it has come. The length is judged before memory is
// found for it.
func (x *exchange) read(want wire.Message, least int) ([]byte, error) {
	msg := make([]byte, least)
	n, err := io.ReadAtLeast(x.conn, msg, wire.HandshakeHeader)
	if err != nil {
		return nil, x.broken(want, n, err)
	}
	head, err := wire.ParseHandshakeHeader(msg[:n])
	switch {
	case errors.Is(err, wire.ErrNotHandshake):
		return nil, refuse(BadMagic, "%v", err)
	case err != nil:
		return nil, refuse(Malformed, "%v", err)
	}
	if size := head.Size(); size > n {
		msg = append(msg[:n], make([]byte, size-n)...)
		m, err := io.ReadFull(x.conn, msg[n:])
		if err != nil {
			return nil, x.broken(want, n+m, err)
		}
	}
	msg = msg[:head.Size()]
	return msg, judgeKind(head, msg, want)
}

// judgeKind says what a message is instead of the one that was waited for.
func judgeKind(head wire.HandshakeHead, msg []byte, want wire.Message) error {
	switch {
	case head.Message == wire.RefusalMessage:
		r, err := wire.ParseRefusal(msg)
		if err != nil {
			return refuse(Malformed, "%v", err)
		}
		return &Refused{Reason: Reason(r.Reason), Detail: r.Detail, Remote: true}
	case head.Protocol != wire.Protocol:
		return refuse(WrongVersion, "one end speaks protocol %d, the other %d: both need the same build", head.Protocol, wire.Protocol)
	case head.Message != want:
		return refuse(Malformed, "%v message, want %v", head.Message, want)
	}
	return nil
}

// broken says how far reading came. Like every detail it is true at both ends, since the peer may be told.
func (x *exchange) broken(want wire.Message, n int, err error) *Refused {
	from := wire.Initiator
	if x.own.Role == wire.Initiator {
		from = wire.Acceptor
	}
	return &Refused{Reason: Broken, Detail: fmt.Sprintf("after %d bytes of the %v's %v", n, from, want), Err: err}
}

// write writes one message. Where the peer no longer listens it may have said why.
func (x *exchange) write(msg []byte) error {
	_, err := x.conn.Write(msg)
	if err == nil {
		return nil
	}
	if _, last := x.read(wire.RefusalMessage, wire.RefusalSize); last != nil {
		if r, ok := errors.AsType[*Refused](last); ok && r.Remote {
			return r
		}
	}
	return &Refused{Reason: Broken, Detail: "the peer does not take what it is sent", Err: err}
}
