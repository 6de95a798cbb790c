package network_test

import (
	"context"
	"fmt"

	"github.com/fullspate/spate/bench/network"
)

// ExampleRun counts a few tuples by key, in this process.
func ExampleRun() {
	cfg := network.Defaults(network.Keyed)
	cfg.Input = network.Input{Seed: 7, Rate: 1000, Seconds: 3, Keys: 10}
	cfg.Repeat, cfg.Warm = 1, 1
	r, err := network.Run(context.Background(), cfg)
	if err != nil {
		fmt.Println(err)
		return
	}
	fmt.Printf("right: %v, crossings: %v\n", r.Valid(), r.Median().Crossings)
	// Output: right: true, crossings: 0
}
