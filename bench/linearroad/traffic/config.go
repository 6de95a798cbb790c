package traffic

import (
	"errors"
	"fmt"

	"github.com/fullspate/spate/bench/linearroad/format"
)

// Seconds is the length of a full run: time goes from 0 to Seconds−1.
const Seconds = format.TimeMax + 1

// Config says what traffic to generate.
type Config struct {
	Seed      uint64 // any; two seeds have nothing in common but the rates
	Xways     int    // expressways, 1…4096
	From      int    // first second, 0…10799; what happens earlier is not seen
	To        int    // the second after the last, From+1…10800; 0 means 10800
	Hostile   bool   // adds the cases that implementations get wrong, see doc.go
	Replicate bool   // expressway 0 again and again with shifted vids, kept in memory: 24 bytes for each of its tuples
}

// Validate reports everything that is wrong with the configuration.
func (c Config) Validate() error {
	var errs []error
	if c.Xways < 1 || c.Xways > format.XwayMax+1 {
		errs = append(errs, fmt.Errorf("%d expressways, want 1 to %d", c.Xways, format.XwayMax+1))
	}
	if c.From < 0 || c.From >= Seconds {
		errs = append(errs, fmt.Errorf("first second %d, want 0 to %d", c.From, Seconds-1))
	}
	if c.To < 0 || c.To > Seconds {
		errs = append(errs, fmt.Errorf("last second %d, want 1 to %d (0 means %d)", c.To, Seconds, Seconds))
	}
	if c.To != 0 && c.To <= c.From {
		errs = append(errs, fmt.Errorf("traffic from %d to %d is empty", c.From, c.To))
	}
	return errors.Join(errs...)
}

// Traffic is what all expressways share. It never changes after New, so that any number of goroutines may use it.
type Traffic struct {
	cfg  Config
	plan plan
	tape *tape // Replicate: expressway 0, precomputed; else nil
}

// New plans the traffic, which takes some 20 ms; with Replicate it also generates expressway 0, which takes up to a second
// and 300 MB. The error is that of Validate.
func New(cfg Config) (*Traffic, error) {
	if err := cfg.Validate(); err != nil {
		return nil, fmt.Errorf("traffic: %w", err)
	}
	if cfg.To == 0 {
		cfg.To = Seconds
	}
	t := &Traffic{cfg: cfg}
	t.plan.make()
	if cfg.Replicate {
		w := t.live(0)
		w.Seek(cfg.From)
		t.tape = record(w)
	}
	return t, nil
}

// Config returns the configuration, with To filled in.
func (t *Traffic) Config() Config { return t.cfg }
