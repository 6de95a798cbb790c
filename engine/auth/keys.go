package auth

import (
	"crypto/hkdf"
	"crypto/sha256"

	"github.com/fullspate/spate/wire"
)

// What the outputs of F are for; doc.go has the construction. Labels differ from each other also in length, and a hash of
// fixed length follows, so that no two inputs of F are the same bytes.
const (
	extractSalt    = "spate handshake"
	initiatorLabel = "initiator"
	acceptorLabel  = "acceptor"
	sessionLabel   = "session"
)

// keys are the values that both ends compute from the secret and both hellos.
type keys struct {
	proofs  [wire.Acceptor + 1][32]byte // by role
	session [32]byte
}

// deriveKeys computes them; the hellos are whole messages.
func deriveKeys(secret Secret, initiator, acceptor []byte) keys {
	extracted, err := hkdf.Extract(sha256.New, secret[:], []byte(extractSalt))
	if err != nil {
		panic("BUG: extract: " + err.Error()) // SHA-256 and 32 bytes are within every limit
	}
	h := sha256.New()
	h.Write(initiator)
	h.Write(acceptor)
	transcript := string(h.Sum(nil))
	expand := func(label string) [32]byte {
		out, err := hkdf.Expand(sha256.New, extracted, label+transcript, 32)
		if err != nil {
			panic("BUG: expand: " + err.Error())
		}
		return [32]byte(out)
	}
	k := keys{session: expand(sessionLabel)}
	k.proofs[wire.Initiator] = expand(initiatorLabel)
	k.proofs[wire.Acceptor] = expand(acceptorLabel)
	return k
}
