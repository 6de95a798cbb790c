package measure

import "time"

// reporter reports progress over all runs and the validation, each of which is one part.
type reporter struct {
	settings    *Settings
	parts, done int
	moved       uint64
	told        time.Time
}

// report takes the progress of one part.
func (r *reporter) report(p Progress) {
	if r.settings.Progress == nil {
		return
	}
	p.Fraction = min((float64(r.done)+p.Fraction)/float64(r.parts), 1)
	p.Run, p.Runs = min(r.done+1, r.settings.Repeat), r.settings.Repeat
	r.moved = p.Moved
	r.settings.Progress(p)
}

// validating reports that a part of the reference is done. It returns true, for the caller's convenience.
func (r *reporter) validating(done float64) bool {
	if now := time.Now(); now.Sub(r.told) >= watchEvery {
		r.told = now
		r.report(Progress{Fraction: done, Validating: true, Moved: r.moved + 1})
	}
	return true
}
