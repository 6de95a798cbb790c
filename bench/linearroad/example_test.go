package linearroad_test

import (
	"context"
	"fmt"

	"github.com/fullspate/spate/bench/linearroad"
)

func ExampleRun() {
	r, err := linearroad.Run(context.Background(), linearroad.Config{Xways: 2, From: 1000, To: 1060, Seed: 1})
	if err != nil {
		fmt.Println(err)
		return
	}
	m := r.Median()
	fmt.Println("right:", r.Valid(), "on", m.Validated, "expressways, reports:", m.Reports)
	// Output: right: true on 2 expressways, reports: 37518
}
