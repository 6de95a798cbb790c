package partition_test

import (
	"fmt"

	"github.com/fullspate/spate/partition"
)

// A task of the right half turns out to have most of its weight in few hashes:
// it is cut where the weight is, both old and new consumers are fed while the
// new ones catch up, and then the old one goes.
func Example() {
	half := partition.Even(2)
	table, _ := partition.NewTable(1, []partition.Route{{Range: half[0], Target: 0}, {Range: half[1], Target: 1}})

	quarter, _ := half[1].Cut(3 << 62)
	plan, _ := partition.PlanSplit(half[1], []partition.Weight{{Range: quarter[0], Weight: 100}, {Range: quarter[1], Weight: 300}}, 2)
	fmt.Printf("%#x %v\n", plan.Cuts, plan.Imbalance)

	both, _ := table.Split(2, 1, 1, plan.Cuts, []uint16{2, 3})
	after, _ := both.Remove(3, 1)
	hash := uint64(1<<64 - 1)
	fmt.Println(table.Lookup(hash), both.Lookup(hash), after.Lookup(hash), after.Direct(hash))
	// Output:
	// [0xd555555555555556] 1
	// [1] [1 3] [3] 3
}
