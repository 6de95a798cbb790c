package api

import (
	"encoding/json"
	"fmt"
	"net/http"
	"strconv"
	"strings"
	"time"

	"github.com/fullspate/spate/engine/coordinator"
)

// Rescale is what POST …/rescale takes.
type Rescale struct {
	Parallelism int `json:"parallelism"`
}

// Rebalance is what POST …/rebalance takes.
type Rebalance struct {
	Cuts []Hash `json:"cuts"` // the first hash of each range but the first, ascending; none for even ranges
}

// Migrate is what POST …/migrate takes.
type Migrate struct {
	Worker string `json:"worker"` // empty: the one with the fewest tasks
}

// Hash is a hash in a request: a number, or a string with one, decimal or hexadecimal with 0x, as JSON's numbers are too short
// for some readers.
type Hash uint64

// ParseHash reads a hash, decimal or hexadecimal with 0x.
func ParseHash(text string) (Hash, error) {
	digits, base := text, 10
	if rest, ok := strings.CutPrefix(strings.ToLower(text), "0x"); ok {
		digits, base = rest, 16
	}
	v, err := strconv.ParseUint(digits, base, 64)
	if err != nil {
		return 0, fmt.Errorf("hash %q, want a number below 2^64, decimal or 0x…", text)
	}
	return Hash(v), nil
}

// MarshalJSON writes a string, which every reader takes.
func (h Hash) MarshalJSON() ([]byte, error) { return json.Marshal(fmt.Sprintf("%#016x", uint64(h))) }

// UnmarshalJSON reads a number or a string.
func (h *Hash) UnmarshalJSON(data []byte) error {
	text := string(data)
	if strings.HasPrefix(text, `"`) {
		if err := json.Unmarshal(data, &text); err != nil {
			return err
		}
	}
	v, err := ParseHash(text)
	*h = v
	return err
}

// Reassignment says how tasks of an operator take key ranges over from others, or have, or were to.
type Reassignment struct {
	ID       uint64                    `json:"id"` // within the job
	Kind     coordinator.ReassignKind  `json:"kind"`
	Operator string                    `json:"operator"`
	State    coordinator.ReassignState `json:"state"`
	Reason   string                    `json:"reason,omitempty"` // why it was given up
	Old      []ReassignedTask          `json:"old"`
	New      []ReassignedTask          `json:"new"`
	Begun    time.Time                 `json:"begun"`
	Ended    *time.Time                `json:"ended"`
	// How long each phase took; 0 for what it did not come to.
	RegisterMS float64 `json:"register_ms"`
	StopMS     float64 `json:"stop_ms,omitempty"` // of a sink alone
	RestoreMS  float64 `json:"restore_ms"`
	CatchUpMS  float64 `json:"catch_up_ms"`
	SwitchMS   float64 `json:"switch_ms"`
}

// ReassignedTask is an old or a new task of a reassignment.
type ReassignedTask struct {
	Task   int    `json:"task"`
	Worker string `json:"worker"`
	Range  Range  `json:"range"`
}

func reassignmentOf(r coordinator.Reassignment) Reassignment {
	task := func(t coordinator.ReassignedTask) ReassignedTask {
		return ReassignedTask{t.Task, t.Worker, rangeOf(t.Range)}
	}
	return Reassignment{
		ID: r.ID, Kind: r.Kind, Operator: r.Operator, State: r.State, Reason: r.Reason, Old: list(r.Old, task), New: list(r.New, task),
		Begun: r.Begun, Ended: moment(r.Ended),
		RegisterMS: ms(r.Register), StopMS: ms(r.Stop), RestoreMS: ms(r.Restore), CatchUpMS: ms(r.CatchUp), SwitchMS: ms(r.Switch),
	}
}

func (a *api) rescale(w http.ResponseWriter, r *http.Request) error {
	var body Rescale
	if err := readJSON(r, &body); err != nil {
		return err
	}
	return a.accepted(w, r, func() (coordinator.Reassignment, error) {
		return a.Coordinator.Rescale(r.Context(), r.PathValue("id"), r.PathValue("operator"), body.Parallelism)
	})
}

