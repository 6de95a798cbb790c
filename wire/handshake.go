package wire

import (
	"encoding/binary"
	"errors"
	"fmt"
	"unicode"
	"unicode/utf8"
)

// Every connection begins with a handshake: hello, hello, proof, proof, or a
// refusal in the place of any of them. What the values mean and how proofs are
// computed is engine/auth's business; here is how they lie in bytes. A message
// is a header and a body, little-endian:
//
//	offset  bytes  field                     offset  bytes  field
//	     0      4  magic "spHS"
//	     4      1  protocol 1                hello
//	     5      1  kind: 1 hello,                 8      1  role: 1 initiator, 2 acceptor
//	               2 proof, 3 refusal             9      1  purpose: 1 control, 2 data,
//	     6      2  bytes of the body                        3 backup
//	     8         body                          10      6  0
//	                                             16      8  incarnation
//	                                             24     16  cluster, 0 where it is not known
//	proof                                        40     32  nonce
//	     8     32  the proof                     72         note, at most 4 KiB
//
//	refusal
//	     8      1  reason, not 0
//	     9      3  0
//	    12         detail for people: printable UTF-8, at most 512 bytes
//
// The header and the refusal are the same in every version of the protocol, so
// that two processes of different versions can tell each other that they are.
const (
	// Protocol is the version of what processes say to each other, in the
	// handshake and after it. Both ends must have the same.
	Protocol uint8 = 1

	// HandshakeHeader is the size of a message's header in bytes.
	HandshakeHeader = 8
	// HelloSize is the size in bytes of a hello without a note.
	HelloSize = HandshakeHeader + 64
	// ProofSize is the size of a proof message in bytes.
	ProofSize = HandshakeHeader + 32
	// RefusalSize is the size in bytes of a refusal without a detail.
	RefusalSize = HandshakeHeader + 4
	// NoteMax is the largest note in bytes: enough to name a job and two loops
	// many times over, and little enough to hold for a stranger.
	NoteMax = 4 << 10
	// DetailMax is the largest detail of a refusal in bytes: a long sentence.
	DetailMax = 512
	// HandshakeMax is the largest message in bytes.
	HandshakeMax = HelloSize + NoteMax

	handshakeMagic = "spHS"
)

// Offsets of the fields in the picture above.
const (
	offProtocol      = 4
	offMessage       = 5
	offBody          = 6
	offRole          = 8
	offPurpose       = 9
	offHelloZero     = 10
	offIncarnation   = 16
	offCluster       = 24
	offNonce         = 40
	offRefusalReason = 8
	offRefusalZero   = 9
)

// ErrNotHandshake is what ParseHandshakeHeader returns for bytes that do not
// begin with the magic: whoever sent them does not speak this protocol in any
// version.
var ErrNotHandshake = errors.New(`not a spate handshake: want "spHS" first`)

// HandshakeError says why bytes from outside are not a message of a handshake.
// Its offset counts from the message's first byte.
type HandshakeError struct {
	Offset int
	Reason string
}

// Error implements error.
func (e *HandshakeError) Error() string {
	return fmt.Sprintf("bad handshake message at offset %d: %s", e.Offset, e.Reason)
}

func handshakeErrorf(offset int, format string, args ...any) error {
	return &HandshakeError{Offset: offset, Reason: fmt.Sprintf(format, args...)}
}

// Message says what a message of a handshake is.
type Message uint8

// The kinds of messages.
const (
	HelloMessage   Message = 1
	ProofMessage   Message = 2
	RefusalMessage Message = 3
)

// String returns the kind's name.
func (m Message) String() string {
	switch m {
	case HelloMessage:
		return "hello"
	case ProofMessage:
		return "proof"
	case RefusalMessage:
		return "refusal"
	}
	return fmt.Sprintf("message of kind %d", uint8(m))
}

// Role says which end of a connection speaks.
type Role uint8

// The ends of a connection.
const (
	Initiator Role = 1 // who dialled
	Acceptor  Role = 2 // who listened
)

// String returns the role's name.
func (r Role) String() string {
	switch r {
	case Initiator:
		return "initiator"
	case Acceptor:
		return "acceptor"
	}
	return fmt.Sprintf("role %d", uint8(r))
}

// Purpose says what a connection is for.
type Purpose uint8

