package wire

import (
	"bytes"
	"encoding/binary"
	"fmt"
)

// Two loops of different processes talk in messages: an envelope of 16 bytes and its body. Bodies are multiples of 8 bytes,
// so that a frame, which is one kind of body, is as aligned as what precedes it. All that has no meaning is 0.
//
//	envelope            offset  bytes  field
//	                         0      1  kind: 1 frame, 2 frontiers, 3 acks, 4 open, 5 fault, 6 asks, 7 closes
//	                         1      3  0
//	                         4      4  channel; 0 where the kind has none
//	                         8      4  bytes of the body, a multiple of 8
//	                        12      4  0
//
//	body of a frame          a sealed frame of the channel
//	body of frontiers        groups, each followed by its exceptions:
//	  group                  0      4  upstream task
//	                         4      4  number of exceptions; bit 31: the end is known
//	                         8      8  frontier
//	                        16      8  logical end of the input, 0 if it is not known
//	  exception              0      4  channel
//	                         4      4  0
//	                         8      8  frontier
//	body of acks             0      4  channel                      of each entry
//	                         4      4  0
//	                         8      8  acknowledged time
//	                        16      8  bytes granted since the channel was opened
//	body of open             0      4  channel                      of each entry
//	                         4      4  0
//	                         8      8  time from which everything is wanted
//	                        16      8  bytes granted
//	body of asks             0      4  channel                      of each entry
//	                         4      4  0
//	body of closes           0      4  channel                      of each entry
//	                         4      4  0
//	body of a fault          text in UTF-8, and zeros up to a multiple of 8
const (
	// EnvelopeBytes is the size of an envelope.
	EnvelopeBytes = 16
	// GroupBytes is the size of a group of frontiers without its exceptions.
	GroupBytes = 24
	// ExceptionBytes is the size of an exception.
	ExceptionBytes = 16
	// AckBytes is the size of an entry of acks.
	AckBytes = 24
	// OpenBytes is the size of an entry of open.
	OpenBytes = 24
	// AskBytes is the size of an entry of asks.
	AskBytes = 8
	// CloseBytes is the size of an entry of closes.
	CloseBytes = 8
	// FaultBytesMax is the largest body of a fault: a sentence or two, and nothing that a peer could fill memory with.
	FaultBytesMax = 1 << 10

	endKnown = 1 << 31
	// ExceptionsMax is the largest number of exceptions of a group.
	ExceptionsMax = endKnown - 1
)

// EnvelopeKind says what the body of a message is.
type EnvelopeKind uint8

// The kinds of message.
const (
	EnvelopeFrame     EnvelopeKind = 1 // tuples of one channel
	EnvelopeFrontiers EnvelopeKind = 2 // how far channels are that have nothing more to send for now
	EnvelopeAcks      EnvelopeKind = 3 // what the receiver has consumed, and what it has room for
	EnvelopeOpen      EnvelopeKind = 4 // what the receiver wants
	EnvelopeFault     EnvelopeKind = 5 // why the sender is about to close the connection
	EnvelopeAsks      EnvelopeKind = 6 // which logs are half full and wait for checkpoints of those who read them
	EnvelopeCloses    EnvelopeKind = 7 // which openings are over
)

// String names the kind.
func (k EnvelopeKind) String() string {
	switch k {
	case EnvelopeFrame:
		return "frame"
	case EnvelopeFrontiers:
		return "frontiers"
	case EnvelopeAcks:
		return "acks"
	case EnvelopeOpen:
		return "open"
	case EnvelopeFault:
		return "fault"
	case EnvelopeAsks:
		return "asks"
	case EnvelopeCloses:
		return "closes"
	}
	return "unknown"
}

// EnvelopeError says why bytes from outside are not an envelope or its body. Its offset counts from the first byte that
// was to be parsed; who reads adds peer and place.
type EnvelopeError struct {
	Offset int
	Reason string
}

// Error implements error.
func (e *EnvelopeError) Error() string {
	return fmt.Sprintf("bad message at offset %d: %s", e.Offset, e.Reason)
}

func envelopeErrorf(offset int, format string, args ...any) error {
	return &EnvelopeError{Offset: offset, Reason: fmt.Sprintf(format, args...)}
}

// Envelope precedes the body of a message.
type Envelope struct {
	Kind    EnvelopeKind
	Channel uint32 // of a frame, and of a fault that concerns one; 0 otherwise
	Bytes   uint32 // of the body
}

