package format_test

import (
	"fmt"
	"strings"

	"github.com/fullspate/spate/bench/linearroad/format"
)

func ExampleReader() {
	const input = "0,26,433,27,0,0,1,69,369135,-1,-1,-1,-1,-1,-1\n" +
		"2,26,433,-1,-1,-1,-1,-1,-1,2,-1,-1,-1,-1,-1\n" +
		"0,27,434,127,0,0,1,69,369135,-1,-1,-1,-1,-1,-1"
	r := format.NewReader(strings.NewReader(input), format.ReaderConfig{File: "traffic.csv"})
	var t format.Tuple
	for {
		if err := r.Next(&t); err != nil {
			fmt.Println(err)
			return
		}
		fmt.Println(t.Type, t.Time, t.VID, t.Seg, t.QID)
	}
	// Output:
	// 0 26 433 69 0
	// 2 26 433 0 2
	// traffic.csv:3: field spd is "127", want at most 100
}