// The purposes of connections.
const (
	PurposeControl Purpose = 1 // messages between coordinator and workers
	PurposeData    Purpose = 2 // frames between loops
	PurposeBackup  Purpose = 3 // checkpoints between workers
)

// Valid reports whether the purpose is one of these.
func (p Purpose) Valid() bool { return p >= PurposeControl && p <= PurposeBackup }

// String returns the purpose's name.
func (p Purpose) String() string {
	switch p {
	case PurposeControl:
		return "control"
	case PurposeData:
		return "data"
	case PurposeBackup:
		return "backup"
	}
	return fmt.Sprintf("purpose %d", uint8(p))
}

// HandshakeHead is the header of a message of any version.
type HandshakeHead struct {
	Protocol uint8
	Message  Message
	Body     int // bytes after the header, at most HandshakeMax-HandshakeHeader
}

// Size returns the bytes of the whole message.
func (h HandshakeHead) Size() int { return HandshakeHeader + h.Body }

// ParseHandshakeHeader judges the first HandshakeHeader bytes of a message, so
// that a receiver knows how much to read. It returns ErrNotHandshake, or a
// *HandshakeError where the length is not one of that kind. Of messages of other
// versions it judges nothing but the largest length, refusals excepted: the
// caller compares Protocol.
func ParseHandshakeHeader(src []byte) (HandshakeHead, error) {
	if len(src) < HandshakeHeader {
		return HandshakeHead{}, handshakeErrorf(len(src), "%d bytes, a header has %d", len(src), HandshakeHeader)
	}
	if string(src[:offProtocol]) != handshakeMagic {
		return HandshakeHead{}, ErrNotHandshake
	}
	h := HandshakeHead{src[offProtocol], Message(src[offMessage]), int(binary.LittleEndian.Uint16(src[offBody:]))}
	least, most := 0, HandshakeMax
	switch {
	case h.Message == RefusalMessage:
		least, most = RefusalSize, RefusalSize+DetailMax
	case h.Protocol != Protocol: // whatever it is, it is short enough to be read and refused
	case h.Message == HelloMessage:
		least = HelloSize
	case h.Message == ProofMessage:
		least, most = ProofSize, ProofSize
	default:
		return HandshakeHead{}, handshakeErrorf(offMessage, "%v, want %d to %d", h.Message, HelloMessage, RefusalMessage)
	}
	if h.Size() < least || h.Size() > most {
		return HandshakeHead{}, handshakeErrorf(offBody, "%v of %d bytes, want %d to %d", h.Message, h.Size(), least, most)
	}
	return h, nil
}

// parseMessage judges the header of a whole message of this version, which
// must be of the given kind and end where the header says.
func parseMessage(msg []byte, want Message) error {
	h, err := ParseHandshakeHeader(msg)
	switch {
	case err != nil:
		return err
	case h.Message != want:
		return handshakeErrorf(offMessage, "%v, want %v", h.Message, want)
	case h.Protocol != Protocol && want != RefusalMessage:
		return handshakeErrorf(offProtocol, "protocol %d, want %d", h.Protocol, Protocol)
	case h.Size() != len(msg):
		return handshakeErrorf(offBody, "%v of %d bytes by its header, has %d", h.Message, h.Size(), len(msg))
	}
	return nil
}

// printable reports whether a character may stand in a log line.
func printable(c rune) bool { return c != utf8.RuneError && unicode.IsPrint(c) }

func appendHeader(dst []byte, m Message, body int) []byte {
	dst = append(dst, handshakeMagic...)
	dst = append(dst, Protocol, uint8(m))
	return binary.LittleEndian.AppendUint16(dst, uint16(body))
}

// checkZeros judges bytes that have no meaning.
func checkZeros(msg []byte, from, to int) error {
	for i, b := range msg[from:to] {
		if b != 0 {
			return handshakeErrorf(from+i, "reserved byte is %#02x, want 0", b)
		}
	}
	return nil
}

// Hello is what each end says of itself before anything is proven.
type Hello struct {
	Role        Role
	Purpose     Purpose
	Incarnation uint64
	Cluster     [16]byte // 0: not known
	Nonce       [32]byte
	Note        []byte // at most NoteMax bytes
}