// Append appends the envelope's bytes to dst.
func (e Envelope) Append(dst []byte) []byte {
	dst = append(dst, byte(e.Kind), 0, 0, 0)
	dst = binary.LittleEndian.AppendUint32(dst, e.Channel)
	dst = binary.LittleEndian.AppendUint32(dst, e.Bytes)
	return append(dst, 0, 0, 0, 0)
}

// ParseEnvelope reads an envelope from the first EnvelopeBytes of src, or returns an *EnvelopeError. How long a body may be
// is for the receiver to judge, who knows what it has declared.
func ParseEnvelope(src []byte) (Envelope, error) {
	if len(src) < EnvelopeBytes {
		return Envelope{}, envelopeErrorf(len(src), "%d bytes, an envelope has %d", len(src), EnvelopeBytes)
	}
	le := binary.LittleEndian
	e := Envelope{Kind: EnvelopeKind(src[0]), Channel: le.Uint32(src[4:]), Bytes: le.Uint32(src[8:])}
	switch {
	case e.Kind < EnvelopeFrame || e.Kind > EnvelopeCloses:
		return Envelope{}, envelopeErrorf(0, "kind %d, want %d to %d", e.Kind, EnvelopeFrame, EnvelopeCloses)
	case src[1]|src[2]|src[3] != 0:
		return Envelope{}, envelopeErrorf(1, "bytes after the kind are %#x, want 0", src[1:4])
	case e.Channel != 0 && e.Kind != EnvelopeFrame && e.Kind != EnvelopeFault:
		return Envelope{}, envelopeErrorf(4, "channel %d of a message of kind %v, which has none", e.Channel, e.Kind)
	case e.Bytes%8 != 0:
		return Envelope{}, envelopeErrorf(8, "body of %d bytes, want a multiple of 8", e.Bytes)
	}
	return e, zeroWord(src, 12)
}

// zeroWord judges four bytes that have no meaning.
func zeroWord(src []byte, off int) error {
	if w := binary.LittleEndian.Uint32(src[off:]); w != 0 {
		return envelopeErrorf(off, "word is %#08x, want 0", w)
	}
	return nil
}

// FrontierGroup says that nothing below Frontier will come on any channel of an upstream task, but for the exceptions that
// follow it, which have frontiers of their own.
type FrontierGroup struct {
	Task       uint32
	Exceptions uint32 // at most ExceptionsMax
	Frontier   Time
	End        Time // logical end of the task's input, if Ending
	Ending     bool // it is known
}

// Append appends the group's bytes to dst, without its exceptions.
func (g FrontierGroup) Append(dst []byte) []byte {
	le := binary.LittleEndian
	count, end := g.Exceptions, Time(0)
	if g.Ending {
		count, end = count|endKnown, g.End
	}
	dst = le.AppendUint32(dst, g.Task)
	dst = le.AppendUint32(dst, count)
	dst = le.AppendUint64(dst, uint64(g.Frontier))
	return le.AppendUint64(dst, uint64(end))
}

// ParseFrontierGroup reads a group from the start of src and returns it and what follows, which has room for its
// exceptions, or an *EnvelopeError.
func ParseFrontierGroup(src []byte) (g FrontierGroup, rest []byte, err error) {
	if len(src) < GroupBytes {
		return g, src, envelopeErrorf(len(src), "%d bytes, a group has %d", len(src), GroupBytes)
	}
	le := binary.LittleEndian
	count := le.Uint32(src[4:])
	g = FrontierGroup{
		Task: le.Uint32(src), Exceptions: count &^ endKnown, Ending: count&endKnown != 0,
		Frontier: Time(le.Uint64(src[8:])), End: Time(le.Uint64(src[16:])),
	}
	rest = src[GroupBytes:]
	switch {
	case !g.Ending && g.End != 0:
		return g, src, envelopeErrorf(16, "end %v of an input whose end is not known, want 0", g.End)
	case uint64(g.Exceptions)*ExceptionBytes > uint64(len(rest)):
		return g, src, envelopeErrorf(4, "%d exceptions, the body has %d bytes left", g.Exceptions, len(rest))
	}
	return g, rest, nil
}

// FrontierException is the frontier of a channel for which that of its group does not hold.
type FrontierException struct {
	Channel  uint32
	Frontier Time
}

// Append appends the exception's bytes to dst.
func (e FrontierException) Append(dst []byte) []byte {
	dst = binary.LittleEndian.AppendUint64(dst, uint64(e.Channel))
	return binary.LittleEndian.AppendUint64(dst, uint64(e.Frontier))
}

