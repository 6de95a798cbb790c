package auth

import (
	"crypto/rand"
	"encoding/hex"
	"fmt"
	"slices"

	"github.com/fullspate/spate/wire"
)

// Hello is what a process says of itself when a connection opens. All of it is authenticated and none of it is secret.
type Hello struct {
	Cluster     string       // 32 lower-case hexadecimal digits (see NewCluster), or "" where it is not known
	Incarnation uint64       // of the process, random; 0 where it has none, such as a client's
	Purpose     wire.Purpose // of the connection. The initiator chooses; what an acceptor sets is ignored
	Note        []byte       // at most wire.NoteMax bytes that mean something to the other end
}

// Peer is the other end of an authenticated connection.
type Peer struct {
	Hello
	// Session is a key that only the two ends know, another one for each connection. Sealing of frames will take its
	// keys from it; nothing does so today.
	Session [32]byte
	Addr    string // for people: host:port, the path of a socket, or the process at its other end
}

// NewCluster makes an id for a new cluster.
func NewCluster() string {
	var id [16]byte
	_, _ = rand.Read(id[:]) // never fails: see crypto/rand
	return hex.EncodeToString(id[:])
}

// encode returns the hello as it is sent, with a fresh nonce, or what is wrong with it.
func (h Hello) encode(role wire.Role) (wire.Hello, error) {
	w := wire.Hello{Role: role, Purpose: h.Purpose, Incarnation: h.Incarnation, Note: h.Note}
	_, _ = rand.Read(w.Nonce[:])
	if role == wire.Initiator && !h.Purpose.Valid() {
		return w, fmt.Errorf("hello for %v: want wire.PurposeControl, wire.PurposeData or wire.PurposeBackup", h.Purpose)
	}
	if len(h.Note) > wire.NoteMax {
		return w, fmt.Errorf("hello with a note of %d bytes: want at most %d", len(h.Note), wire.NoteMax)
	}
	if h.Cluster == "" {
		return w, nil
	}
	id, err := hex.DecodeString(h.Cluster)
	if err != nil || copy(w.Cluster[:], id) != len(id) || clusterName(w.Cluster) != h.Cluster {
		return w, fmt.Errorf("hello of cluster %q: want 32 lower-case hexadecimal digits, not all 0", h.Cluster)
	}
	return w, nil
}

// decode copies what the peer sent out of the buffer it lies in.
func decode(w wire.Hello) Hello {
	return Hello{Cluster: clusterName(w.Cluster), Incarnation: w.Incarnation, Purpose: w.Purpose, Note: slices.Clone(w.Note)}
}

func clusterName(id [16]byte) string {
	if id == [16]byte{} {
		return ""
	}
	return hex.EncodeToString(id[:])
}

// Policy is whom a server lets in, of those who know the secret.
type Policy struct {
	// Newcomers lets in initiators that name no cluster. They learn its id from the server's hello.
	Newcomers bool
	// Purposes are what connections may be for; empty: anything.
	Purposes []wire.Purpose
}

// judgeInitiator says what is wrong with the hello that an acceptor got.
func (p Policy) judgeInitiator(own, theirs wire.Hello) error {
	if err := judgeSource(own, theirs); err != nil {
		return err
	}
	switch newcomer := theirs.Cluster == [16]byte{}; {
	case newcomer && !p.Newcomers:
		return refuse(WrongCluster, "the initiator names no cluster: want %q", clusterName(own.Cluster))
	case !newcomer && theirs.Cluster != own.Cluster:
		return refuse(WrongCluster, "the initiator belongs to cluster %q, the acceptor to %q",
			clusterName(theirs.Cluster), clusterName(own.Cluster))
	case len(p.Purposes) > 0 && !slices.Contains(p.Purposes, theirs.Purpose):
		return refuse(WrongPurpose, "connections for %v are not accepted here: want %v", theirs.Purpose, p.Purposes)
	}
	return nil
}

// judgeAcceptor says what is wrong with the hello that an initiator got.
func judgeAcceptor(own, theirs wire.Hello) error {
	if err := judgeSource(own, theirs); err != nil {
		return err
	}
	switch {
	case own.Cluster != [16]byte{} && theirs.Cluster != own.Cluster:
		return refuse(WrongCluster, "the acceptor belongs to cluster %q, the initiator to %q",
			clusterName(theirs.Cluster), clusterName(own.Cluster))
	case theirs.Purpose != own.Purpose:
		return refuse(Malformed, "the acceptor answers for %v to a hello for %v", theirs.Purpose, own.Purpose)
	}
	return nil
}

// judgeSource says whether a hello comes from somebody else.
func judgeSource(own, theirs wire.Hello) error {
	if theirs.Role == own.Role {
		return refuse(Reflected, "both ends speak as the %v: messages come back, or two ends have dialled each other", own.Role)
	}
	if own.Incarnation != 0 && theirs.Incarnation == own.Incarnation {
		return refuse(Reflected, "both ends have the incarnation %#x: want the address of another process", own.Incarnation)
	}
	return nil
}