// Append appends the message. It panics when the role or the purpose is none of
// ours or the note is too large: callers check what comes from outside.
func (h Hello) Append(dst []byte) []byte {
	if err := h.check(); err != nil {
		panic(fmt.Sprintf("BUG: sending %+v: %v", h, err))
	}
	dst = appendHeader(dst, HelloMessage, HelloSize-HandshakeHeader+len(h.Note))
	dst = append(dst, uint8(h.Role), uint8(h.Purpose), 0, 0, 0, 0, 0, 0)
	dst = binary.LittleEndian.AppendUint64(dst, h.Incarnation)
	dst = append(dst, h.Cluster[:]...)
	dst = append(dst, h.Nonce[:]...)
	return append(dst, h.Note...)
}

// ParseHello reads a whole hello message, or returns ErrNotHandshake or a
// *HandshakeError. The note borrows msg.
func ParseHello(msg []byte) (Hello, error) {
	if err := parseMessage(msg, HelloMessage); err != nil {
		return Hello{}, err
	}
	if err := checkZeros(msg, offHelloZero, offIncarnation); err != nil {
		return Hello{}, err
	}
	h := Hello{
		Role:        Role(msg[offRole]),
		Purpose:     Purpose(msg[offPurpose]),
		Incarnation: binary.LittleEndian.Uint64(msg[offIncarnation:]),
		Cluster:     [16]byte(msg[offCluster:offNonce]),
		Nonce:       [32]byte(msg[offNonce:HelloSize]),
		Note:        msg[HelloSize:len(msg):len(msg)],
	}
	if err := h.check(); err != nil {
		return Hello{}, err
	}
	return h, nil
}

func (h Hello) check() error {
	if h.Role != Initiator && h.Role != Acceptor {
		return handshakeErrorf(offRole, "%v, want %d or %d", h.Role, Initiator, Acceptor)
	}
	if !h.Purpose.Valid() {
		return handshakeErrorf(offPurpose, "%v, want %d to %d", h.Purpose, PurposeControl, PurposeBackup)
	}
	if len(h.Note) > NoteMax {
		return handshakeErrorf(HelloSize, "note of %d bytes, at most %d", len(h.Note), NoteMax)
	}
	return nil
}

// AppendProof appends the message that carries a proof.
func AppendProof(dst []byte, proof [32]byte) []byte {
	return append(appendHeader(dst, ProofMessage, len(proof)), proof[:]...)
}

// ParseProof reads a whole proof message, or returns ErrNotHandshake or a
// *HandshakeError.
func ParseProof(msg []byte) ([32]byte, error) {
	if err := parseMessage(msg, ProofMessage); err != nil {
		return [32]byte{}, err
	}
	return [32]byte(msg[HandshakeHeader:]), nil
}

// Refusal is the last thing that is said where a handshake fails. Nothing proves
// who said it: it may be reported, and nothing more.
type Refusal struct {
	Reason uint8 // not 0; engine/auth names them
	Detail string
}

// Append appends the message. Of the detail it keeps what may be sent: DetailMax
// bytes of printable characters. It panics when the reason is 0.
func (r Refusal) Append(dst []byte) []byte {
	if r.Reason == 0 {
		panic("BUG: refusal without a reason")
	}
	detail := make([]byte, 0, min(len(r.Detail), DetailMax))
	for _, c := range r.Detail {
		if !printable(c) {
			c = '?'
		}
		if len(detail)+utf8.RuneLen(c) > DetailMax {
			break
		}
		detail = utf8.AppendRune(detail, c)
	}
	dst = appendHeader(dst, RefusalMessage, RefusalSize-HandshakeHeader+len(detail))
	return append(append(dst, r.Reason, 0, 0, 0), detail...)
}

// ParseRefusal reads a whole refusal, of any version, or returns ErrNotHandshake
// or a *HandshakeError.
func ParseRefusal(msg []byte) (Refusal, error) {
	if err := parseMessage(msg, RefusalMessage); err != nil {
		return Refusal{}, err
	}
	if err := checkZeros(msg, offRefusalZero, RefusalSize); err != nil {
		return Refusal{}, err
	}
	if msg[offRefusalReason] == 0 {
		return Refusal{}, handshakeErrorf(offRefusalReason, "reason 0, want one above")
	}
	detail := string(msg[RefusalSize:])
	for i, c := range detail {
		if !printable(c) {
			return Refusal{}, handshakeErrorf(RefusalSize+i, "detail has %U, want printable UTF-8", c)
		}
	}
	return Refusal{Reason: msg[offRefusalReason], Detail: detail}, nil
}
