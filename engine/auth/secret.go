package auth

import (
	"crypto/rand"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"strings"
)

// SecretEnv is the environment variable that FromEnv reads.
const SecretEnv = "SPATE_SECRET"

const (
	hidden = "auth.Secret(hidden)"
	// secretFileMax is the largest secret file in bytes: 64 digits and plenty of white space.
	secretFileMax = 1 << 10
)

// Secret is what the processes of a cluster know and nobody else: 256 random bits. The zero Secret is none. Printing,
// logging or marshalling one, or a struct that exports one, says no more than that it is one; Reveal says all.
type Secret [32]byte

// NewSecret makes a random secret.
func NewSecret() Secret {
	var s Secret
	_, _ = rand.Read(s[:]) // never fails: see crypto/rand
	return s
}

// ParseSecret reads what Reveal writes: 64 hexadecimal digits, white space around them allowed. Its errors do not repeat
// the text.
func ParseSecret(text string) (Secret, error) {
	var s Secret
	text = strings.TrimSpace(text)
	if len(text) != hex.EncodedLen(len(s)) {
		return Secret{}, fmt.Errorf("secret of %d characters: want %d hexadecimal digits", len(text), hex.EncodedLen(len(s)))
	}
	if _, err := hex.Decode(s[:], []byte(text)); err != nil { // the error would quote a character
		return Secret{}, fmt.Errorf("secret has a character that is no hexadecimal digit: want %d of them", hex.EncodedLen(len(s)))
	}
	if s.IsZero() {
		return Secret{}, errors.New("secret is all zeros, which stands for none: want 64 random hexadecimal digits")
	}
	return s, nil
}

// ReadSecretFile reads a secret from a file that only its owner may read or write.
func ReadSecretFile(path string) (Secret, error) {
	f, err := os.Open(path)
	if err != nil {
		return Secret{}, fmt.Errorf("secret file: %w", err)
	}
	defer f.Close()
	// The mode of what is open, not of what the path leads to by now.
	info, err := f.Stat()
	if err != nil {
		return Secret{}, fmt.Errorf("secret file: %w", err)
	}
	if mode := info.Mode(); !mode.IsRegular() {
		return Secret{}, fmt.Errorf("secret file %s: mode %v, want a regular file", path, mode)
	} else if perm := mode.Perm(); perm&0o077 != 0 {
		return Secret{}, fmt.Errorf("secret file %s: mode %#o lets others in, want 0600 or 0400 (chmod 600 %s)", path, perm, path)
	}
	text, err := io.ReadAll(io.LimitReader(f, secretFileMax+1))
	if err != nil {
		return Secret{}, fmt.Errorf("secret file: %w", err)
	}
	if len(text) > secretFileMax {
		return Secret{}, fmt.Errorf("secret file %s: more than %d bytes, want 64 hexadecimal digits", path, secretFileMax)
	}
	s, err := ParseSecret(string(text))
	if err != nil {
		return Secret{}, fmt.Errorf("secret file %s: %w", path, err)
	}
	return s, nil
}

// FromEnv reads the secret from SPATE_SECRET, and reports whether that is set.
func FromEnv() (s Secret, ok bool, err error) {
	text, ok := os.LookupEnv(SecretEnv)
	if !ok {
		return Secret{}, false, nil
	}
	if s, err = ParseSecret(text); err != nil {
		return Secret{}, true, fmt.Errorf("%s: %w", SecretEnv, err)
	}
	return s, true, nil
}

// IsZero reports whether s is no secret at all.
func (s Secret) IsZero() bool { return s == Secret{} }

// Reveal returns the secret's 64 hexadecimal digits, for a file that nobody else can read or a child's environment.
func (s Secret) Reveal() string { return hex.EncodeToString(s[:]) }

// String hides the secret.
func (s Secret) String() string { return hidden }

// GoString hides the secret.
func (s Secret) GoString() string { return hidden }

// Format hides the secret, whatever the verb.
func (s Secret) Format(f fmt.State, _ rune) { _, _ = io.WriteString(f, hidden) }

// LogValue hides the secret.
func (s Secret) LogValue() slog.Value { return slog.StringValue(hidden) }

// MarshalText hides the secret.
func (s Secret) MarshalText() ([]byte, error) { return []byte(hidden), nil }
