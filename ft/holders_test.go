package ft_test

import (
	"fmt"
	"slices"
	"testing"

	"github.com/fullspate/spate/ft"
	"github.com/fullspate/spate/partition"
)

func TestHolders(t *testing.T) {
	all := []string{"a", "b", "c", "d"}
	id := task("count")
	tests := []struct {
		name     string
		own      string
		upstream []string
		all      []string
		replicas int
		want     int      // how many
		first    []string // among whom the first ones are
	}{
		{"one of the upstreams", "a", []string{"b", "c"}, all, 1, 1, []string{"b", "c"}},
		{"both upstreams", "a", []string{"b", "c"}, all, 2, 2, []string{"b", "c"}},
		{"the own worker is upstream too", "a", []string{"a", "b"}, all, 1, 1, []string{"b"}},
		{"upstreams on the own worker only", "a", []string{"a"}, all, 1, 1, []string{"b", "c", "d"}},
		{"more replicas than workers", "a", []string{"d"}, all, 9, 3, []string{"d"}},
		{"alone", "a", []string{"a"}, []string{"a"}, 1, 0, nil},
		{"an upstream that is gone", "a", []string{"x", "b"}, all, 1, 1, []string{"b"}},
		{"no replicas", "a", nil, all, 0, 0, nil},
		{"fewer than none", "a", nil, all, -1, 0, nil},
		{"twice the same", "a", []string{"b", "b"}, []string{"b", "a", "b"}, 3, 1, []string{"b"}},
	}
	for _, tt := range tests {
		got := ft.Holders(id, tt.own, tt.upstream, tt.all, tt.replicas)
		if len(got) != tt.want || len(got) > 0 && !slices.Contains(tt.first, got[0]) || slices.Contains(got, tt.own) {
			t.Errorf("%s: %v, want %d, the first of %v", tt.name, got, tt.want, tt.first)
		}
		reversed := slices.Clone(tt.all)
		slices.Reverse(reversed)
		if again := ft.Holders(id, tt.own, tt.upstream, reversed, tt.replicas); !slices.Equal(got, again) {
			t.Errorf("%s: %v in another order, before %v", tt.name, again, got)
		}
	}
}

// TestHoldersSpreadEvenly places 2,000 tasks on 10 workers.
func TestHoldersSpreadEvenly(t *testing.T) {
	const tasks, workers = 2000, 10
	all := names(workers)
	held := map[string]int{}
	for _, r := range partition.Even(tasks) {
		for _, h := range ft.Holders(ft.TaskID{Operator: "count", Range: r}, "none", nil, all, 2) {
			held[h]++
		}
	}
	fair := tasks * 2 / workers
	for _, w := range all {
		if n := held[w]; n < fair*85/100 || n > fair*115/100 { // four standard deviations are 71 of 400; these keys stay within 60
			t.Errorf("worker %s holds %d, want about %d", w, n, fair)
		}
	}
}

// TestHoldersMoveLittle lets one worker leave: nothing moves but what it held.
func TestHoldersMoveLittle(t *testing.T) {
	all := names(8)
	for _, r := range partition.Even(300) {
		id := ft.TaskID{Operator: "count", Range: r}
		before := ft.Holders(id, "none", all[2:6], all, 2)
		after := ft.Holders(id, "none", all[2:6], slices.Delete(slices.Clone(all), 3, 4), 2)
		for _, h := range before {
			if h != all[3] && !slices.Contains(after, h) {
				t.Fatalf("%v: %v became %v when %s left", id, before, after, all[3])
			}
		}
	}
}

func names(n int) (names []string) {
	for i := range n {
		names = append(names, fmt.Sprintf("w%02d", i))
	}
	return names
}
