package wordcount

import (
	"fmt"
	"slices"
	"strings"
)

// Reference returns the answers to an input, ordered by CompareFrequencies.
func Reference(in *Input) []Frequency { return reference(in, func(float64) bool { return true }) }

// tickEvery is the number of records between two calls of tick: some ms of work.
const tickEvery = 4096

// reference is Reference. It calls tick with the part of the input that is done, and gives up if that returns false.
func reference(in *Input, tick func(done float64) bool) []Frequency {
	type cell struct {
		window int64
		word   string
	}
	counts := make(map[cell]uint64)
	var f Fragment
	for split := range in.cfg.Splits {
		for i := range in.Len(split) {
			if i%tickEvery == 0 && !tick((float64(split)+float64(i)/float64(in.Len(split)))/float64(in.cfg.Splits)) {
				return nil
			}
			ms := in.Fragment(split, i, &f)
			for _, word := range strings.Fields(string(f.Words())) {
				counts[cell{ms / WindowMillis, word}]++
			}
		}
	}
	answers := make([]Frequency, 0, len(counts))
	for c, count := range counts {
		word, err := MakeWord([]byte(c.word))
		if err != nil {
			panic(fmt.Sprintf("BUG: the input holds a word that no answer can: %v", err))
		}
		answers = append(answers, Frequency{Word: word, WindowEnd: (c.window + 1) * WindowMillis, Count: count})
	}
	slices.SortFunc(answers, CompareFrequencies)
	return answers
}
