package api

import (
	"context"
	"encoding/json"
	"net/http"
	"strconv"
	"time"

	"github.com/fullspate/spate/engine/coordinator"
)

// followBeat is how often a stream of events without news gets an empty line, by which either end notices that the other is gone.
const followBeat = 10 * time.Second

// jobEvents answers with what has happened to a job; with ?follow=1 as JSON lines, and with what happens from then on until the
// job has ended.
func (a *api) jobEvents(w http.ResponseWriter, r *http.Request) error {
	follow, err := flag(r, "follow")
	if err != nil {
		return err
	}
	if follow {
		return a.follow(w, r)
	}
	info, err := a.Coordinator.Job(r.Context(), r.PathValue("id"))
	if err != nil {
		return err
	}
	return writeJSON(w, http.StatusOK, struct {
		Events []Event `json:"events"`
	}{list(info.Events, eventOf)})
}

// flag reads a parameter of the query that is 1 or 0, or is not there.
func flag(r *http.Request, name string) (bool, error) {
	text := r.URL.Query().Get(name)
	v, err := strconv.ParseBool(text)
	if text != "" && err != nil {
		return false, &failure{http.StatusBadRequest, string(coordinator.Invalid), name + " is " + strconv.Quote(text) + ", want 1 or 0"}
	}
	return v, nil
}

// follow streams events. What goes wrong once it has begun ends the stream.
func (a *api) follow(w http.ResponseWriter, r *http.Request) error {
	id, out := r.PathValue("id"), http.NewResponseController(w)
	lines := json.NewEncoder(w)
	for seq, begun := uint64(0), false; ; begun = true {
		ctx, cancel := contextWithin(r, followBeat)
		events, err := a.Coordinator.Follow(ctx, id, seq)
		quiet := ctx.Err() == context.DeadlineExceeded
		cancel()
		if err != nil && !quiet {
			if !begun {
				return err
			}
			return nil // the client has gone, or the coordinator is stopping
		}
		if !begun {
			w.Header().Set("Content-Type", "application/x-ndjson")
			w.Header().Set("Cache-Control", "no-store")
			w.Header().Set("X-Content-Type-Options", "nosniff")
			w.WriteHeader(http.StatusOK)
		}
		extend(w, followBeat)
		for _, e := range events {
			if lines.Encode(eventOf(e)) != nil {
				return nil
			}
			seq = e.Seq
		}
		if quiet {
			if _, err := w.Write([]byte("\n")); err != nil {
				return nil
			}
		}
		_ = out.Flush() // where that is not possible, the next write does it
		if len(events) == 0 && !quiet {
			return nil // the job has ended
		}
	}
}
