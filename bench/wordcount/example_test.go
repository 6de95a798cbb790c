package wordcount_test

import (
	"context"
	"fmt"

	"github.com/fullspate/spate/bench/wordcount"
)

func ExampleReference() {
	in, err := wordcount.NewInput(wordcount.InputConfig{Seed: 1, Rate: 10, Seconds: 31, Vocabulary: 2})
	if err != nil {
		fmt.Println(err)
		return
	}
	for _, f := range wordcount.Reference(in) {
		fmt.Println(&f)
	}
	// Output:
	// ba occurred 9338 times before 30000 ms
	// be occurred 4762 times before 30000 ms
	// ba occurred 320 times before 60000 ms
	// be occurred 150 times before 60000 ms
}

func ExampleRun() {
	r, err := wordcount.Run(context.Background(), wordcount.Config{
		Input: wordcount.InputConfig{Seed: 1, Rate: 10, Seconds: 31, Vocabulary: 2},
	})
	if err != nil {
		fmt.Println(err)
		return
	}
	fmt.Println(r.Runs[0].Handled[wordcount.CounterID], "words:", &r.Checks[0])
	// Output: 14570 words: 4 answers, all right
}
