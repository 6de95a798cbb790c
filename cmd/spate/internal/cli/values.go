package cli

import (
	"errors"
	"fmt"
	"math"
	"strconv"
	"strings"
	"time"

	"github.com/fullspate/spate/bench/linearroad/format"
)

// runSeconds is how long Linear Road lasts.
const runSeconds = format.TimeMax + 1

// second is a moment of the run as a flag gives it: 5400, 90m or 1h30m.
type second int

// UnmarshalText parses a moment of the run.
func (s *second) UnmarshalText(text []byte) error {
	n, err := strconv.Atoi(string(text))
	if err != nil {
		d, err := time.ParseDuration(string(text))
		if err != nil || d%time.Second != 0 {
			return fmt.Errorf("%q is not a moment: want seconds, or a duration such as 90m or 1h30m", text)
		}
		n = int(d / time.Second)
	}
	if n < 0 || n > runSeconds {
		return fmt.Errorf("%q is not within the %d seconds of a run", text, runSeconds)
	}
	*s = second(n)
	return nil
}

// byteSize is an amount of memory as a flag gives it: 4GiB, 512MiB or 1000000.
type byteSize int64

// UnmarshalText parses an amount of memory.
func (b *byteSize) UnmarshalText(text []byte) error {
	digits, factor := string(text), int64(1)
	for i, unit := range []string{"KiB", "MiB", "GiB", "TiB"} {
		if rest, ok := strings.CutSuffix(digits, unit); ok {
			digits, factor = strings.TrimSpace(rest), 1<<(10*(i+1))
		}
	}
	n, err := strconv.ParseFloat(digits, 64)
	if err != nil || !(n > 0) || n*float64(factor) >= math.MaxInt64 {
		return fmt.Errorf("%q is not an amount of memory: want bytes, or a number with KiB, MiB, GiB or TiB", text)
	}
	*b = byteSize(n * float64(factor))
	return nil
}

// fromTo checks that there is something between two moments.
func fromTo(from, to second) error {
	if from >= to {
		return fmt.Errorf("--from %d is not before --to %d", from, to)
	}
	return nil
}

// atLeast checks a number against its least value.
func atLeast(flag string, n, least int) error {
	if n < least {
		return fmt.Errorf("%s is %d, want %d or more", flag, n, least)
	}
	return nil
}

// within checks a number against its range.
func within(flag string, n, least, most int) error {
	if n < least || n > most {
		return fmt.Errorf("%s is %d, want %d…%d", flag, n, least, most)
	}
	return nil
}

// needs checks that a flag that must name something does.
func needs(flag, value string) error {
	if value == "" {
		return errors.New(flag + " is empty")
	}
	return nil
}
