package report

import (
	"encoding/json"
	"fmt"
	"slices"
)

// Spread is one measure over all runs.
type Spread struct {
	Median float64 `json:"median"`
	Min    float64 `json:"min"`
	Max    float64 `json:"max"`
}

// Relative is half the distance between least and most as a part of the median; 0 if the median is.
func (s Spread) Relative() float64 {
	if s.Median == 0 {
		return 0
	}
	return (s.Max - s.Min) / 2 / s.Median
}

// MedianIndex returns the index of the value in the middle, the lower one of two. It needs one value at least.
func MedianIndex(values []float64) int {
	order := make([]int, len(values))
	for i := range order {
		order[i] = i
	}
	slices.SortStableFunc(order, func(a, b int) int {
		switch {
		case values[a] < values[b]:
			return -1
		case values[a] > values[b]:
			return 1
		}
		return 0
	})
	return order[(len(order)-1)/2]
}

// Spreads returns the spread of each number in the JSON of runs, by its path. A number that some runs do not have is
// spread over those that have it.
func Spreads[T any](runs []T) (map[string]Spread, error) {
	values := map[string][]float64{}
	for _, run := range runs {
		data, err := json.Marshal(run)
		if err != nil {
			return nil, fmt.Errorf("measures of a run: %w", err)
		}
		var members map[string]any
		if err := json.Unmarshal(data, &members); err != nil {
			return nil, fmt.Errorf("measures of a run: %w", err)
		}
		flatten("", members, func(path string, n float64) { values[path] = append(values[path], n) })
	}
	spreads := make(map[string]Spread, len(values))
	for path, v := range values {
		spreads[path] = Spread{Median: Median(v), Min: slices.Min(v), Max: slices.Max(v)}
	}
	return spreads, nil
}

// flatten calls fn with each number inside members.
func flatten(prefix string, members map[string]any, fn func(path string, n float64)) {
	for name, v := range members {
		switch v := v.(type) {
		case float64:
			fn(prefix+name, v)
		case map[string]any:
			flatten(prefix+name+".", v, fn)
		}
	}
}

// Median is the value in the middle, or the mean of the two there. It needs one value at least.
func Median(values []float64) float64 {
	s := slices.Clone(values)
	slices.Sort(s)
	mid := len(s) / 2
	if len(s)%2 == 1 {
		return s[mid]
	}
	return (s[mid-1] + s[mid]) / 2
}
