package api

import (
	"bytes"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"time"

	"github.com/fullspate/spate/engine/coordinator"
	"github.com/google/pprof/profile"
)

const (
	profileSecondsDefault = 5 * time.Second
	profileSecondsMax     = 5 * time.Minute
)

// profile collects a profile of all workers and answers with one for all, as pprof reads it. Workers of which there is none
// are in a header.
func (a *api) profile(w http.ResponseWriter, r *http.Request) error {
	kind := r.URL.Query().Get("kind")
	if kind == "" {
		kind = "cpu"
	}
	d, err := seconds(r, "seconds", profileSecondsDefault, profileSecondsMax)
	if err != nil {
		return err
	}
	extend(w, d)
	parts, err := a.Coordinator.Profile(r.Context(), kind, d)
	if err != nil {
		return err
	}
	merged, missing, err := merge(parts)
	if err != nil {
		return &failure{http.StatusServiceUnavailable, string(coordinator.Unavailable), err.Error()}
	}
	var b bytes.Buffer
	if err := merged.Write(&b); err != nil {
		return err
	}
	h := w.Header()
	if len(missing) > 0 {
		h.Set("Spate-Missing", strings.Join(missing, "; "))
	}
	h.Set("Content-Type", "application/octet-stream")
	h.Set("Content-Disposition", fmt.Sprintf(`attachment; filename="%s.pb.gz"`, kind))
	_, _ = w.Write(b.Bytes()) // if the client has gone, nobody is there to be told
	return nil
}

// merge makes one profile of many, each sample with the worker as a label. It fails if there is nothing to merge.
func merge(parts []coordinator.Profile) (merged *profile.Profile, missing []string, err error) {
	var all []*profile.Profile
	for _, part := range parts {
		p, err := label(part)
		if err != nil {
			missing = append(missing, fmt.Sprintf("%s: %s", part.Worker, oneLine(err)))
			continue
		}
		all = append(all, p)
	}
	if len(all) == 0 {
		return nil, nil, errors.New("no worker has given a profile: " + strings.Join(missing, "; "))
	}
	if merged, err = profile.Merge(all); err != nil {
		return nil, nil, fmt.Errorf("profiles of workers do not fit together: %w", err)
	}
	return merged, missing, nil
}

func label(part coordinator.Profile) (*profile.Profile, error) {
	if part.Err != nil {
		return nil, part.Err
	}
	p, err := profile.ParseData(part.Data)
	if err != nil {
		return nil, err
	}
	for _, s := range p.Sample {
		if s.Label == nil {
			s.Label = map[string][]string{}
		}
		s.Label["worker"] = []string{part.Worker}
	}
	return p, nil
}

// oneLine makes an error fit for a header.
func oneLine(err error) string {
	return strings.Map(func(c rune) rune {
		if c < ' ' || c > '~' {
			return ' '
		}
		return c
	}, err.Error())
}
