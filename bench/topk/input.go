package topk

import (
	"errors"
	"fmt"

	"github.com/fullspate/spate/bench/draw"
)

// InputConfig describes an input and how many places are ranked. The zero value of a field stands for its default.
type InputConfig struct {
	Seed      uint64 `json:"seed,omitempty"`
	Rate      int    `json:"rate,omitempty"`      // page views per second over all splits, 1…10,000,000; default 1,000
	Seconds   int    `json:"seconds,omitempty"`   // of input, 1…86,400; default 60
	Languages int    `json:"languages,omitempty"` // versions of the encyclopedia, 1…676; default 300
	Pages     int    `json:"pages,omitempty"`     // of each version, 1…1,000,000; default 10,000
	Users     int    `json:"users,omitempty"`     // 1…1,000,000,000; default 1,000,000
	K         int    `json:"k,omitempty"`         // places of a ranking, 1…32; default 10
	Splits    int    `json:"splits,omitempty"`    // independent parts of the input, 1…4,095; default 4
}

// Bounds.
const (
	WindowMillis = 30_000 // length of a window
	HostMax      = 24     // bytes
	RanksMax     = 32     // K at most: rankings are kept in place

	letters      = 26
	languagesMax = letters * letters // language codes have two letters
)

// View is one input record: a user looked at a page.
type View struct {
	User uint64
	Page uint64
	Host [HostMax]byte // such as de.encyclopedia.test or de.m.encyclopedia.test, padded with zeros
}

// Input makes the page views that a InputConfig describes.
type Input struct {
	cfg       InputConfig
	languages *draw.Zipf
	pages     *draw.Zipf
}

// NewInput returns the input for cfg, or an error that names every field out of range.
func NewInput(cfg InputConfig) (*Input, error) {
	cfg = cfg.filled()
	if err := cfg.check(); err != nil {
		return nil, err
	}
	return &Input{cfg: cfg, languages: draw.NewZipf(cfg.Languages), pages: draw.NewZipf(cfg.Pages)}, nil
}

// filled returns the configuration with defaults where nothing is set.
func (c InputConfig) filled() InputConfig {
	for _, f := range []struct {
		field    *int
		standard int
	}{
		{&c.Rate, 1000}, {&c.Seconds, 60}, {&c.Languages, 300}, {&c.Pages, 10_000},
		{&c.Users, 1_000_000}, {&c.K, 10}, {&c.Splits, 4},
	} {
		if *f.field == 0 {
			*f.field = f.standard
		}
	}
	return c
}

// check reports every field that is out of range.
func (c *InputConfig) check() error {
	var faults []error
	for _, f := range []struct {
		name       string
		value, max int
	}{
		{"Rate", c.Rate, 10_000_000}, {"Seconds", c.Seconds, 86_400}, {"Languages", c.Languages, languagesMax},
		{"Pages", c.Pages, 1_000_000}, {"Users", c.Users, 1_000_000_000}, {"K", c.K, RanksMax}, {"Splits", c.Splits, 4095},
	} {
		if f.value < 1 || f.value > f.max {
			faults = append(faults, fmt.Errorf("top k: %s is %d, want 1…%d", f.name, f.value, f.max))
		}
	}
	return errors.Join(faults...)
}

// Config returns the configuration with its defaults filled in.
func (in *Input) Config() InputConfig { return in.cfg }

// Len returns the number of views in a split, 0…Splits−1. The splits take turns.
func (in *Input) Len(split int) int64 {
	all := int64(in.cfg.Rate) * int64(in.cfg.Seconds)
	return (all - int64(split) + int64(in.cfg.Splits) - 1) / int64(in.cfg.Splits)
}

// mobilePercent of the views come by the mobile host.
const mobilePercent = 40

// millis returns the time of record i of a split.
func (in *Input) millis(split int, i int64) int64 {
	return (i*int64(in.cfg.Splits) + int64(split)) * 1000 / int64(in.cfg.Rate)
}

// View makes record i of a split, 0…Len(split)−1, in place and returns its time in ms. Times do not go back within a
// split, and 0 ≤ ms < 1000·Seconds.
func (in *Input) View(split int, i int64, v *View) (ms int64) {
	s := draw.Seed(in.cfg.Seed, uint64(split), uint64(i))
	language := in.languages.Rank(&s)
	*v = View{
		User: s.Below(uint64(in.cfg.Users)),
		Page: uint64(language*in.cfg.Pages + in.pages.Rank(&s)),
	}
	code := codeOf(language)
	v.Host[0], v.Host[1] = code[0], code[1]
	site := ".encyclopedia.test"
	if s.Below(100) < mobilePercent {
		site = ".m.encyclopedia.test"
	}
	copy(v.Host[len(code):], site)
	return in.millis(split, i)
}

// codeStep has no factor in common with languagesMax: so each rank has another code, and popular languages are spread
// over the alphabet.
const codeStep = 277

// codeOf returns the code of the language with the given popularity.
func codeOf(rank int) [2]byte {
	n := rank * codeStep % languagesMax
	return [2]byte{byte('a' + n/letters), byte('a' + n%letters)}
}