// ParseFrontierException reads an exception from the start of src and returns it and what follows, or an *EnvelopeError.
func ParseFrontierException(src []byte) (e FrontierException, rest []byte, err error) {
	if len(src) < ExceptionBytes {
		return e, src, envelopeErrorf(len(src), "%d bytes, an exception has %d", len(src), ExceptionBytes)
	}
	le := binary.LittleEndian
	e = FrontierException{Channel: le.Uint32(src), Frontier: Time(le.Uint64(src[8:]))}
	return e, src[ExceptionBytes:], zeroWord(src, 4)
}

// AckEntry tells a sender that everything below Acked is consumed (and in a checkpoint, where checkpoints are taken), and how
// many bytes of frames it may have sent in all since the channel was opened. Acked is TimeMax once that holds for the end of
// the stream.
type AckEntry struct {
	Channel uint32
	Acked   Time
	Granted uint64
}

// Append appends the entry's bytes to dst.
func (a AckEntry) Append(dst []byte) []byte { return appendEntry(dst, a.Channel, a.Acked, a.Granted) }

// ParseAckEntry reads an entry from the start of src and returns it and what follows, or an *EnvelopeError.
func ParseAckEntry(src []byte) (a AckEntry, rest []byte, err error) {
	a.Channel, a.Acked, a.Granted, rest, err = parseEntry(src)
	return a, rest, err
}

// OpenEntry asks for everything of a channel at or after From, of which Granted bytes may be sent before more is granted.
// From is TimeMax where the receiver has the whole stream.
type OpenEntry struct {
	Channel uint32
	From    Time
	Granted uint64
}

// Append appends the entry's bytes to dst.
func (o OpenEntry) Append(dst []byte) []byte { return appendEntry(dst, o.Channel, o.From, o.Granted) }

// ParseOpenEntry reads an entry from the start of src and returns it and what follows, or an *EnvelopeError.
func ParseOpenEntry(src []byte) (o OpenEntry, rest []byte, err error) {
	o.Channel, o.From, o.Granted, rest, err = parseEntry(src)
	return o, rest, err
}

// AppendAsk appends an entry of asks: the log of the channel is half full, and a checkpoint of its consumer is wanted.
func AppendAsk(dst []byte, channel uint32) []byte {
	return binary.LittleEndian.AppendUint64(dst, uint64(channel))
}

// ParseAsk reads an entry from the start of src and returns its channel and what follows, or an *EnvelopeError.
func ParseAsk(src []byte) (channel uint32, rest []byte, err error) { return parseChannel(src) }

// AppendClose appends an entry of closes: the oldest opening of the channel that is not closed is over. Frames and frontiers of
// the channel that follow belong to the next one.
func AppendClose(dst []byte, channel uint32) []byte {
	return binary.LittleEndian.AppendUint64(dst, uint64(channel))
}

// ParseClose reads an entry from the start of src and returns its channel and what follows, or an *EnvelopeError.
func ParseClose(src []byte) (channel uint32, rest []byte, err error) { return parseChannel(src) }

func parseChannel(src []byte) (channel uint32, rest []byte, err error) {
	if len(src) < AskBytes {
		return 0, src, envelopeErrorf(len(src), "%d bytes, an entry has %d", len(src), AskBytes)
	}
	return binary.LittleEndian.Uint32(src), src[AskBytes:], zeroWord(src, 4)
}

func appendEntry(dst []byte, channel uint32, t Time, granted uint64) []byte {
	le := binary.LittleEndian
	dst = le.AppendUint64(dst, uint64(channel))
	dst = le.AppendUint64(dst, uint64(t))
	return le.AppendUint64(dst, granted)
}

func parseEntry(src []byte) (channel uint32, t Time, granted uint64, rest []byte, err error) {
	if len(src) < AckBytes {
		return 0, 0, 0, src, envelopeErrorf(len(src), "%d bytes, an entry has %d", len(src), AckBytes)
	}
	le := binary.LittleEndian
	return le.Uint32(src), Time(le.Uint64(src[8:])), le.Uint64(src[16:]), src[AckBytes:], zeroWord(src, 4)
}

// AppendFault appends a whole message that says why its sender closes the connection. Text beyond FaultBytesMax is cut off.
func AppendFault(dst []byte, channel uint32, text string) []byte {
	text = text[:min(len(text), FaultBytesMax)]
	size := (len(text) + 7) &^ 7
	dst = Envelope{Kind: EnvelopeFault, Channel: channel, Bytes: uint32(size)}.Append(dst)
	dst = append(dst, text...)
	return append(dst, make([]byte, size-len(text))...)
}

// FaultText is the text in the body of a fault, made valid UTF-8.
func FaultText(body []byte) string {
	return string(bytes.ToValidUTF8(bytes.TrimRight(body, "\x00"), []byte("?")))
}
