package measure

import (
	"errors"
	"fmt"
	"maps"
	"slices"

	"github.com/fullspate/spate/engine"
	"github.com/fullspate/spate/wire/slab"
)

// Settings say how a benchmark is run. The zero Settings run it once, as fast as possible, in this process, on all cores.
type Settings struct {
	Repeat       int // runs; 0 means 1
	Warm         int // seconds of input at the beginning that are not measured, less than the input has
	NoValidation bool
	Runner       engine.Runner // nil: engine.Embedded
	Engine       engine.Config
	Progress     func(Progress) // may be nil
}

// Progress says how far a benchmark is. It is reported some four times a second or more.
type Progress struct {
	Fraction   float64    // of all runs and the validation after them, 0…1
	Tuples     int64      // counted so far in this run
	TuplesPerS float64    // lately
	Run, Runs  int        // which run of how many, from 1
	Warming    bool       // the run is not being measured yet
	Validating bool       // the runs are over, and the reference is being computed
	Moved      uint64     // changes as long as anything at all goes on, or nothing is due by the pace
	Slabs      slab.Stats // memory outside the Go heap, by owner
}

// Validate reports every problem at once, given the length of the input in seconds and the ids of the query's operators.
func (s *Settings) Validate(seconds int, operators []string) error {
	errs := []error{s.Engine.Validate()}
	if s.Repeat < 0 {
		errs = append(errs, fmt.Errorf("%d repeats, want at least 1 (0 means 1)", s.Repeat))
	}
	if s.Warm < 0 || s.Warm > 0 && s.Warm >= seconds {
		errs = append(errs, fmt.Errorf("warm-up of %d seconds, want 0 or more and less than the %d seconds of input", s.Warm, seconds))
	}
	for _, id := range slices.Sorted(maps.Keys(s.Engine.Parallelism)) {
		if !slices.Contains(operators, id) {
			errs = append(errs, fmt.Errorf("parallelism of %q, want one of %v", id, operators))
		}
	}
	return errors.Join(errs...)
}

// Defaulted returns the settings with their defaults filled in.
func (s Settings) Defaulted() Settings {
	s.Repeat = max(s.Repeat, 1)
	if s.Runner == nil {
		s.Runner = engine.Embedded{}
	}
	s.Engine.Parallelism = maps.Clone(s.Engine.Parallelism)
	return s
}
