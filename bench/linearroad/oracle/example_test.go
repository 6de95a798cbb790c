package oracle_test

import (
	"fmt"

	"github.com/fullspate/spate/bench/linearroad/format"
	"github.com/fullspate/spate/bench/linearroad/oracle"
)

// A vehicle enters the first two segments of an expressway; the second has no statistics yet.
func Example() {
	o := oracle.New(oracle.Paper, nil)
	var answers []format.Answer
	for _, report := range []format.Tuple{
		{Type: format.Position, VID: 7, Time: 0, Speed: 30, Pos: 5000},
		{Type: format.Position, VID: 7, Time: 30, Speed: 40, Lane: 1, Pos: 5200},
		{Type: format.Position, VID: 7, Time: 60, Speed: 40, Lane: 1, Pos: 6000, Seg: 1},
		{Type: format.Position, VID: 8, Time: 61, Speed: 30, Pos: 0},
	} {
		var err error
		if answers, err = o.Feed(answers, &report); err != nil {
			fmt.Println(err)
		}
	}
	for _, a := range answers {
		fmt.Printf("vehicle %d, second %d: LAV %d, toll %d\n", a.VID, a.Time, a.LAV, a.Value)
	}
	// Output:
	// vehicle 7, second 0: LAV -1, toll 0
	// vehicle 7, second 60: LAV -1, toll 0
	// vehicle 8, second 61: LAV 35, toll 0
}
