package ft

import (
	"cmp"
	"slices"

	"github.com/fullspate/spate/partition"
)

// Holders decides which workers keep the backup of a task: at most as many as replicas, best first, without the task's own
// worker; fewer if there are fewer. all are the workers that there are, upstream those of the task's upstream tasks: these are
// preferred, since they replay to the task when it is restored. Order and repetition do not matter; who is in upstream but
// not in all is gone and holds nothing.
//
// Each worker is given the hash of the task and its name, and the highest win (rendezvous hashing): whoever asks gets the
// same answer, tasks spread evenly, and when a worker leaves only the tasks that it held move, each to another worker.
func Holders(task TaskID, own string, upstream, all []string, replicas int) []string {
	type bid struct {
		worker    string
		preferred bool
		hash      uint64
	}
	seen := make(map[string]bool, len(all))
	bids := make([]bid, 0, len(all))
	for _, w := range all {
		if w == own || seen[w] {
			continue
		}
		seen[w] = true
		bids = append(bids, bid{w, slices.Contains(upstream, w), partition.HashString(task.String() + "\x00" + w)})
	}
	slices.SortFunc(bids, func(a, b bid) int {
		if a.preferred != b.preferred {
			if a.preferred {
				return -1
			}
			return 1
		}
		return cmp.Or(cmp.Compare(b.hash, a.hash), cmp.Compare(a.worker, b.worker))
	})
	bids = bids[:min(max(replicas, 0), len(bids))]
	holders := make([]string, len(bids))
	for i, b := range bids {
		holders[i] = b.worker
	}
	return holders
}
