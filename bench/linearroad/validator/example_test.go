package validator_test

import (
	"fmt"

	"github.com/fullspate/spate/bench/linearroad/format"
	"github.com/fullspate/spate/bench/linearroad/validator"
)

// A vehicle enters segment 10 and then 11; nothing is known of either, so both are free. The second answer is wrong.
func ExampleValidate() {
	input := []format.Tuple{
		{VID: 7, Time: 0, Speed: 50, Lane: 0, Seg: 10, Pos: 53000},
		{VID: 7, Time: 30, Speed: 55, Lane: 2, Seg: 11, Pos: 58090},
	}
	answers := []format.Answer{
		{Type: format.Position, VID: 7, Time: 0, LAV: -1},
		{Type: format.Position, VID: 7, Time: 30, LAV: -1, Value: 2},
	}
	r, err := validator.Validate(input, answers, validator.Options{})
	if err != nil {
		fmt.Println(err)
		return
	}
	fmt.Println(r.Valid(), r.Faults[validator.Wrong][format.Position])
	f := &r.First[0]
	fmt.Printf("%s is %d, want %d\n%s", f.Field, f.Got, f.Want, f.Context)
	// Output:
	// false 1
	// toll is 2, want 0
	// right: lav -1, toll 0, alert segment -1
	// vehicle: time 0, lane 0, seg 10, pos 53000, 1 in a row, starts a trip, enters, quoted 0
	// vehicle: time 30, lane 2, seg 11, pos 58090, 1 in a row, enters, quoted 0   <- here
	// segment 0/0/11 has no reports in the five minutes before minute 1
}
