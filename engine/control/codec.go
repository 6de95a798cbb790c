package control

import (
	"encoding/json"
	"fmt"
)

// LineBytesMax bounds a line, newline included. The largest messages carry profiles, results and parameters; reports of a
// thousand tasks take a third of a megabyte.
const LineBytesMax = 16 << 20

// Append appends m as one line, newline included. It fails if a part of m is no JSON or the line is too long.
func Append(dst []byte, m Message) ([]byte, error) {
	body, err := json.Marshal(m)
	if err != nil {
		return dst, fmt.Errorf("message %q: %w", m.kind(), err)
	}
	head := `{"type":"` + m.kind() + `"`
	if len(body) > len(`{}`) {
		head += ","
	}
	body = body[1:] // its opening brace
	if n := len(head) + len(body) + 1; n > LineBytesMax {
		return dst, fmt.Errorf("message %q takes %d bytes, want at most %d", m.kind(), n, LineBytesMax)
	}
	dst = append(dst, head...)
	dst = append(dst, body...)
	return append(dst, '\n'), nil
}

// Decode reads one line, with or without its newline. Members that it does not know are ignored, so that a peer of another
// build can still be told that it does not fit.
func Decode(line []byte) (Message, error) {
	if len(line) > LineBytesMax {
		return nil, fmt.Errorf("a line of %d bytes, want at most %d", len(line), LineBytesMax)
	}
	var head struct {
		Type string `json:"type"`
	}
	if err := json.Unmarshal(line, &head); err != nil {
		return nil, fmt.Errorf("want a JSON object on a line of its own: %w", err)
	}
	m := newMessage(head.Type)
	if m == nil {
		return nil, fmt.Errorf("unknown type %q of message", head.Type)
	}
	if err := json.Unmarshal(line, m); err != nil {
		return nil, fmt.Errorf("message %q: %w", head.Type, err)
	}
	return m, nil
}

// newMessage makes an empty message of a type, nil if there is none of that name.
func newMessage(kind string) Message {
	switch kind {
	case "register":
		return new(Register)
	case "heartbeat":
		return new(Heartbeat)
	case "deployed":
		return new(Deployed)
	case "caught_up":
		return new(CaughtUp)
	case "ended":
		return new(Ended)
	case "peer_lost":
		return new(PeerLost)
	case "profiled":
		return new(Profiled)
	case "registered":
		return new(Registered)
	case "deploy":
		return new(Deploy)
	case "start":
		return new(Start)
	case "end":
		return new(End)
	case "release":
		return new(Release)
	case "profile":
		return new(Profile)
	case "shutdown":
		return new(Shutdown)
	}
	return nil
}
