package topk_test

import (
	"context"
	"fmt"

	"github.com/fullspate/spate/bench/topk"
)

func ExampleReference() {
	in, err := topk.NewInput(topk.InputConfig{Seed: 1, Rate: 100, Seconds: 31, K: 2})
	if err != nil {
		fmt.Println(err)
		return
	}
	for _, p := range topk.Reference(in) {
		fmt.Println(&p)
	}
	// Output:
	// 1. aa with 483 views before 30000 ms
	// 2. kr with 251 views before 30000 ms
	// 1. aa with 19 views before 60000 ms
	// 2. fz with 7 views before 60000 ms
}

func ExampleRun() {
	r, err := topk.Run(context.Background(), topk.Config{Input: topk.InputConfig{Seed: 1, Rate: 100, Seconds: 31, K: 2}})
	if err != nil {
		fmt.Println(err)
		return
	}
	fmt.Println(r.Runs[0].Handled[topk.ReduceID], "views:", &r.Checks[0])
	// Output: 3100 views: 4 answers, all right
}
