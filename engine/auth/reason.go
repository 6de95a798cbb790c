package auth

import "fmt"

// Reason says why a handshake came to nothing. The numbers are on the wire and keep their meaning.
type Reason uint8

// The reasons.
const (
	BadMagic     Reason = 1  // the peer speaks something else; it is told nothing
	Malformed    Reason = 2  // a message contradicts the format
	WrongVersion Reason = 3  // the peer speaks another version of the protocol
	WrongCluster Reason = 4  // the peer belongs to another cluster, or to none
	WrongSecret  Reason = 5  // the proof does not fit: another secret, or a recorded or altered handshake
	WrongPurpose Reason = 6  // connections for that purpose are not accepted here
	Reflected    Reason = 7  // the peer is this very process, or sends our messages back
	Timeout      Reason = 8  // the handshake took too long
	TooMany      Reason = 9  // too many connections, or file descriptors, are in use: try again
	Stopping     Reason = 10 // the process is shutting down or has changed its mind
	Broken       Reason = 11 // the connection ended; there is nobody to tell
)

var reasonNames = [...]string{
	BadMagic: "bad magic", Malformed: "malformed", WrongVersion: "wrong version", WrongCluster: "wrong cluster",
	WrongSecret: "wrong secret", WrongPurpose: "wrong purpose", Reflected: "reflected", Timeout: "timeout",
	TooMany: "too many", Stopping: "stopping", Broken: "broken",
}

// String returns the reason in a word or two, as it stands in logs and metrics.
func (r Reason) String() string {
	if r != 0 && int(r) < len(reasonNames) {
		return reasonNames[r]
	}
	return fmt.Sprintf("reason %d", uint8(r))
}

// Refused is the error of a handshake that came to nothing.
type Refused struct {
	Reason Reason
	Detail string // for people: what was wrong and what would be right; may be empty
	// Remote tells that the peer refused us. Nothing proves that it was the peer.
	Remote bool
	Err    error // what the system said, where the reason is Timeout, Stopping or Broken
}

// Error implements error.
func (r *Refused) Error() string {
	s := r.Reason.String()
	if r.Remote {
		s = "refused by the peer: " + s
	}
	if why := r.why(); why != "" {
		s += ": " + why
	}
	return s
}

// why is all but the reason.
func (r *Refused) why() string {
	switch {
	case r.Err == nil:
		return r.Detail
	case r.Detail == "":
		return r.Err.Error()
	}
	return r.Detail + ": " + r.Err.Error()
}

// Unwrap returns Err.
func (r *Refused) Unwrap() error { return r.Err }

// speaks reports whether the peer is told the reason.
func (r *Refused) speaks() bool { return !r.Remote && r.Reason != BadMagic && r.Reason != Broken }

func refuse(reason Reason, format string, args ...any) *Refused {
	return &Refused{Reason: reason, Detail: fmt.Sprintf(format, args...)}
}
