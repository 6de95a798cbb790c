package draw_test

import (
	"fmt"

	"github.com/fullspate/spate/bench/draw"
)

// Records that are drawn from sources of their own can be made in any order.
func Example() {
	zipf := draw.NewZipf(1000)
	for _, record := range []uint64{3, 1, 3} {
		s := draw.Seed(42, record)
		fmt.Println(record, zipf.Rank(&s), s.Below(6)+1)
	}
	// Output:
	// 3 10 6
	// 1 0 1
	// 3 10 6
}
