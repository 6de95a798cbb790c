package traffic_test

import (
	"fmt"

	"github.com/fullspate/spate/bench/linearroad/format"
	"github.com/fullspate/spate/bench/linearroad/traffic"
)

func ExampleXway() {
	plan, err := traffic.New(traffic.Config{Seed: 1, Xways: 2, From: 600, To: 660})
	if err != nil {
		fmt.Println(err)
		return
	}
	way := plan.Xway(1)
	tuples := make([]format.Tuple, 0, traffic.MaxPerSecond)
	reports := 0
	for !way.Done() {
		tuples = way.Second(tuples[:0])
		for i := range tuples {
			if tuples[i].Type == format.Position {
				reports++
			}
		}
	}
	fmt.Println(reports/60 > 150, reports/60 < 250)
	// Output: true true
}
