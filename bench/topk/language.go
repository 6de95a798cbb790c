package topk

import (
	"bytes"
	"cmp"
	"encoding/binary"
	"fmt"
)

// Language is the code of a language version, up to eight bytes, the first one in the highest bits: so numbers order as
// the codes do.
type Language uint64

// languageBytes is the longest code.
const languageBytes = 8

// LanguageOf returns the language that a host names before its first dot, or an error if that is empty or longer than
// eight bytes, or if there is no dot.
func LanguageOf(host []byte) (Language, error) {
	var code Language
	for i, letter := range host {
		if letter == '.' && i > 0 {
			return code << (8 * (languageBytes - i)), nil
		}
		if letter == '.' || i == languageBytes {
			break
		}
		code = code<<8 | Language(letter)
	}
	return 0, fmt.Errorf("top k: host %q, want a language code of 1…%d bytes and a dot", host, languageBytes)
}

// String returns the code.
func (l Language) String() string {
	code := binary.BigEndian.AppendUint64(nil, uint64(l))
	return string(bytes.TrimRight(code, "\x00"))
}

// Place is one answer: a place in the ranking of a window.
type Place struct {
	WindowEnd int64 // ms, a multiple of WindowMillis
	Language  Language
	Views     uint64 // in the window, at least 1
	Rank      uint64 // 1 is the most viewed, at most K
}

// String prints a place for people.
func (p *Place) String() string {
	return fmt.Sprintf("%d. %s with %d views before %d ms", p.Rank, p.Language, p.Views, p.WindowEnd)
}

// ComparePlaces orders answers by window, then by rank.
func ComparePlaces(a, b Place) int {
	return cmp.Or(cmp.Compare(a.WindowEnd, b.WindowEnd), cmp.Compare(a.Rank, b.Rank))
}
