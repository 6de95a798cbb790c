package link

import (
	"errors"
	"fmt"

	"github.com/fullspate/spate/wire"
)

// ProtocolError says that a peer sent bytes that the protocol does not allow. It costs the connection, and nothing else.
type ProtocolError struct {
	Peer    string
	Channel int    // that the bytes are about; NoChannel for none
	Offset  uint64 // of the first bad byte in what the connection has carried
	Reason  string
}

// NoChannel is the Channel of a ProtocolError about no channel in particular.
const NoChannel = -1

// Error says who sent what, where.
func (e *ProtocolError) Error() string {
	if e.Channel == NoChannel {
		return fmt.Sprintf("bad bytes from %s at offset %d: %s", e.Peer, e.Offset, e.Reason)
	}
	return fmt.Sprintf("bad bytes from %s at offset %d, channel %d: %s", e.Peer, e.Offset, e.Channel, e.Reason)
}

// FaultError says that the peer is closing the connection, and why.
type FaultError struct {
	Peer   string
	Reason string // in the peer's words
}

// Error says what the peer said.
func (e *FaultError) Error() string {
	return fmt.Sprintf("%s gives the connection up: %s", e.Peer, e.Reason)
}

// misuse is what is wrong with a message, before it is known which and whose.
type misuse struct {
	channel int
	offset  int // in the message's body
	reason  string
}

func (m *misuse) Error() string { return m.reason }

func misusef(channel, offset int, format string, args ...any) error {
	return &misuse{channel, offset, fmt.Sprintf(format, args...)}
}

// at gives a parser's error its channel and its place in the body that was parsed.
func at(channel, offset int, err error) error {
	if e := (*wire.EnvelopeError)(nil); errors.As(err, &e) {
		return &misuse{channel, offset + e.Offset, e.Reason}
	}
	if e := (*wire.FrameError)(nil); errors.As(err, &e) {
		return &misuse{channel, offset + e.Offset, e.Reason}
	}
	return err
}
