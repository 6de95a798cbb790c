package cli

import (
	"cmp"
	"slices"

	"github.com/google/pprof/profile"
)

// share is what an operator has of a profile on one worker; the operator is empty for what belongs to none.
type share struct {
	Worker   string  `json:"worker"`
	Operator string  `json:"operator,omitempty"`
	Value    int64   `json:"value"`
	Share    float64 `json:"share"`
}

// shares adds up a profile by worker and operator, the largest first. What is counted is what go tool pprof shows first: the
// last kind of value of a sample, unless the profile says otherwise.
func shares(p *profile.Profile) (list []share, total int64, unit string) {
	if len(p.SampleType) == 0 {
		return []share{}, 0, ""
	}
	at := len(p.SampleType) - 1
	for i, t := range p.SampleType {
		if t.Type == p.DefaultSampleType {
			at = i
		}
	}
	type place struct{ worker, operator string }
	sums := map[place]int64{}
	for _, s := range p.Sample {
		sums[place{first(s.Label["worker"]), first(s.Label["operator"])}] += s.Value[at]
		total += s.Value[at]
	}
	list = make([]share, 0, len(sums))
	for at, v := range sums {
		if v != 0 {
			list = append(list, share{at.worker, at.operator, v, float64(v) / float64(max(total, 1))})
		}
	}
	slices.SortFunc(list, func(a, b share) int {
		return cmp.Or(cmp.Compare(b.Value, a.Value), cmp.Compare(a.Worker, b.Worker), cmp.Compare(a.Operator, b.Operator))
	})
	return list, total, p.SampleType[at].Unit
}

func first(list []string) string {
	if len(list) == 0 {
		return ""
	}
	return list[0]
}
