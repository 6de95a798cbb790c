package ft

import (
	"cmp"
	"slices"

	"github.com/fullspate/spate/wire"
)

// Candidate is a checkpoint that a task may go back to.
type Candidate struct {
	Generation uint64 // at least 1
	Position   wire.Time
	Trims      []wire.Time // of the task's logs, in their order
}

// CandidateOf is what matters of a checkpoint to Choose.
func CandidateOf(i Info) Candidate {
	c := Candidate{Generation: i.Generation, Position: i.Position}
	for _, l := range i.Logs {
		c.Trims = append(c.Trims, l.Trim)
	}
	return c
}

// Line is what there is of one task: where its logs go, and what it may go back to. From the beginning (position 0, logs
// trimmed at 0) is always possible and not to be listed.
type Line struct {
	Consumers  []int       // for each log, the index of the task that it feeds
	Candidates []Candidate // in any order; each has a trim point for each log
}

// Choose decides to which generation each task of a job goes back after all of it has died; 0 is the beginning. It is the
// newest choice in which no log has forgotten what its consumer will ask for: for every log, trim point of what its task goes
// back to ≤ position of what its consumer goes back to. Where two candidates of a task have one position, the one with the
// lower generation counts as older. What lies between a task's position and that of a consumer who is further is made again,
// as it was, and the consumer drops it.
//
// All tasks begin at their newest candidate; while a log is violated, its task takes the next older one.
//
// It ends: every round takes some task one candidate further, there are finitely many, and the beginning violates nothing,
// since its trim points are 0.
//
// It is right: let S be any choice without a violation. At no time is a task at an older candidate than in S. At first it is
// at its newest. Suppose it holds, and the log from u to d is violated: trim(u) > position(d). As d is not at an older
// candidate than in S, and positions do not grow with age, position of d in S ≤ position(d) < trim(u); so what u is at is
// not what it is at in S, it is newer, and the next older one is not older than in S. Hence the result, which has no
// violation itself, is for every task at least as new as any choice without one: there is one newest, and this is it.
func Choose(lines []Line) []uint64 {
	sorted := make([][]Candidate, len(lines))
	for i, l := range lines {
		sorted[i] = slices.SortedFunc(slices.Values(l.Candidates), newerFirst)
	}
	at := make([]int, len(lines)) // of each task, its candidate; the beginning is the one behind the last
	for again := true; again; {
		again = false
		for u, l := range lines {
			for log, d := range l.Consumers {
				for at[u] < len(sorted[u]) && sorted[u][at[u]].Trims[log] > positionAt(sorted[d], at[d]) {
					at[u]++
					again = true
				}
			}
		}
	}
	chosen := make([]uint64, len(lines))
	for i, n := range at {
		if n < len(sorted[i]) {
			chosen[i] = sorted[i][n].Generation
		}
	}
	return chosen
}

func newerFirst(a, b Candidate) int {
	return cmp.Or(cmp.Compare(b.Position, a.Position), cmp.Compare(b.Generation, a.Generation))
}

// positionAt is the position of a task's n-th candidate, 0 at the beginning.
func positionAt(candidates []Candidate, n int) wire.Time {
	if n == len(candidates) {
		return 0
	}
	return candidates[n].Position
}
