package topk

import (
	"cmp"
	"fmt"
	"maps"
	"slices"
	"strings"
)

// Reference returns the answers to an input, ordered by ComparePlaces.
func Reference(in *Input) []Place { return reference(in, func(float64) bool { return true }) }

// tickEvery is the number of records between two calls of tick: some ms of work.
const tickEvery = 4096

// reference is Reference. It calls tick with the part of the input that is done, and gives up if that returns false.
func reference(in *Input, tick func(done float64) bool) []Place {
	windows := make(map[int64]map[string]uint64) // views by language
	var v View
	for split := range in.cfg.Splits {
		for i := range in.Len(split) {
			if i%tickEvery == 0 && !tick((float64(split)+float64(i)/float64(in.Len(split)))/float64(in.cfg.Splits)) {
				return nil
			}
			window := in.View(split, i, &v) / WindowMillis
			language, _, _ := strings.Cut(string(v.Host[:]), ".")
			if windows[window] == nil {
				windows[window] = make(map[string]uint64)
			}
			windows[window][language]++
		}
	}
	var answers []Place
	for _, window := range slices.Sorted(maps.Keys(windows)) {
		views := windows[window]
		ranking := slices.SortedFunc(maps.Keys(views), func(a, b string) int {
			return cmp.Or(cmp.Compare(views[b], views[a]), cmp.Compare(a, b))
		})
		for rank, code := range ranking[:min(in.cfg.K, len(ranking))] {
			language, err := LanguageOf([]byte(code + "."))
			if err != nil {
				panic(fmt.Sprintf("BUG: the input holds a language that no answer can: %v", err))
			}
			answers = append(answers, Place{
				WindowEnd: (window + 1) * WindowMillis, Language: language, Views: views[code], Rank: uint64(rank + 1),
			})
		}
	}
	return answers
}