func (a *api) rebalance(w http.ResponseWriter, r *http.Request) error {
	var body Rebalance
	if err := readJSON(r, &body); err != nil {
		return err
	}
	cuts := make([]uint64, len(body.Cuts))
	for i, c := range body.Cuts {
		cuts[i] = uint64(c)
	}
	return a.accepted(w, r, func() (coordinator.Reassignment, error) {
		return a.Coordinator.Rebalance(r.Context(), r.PathValue("id"), r.PathValue("operator"), cuts)
	})
}

func (a *api) migrate(w http.ResponseWriter, r *http.Request) error {
	var body Migrate
	if err := readJSON(r, &body); err != nil {
		return err
	}
	task, err := strconv.Atoi(r.PathValue("task"))
	if err != nil {
		return &failure{http.StatusBadRequest, string(coordinator.Invalid), fmt.Sprintf("task is %q, want a number", r.PathValue("task"))}
	}
	return a.accepted(w, r, func() (coordinator.Reassignment, error) {
		return a.Coordinator.Migrate(r.Context(), r.PathValue("id"), r.PathValue("operator"), task, body.Worker)
	})
}

// accepted asks for a reassignment and answers with it; with ?wait=SECONDS when it has ended, or as it is when the time is up.
func (a *api) accepted(w http.ResponseWriter, r *http.Request, ask func() (coordinator.Reassignment, error)) error {
	wait, err := seconds(r, "wait", 0, waitMax)
	if err != nil {
		return err
	}
	re, err := ask()
	if err != nil {
		return err
	}
	if wait > 0 {
		if re, err = a.reassigned(w, r, re.ID, wait); err != nil {
			return err
		}
	}
	status := http.StatusAccepted
	if re.State.Over() {
		status = http.StatusOK
	}
	w.Header().Set("Location", fmt.Sprintf("/api/v1/jobs/%s/reassignments/%d", r.PathValue("id"), re.ID))
	return writeJSON(w, status, reassignmentOf(re))
}

// reassigned waits for the end of a reassignment, but no longer than that.
func (a *api) reassigned(w http.ResponseWriter, r *http.Request, id uint64, wait time.Duration) (coordinator.Reassignment, error) {
	extend(w, wait)
	ctx, cancel := contextWithin(r, wait)
	defer cancel()
	re, err := a.Coordinator.Reassigned(ctx, r.PathValue("id"), id)
	if err != nil && ctx.Err() != nil && re.ID == id {
		return re, nil
	}
	return re, err
}

// drainWorker answers with how the worker is after it was to be drained; with ?wait=SECONDS when all that can leave has left, or as it
// is when the time is up.
func (a *api) drainWorker(w http.ResponseWriter, r *http.Request) error {
	wait, err := seconds(r, "wait", 0, waitMax)
	if err != nil {
		return err
	}
	id := r.PathValue("id")
	info, err := a.Coordinator.DrainWorker(r.Context(), id)
	if err != nil {
		return err
	}
	if wait > 0 {
		extend(w, wait)
		ctx, cancel := contextWithin(r, wait)
		defer cancel()
		later, err := a.Coordinator.Drained(ctx, id)
		switch {
		case later.ID == id && (err == nil || ctx.Err() != nil):
			info = later
		case err != nil:
			return err
		}
	}
	status := http.StatusAccepted
	if info.Drain == nil || info.Drain.Done {
		status = http.StatusOK
	}
	return writeJSON(w, status, workerOf(info))
}

func (a *api) reassignment(w http.ResponseWriter, r *http.Request) error {
	id, err := strconv.ParseUint(r.PathValue("reassignment"), 10, 64)
	if err != nil {
		return &failure{http.StatusBadRequest, string(coordinator.Invalid), fmt.Sprintf("reassignment is %q, want a number", r.PathValue("reassignment"))}
	}
	wait, err := seconds(r, "wait", 0, waitMax)
	if err != nil {
		return err
	}
	var re coordinator.Reassignment
	if wait > 0 {
		re, err = a.reassigned(w, r, id, wait)
	} else {
		var info coordinator.JobInfo
		if info, err = a.Coordinator.Job(r.Context(), r.PathValue("id")); err == nil {
			re, err = info.Reassignment(id)
		}
	}
	if err != nil {
		return err
	}
	return writeJSON(w, http.StatusOK, reassignmentOf(re))
}
