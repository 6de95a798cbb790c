package profile

import (
	"errors"
	"fmt"
	"os"
	"time"
)

const (
	look      = 250 * time.Millisecond // how often progress is looked at: often against any stall worth a trace
	stallsMax = 3                      // traces of stalls per session: one shows it, three show whether it is always the same
)

// watchForStalls dumps the trace whenever progress has stood still for too long, once for each time it stops.
func (s *Session) watchForStalls() {
	ticker := time.NewTicker(look)
	defer ticker.Stop()
	var d detector
	for dumps := 0; dumps < stallsMax; {
		select {
		case <-s.done:
			return
		case now := <-ticker.C:
			subject := s.subject.Load()
			if !d.stalled(now, subject.Progress(), subject.Stall) {
				continue
			}
			dumps++
			name := stallFile(s.config.TraceFile, dumps)
			if err := s.dump(name); err != nil {
				s.config.Logger.Error("the run has stalled and its trace can't be written", "error", err)
				continue
			}
			s.config.Logger.Warn("the run has stalled", "for", subject.Stall, "trace", name)
		}
	}
}

// stallFile is where the trace of the n-th stall goes, n = 1….
func stallFile(trace string, n int) string { return fmt.Sprintf("%s.stall-%d", trace, n) }

// detector tells when a number has stood still.
type detector struct {
	last  uint64
	since time.Time // when the number was first seen as it is
	told  bool
}

// stalled reports true once when n has not changed for as long as limit, and may do so again after n has changed.
func (d *detector) stalled(now time.Time, n uint64, limit time.Duration) bool {
	if d.since.IsZero() || n != d.last {
		*d = detector{last: n, since: now}
		return false
	}
	if d.told || now.Sub(d.since) < max(limit, look) {
		return false
	}
	d.told = true
	return true
}

// dump writes what the flight recorder holds.
func (s *Session) dump(name string) error {
	f, err := os.Create(name)
	if err != nil {
		return fmt.Errorf("execution trace: %w", err)
	}
	_, err = s.recorder.WriteTo(f)
	if err := errors.Join(err, f.Close()); err != nil {
		return fmt.Errorf("execution trace %s: %w", name, err)
	}
	return nil
}
