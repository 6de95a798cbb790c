package wordcount

import (
	"bytes"
	"cmp"
	"fmt"
)

// Word is one word of a fragment. Letters beyond its length are zero, so that equal words are equal values.
type Word struct {
	Length  uint8 // bytes, 1…WordMax
	Letters [WordMax]byte
}

// Frequency is one answer: how often a word occurred in a window.
type Frequency struct {
	Word      Word
	WindowEnd int64  // ms, a multiple of WindowMillis
	Count     uint64 // at least 1
}

// MakeWord returns text as a word, and an error if it is empty or longer than WordMax bytes.
func MakeWord(text []byte) (Word, error) {
	var w Word
	if len(text) == 0 || len(text) > WordMax {
		return w, fmt.Errorf("word count: word %q has %d bytes, want 1…%d", text, len(text), WordMax)
	}
	w.Length = uint8(copy(w.Letters[:], text))
	return w, nil
}

// Key returns the word's bytes, borrowed from it.
func (w *Word) Key() []byte { return w.Letters[:min(w.Length, WordMax)] }

// String returns the word as text.
func (w *Word) String() string { return string(w.Key()) }

// String prints a frequency for people.
func (f *Frequency) String() string {
	return fmt.Sprintf("%s occurred %d times before %d ms", &f.Word, f.Count, f.WindowEnd)
}

// CompareFrequencies orders answers by window, then by word.
func CompareFrequencies(a, b Frequency) int {
	return cmp.Or(cmp.Compare(a.WindowEnd, b.WindowEnd), bytes.Compare(a.Word.Key(), b.Word.Key()))
}
