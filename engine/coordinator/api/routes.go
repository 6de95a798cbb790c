package api

import (
	"fmt"
	"net/http"
	"net/http/pprof"
	"strconv"
	"time"

	"github.com/fullspate/spate/engine/coordinator"
)

func (a *api) cluster(w http.ResponseWriter, r *http.Request) error {
	info, err := a.Coordinator.Info(r.Context())
	if err != nil {
		return err
	}
	return writeJSON(w, http.StatusOK, clusterOf(info))
}

func (a *api) workers(w http.ResponseWriter, r *http.Request) error {
	workers, err := a.Coordinator.Workers(r.Context())
	if err != nil {
		return err
	}
	return writeJSON(w, http.StatusOK, struct {
		Workers []Worker `json:"workers"`
	}{list(workers, workerOf)})
}

func (a *api) jobs(w http.ResponseWriter, r *http.Request) error {
	jobs, err := a.Coordinator.Jobs(r.Context())
	if err != nil {
		return err
	}
	return writeJSON(w, http.StatusOK, struct {
		Jobs []JobSummary `json:"jobs"`
	}{list(jobs, summaryOf)})
}

func (a *api) events(w http.ResponseWriter, r *http.Request) error {
	events, err := a.Coordinator.Events(r.Context())
	if err != nil {
		return err
	}
	return writeJSON(w, http.StatusOK, struct {
		Events []Event `json:"events"`
	}{list(events, eventOf)})
}

func (a *api) submit(w http.ResponseWriter, r *http.Request) error {
	var s Submit
	if err := readJSON(r, &s); err != nil {
		return err
	}
	id, err := a.Coordinator.Submit(r.Context(), s.request())
	if err != nil {
		return err
	}
	w.Header().Set("Location", "/api/v1/jobs/"+id)
	return writeJSON(w, http.StatusCreated, Submitted{id})
}

// waitMax bounds how long a request may wait for the end of a job.
const waitMax = time.Minute

// find is the job of a request; with ?wait=SECONDS it is waited for, and said as it is when the time is up.
func (a *api) find(w http.ResponseWriter, r *http.Request) (coordinator.JobInfo, error) {
	id := r.PathValue("id")
	wait, err := seconds(r, "wait", 0, waitMax)
	if err != nil || wait == 0 {
		if err == nil {
			return a.Coordinator.Job(r.Context(), id)
		}
		return coordinator.JobInfo{}, err
	}
	extend(w, wait)
	ctx, cancel := contextWithin(r, wait)
	defer cancel()
	info, err := a.Coordinator.Wait(ctx, id)
	if err != nil && ctx.Err() != nil && info.ID == id {
		return info, nil
	}
	return info, err
}

func (a *api) job(w http.ResponseWriter, r *http.Request) error {
	info, err := a.find(w, r)
	if err != nil {
		return err
	}
	return writeJSON(w, http.StatusOK, jobOf(info))
}

func (a *api) jobMetrics(w http.ResponseWriter, r *http.Request) error {
	info, err := a.find(w, r)
	if err != nil {
		return err
	}
	return writeJSON(w, http.StatusOK, metricsOf(info))
}

// jobInfo says all about a job in the engine's own form, which may change with every build.
func (a *api) jobInfo(w http.ResponseWriter, r *http.Request) error {
	info, err := a.find(w, r)
	if err != nil {
		return err
	}
	return writeJSON(w, http.StatusOK, info)
}

func (a *api) drain(w http.ResponseWriter, r *http.Request) error {
	return a.end(w, r, a.Coordinator.Drain(r.Context(), r.PathValue("id")))
}

func (a *api) cancel(w http.ResponseWriter, r *http.Request) error {
	return a.end(w, r, a.Coordinator.Cancel(r.Context(), r.PathValue("id")))
}

// end answers with what the job is like after it was told to end.
func (a *api) end(w http.ResponseWriter, r *http.Request, err error) error {
	if err != nil {
		return err
	}
	info, err := a.Coordinator.Job(r.Context(), r.PathValue("id"))
	if err != nil {
		return err
	}
	return writeJSON(w, http.StatusAccepted, summaryOf(info.JobSummary))
}

func (a *api) health(w http.ResponseWriter, r *http.Request) error {
	if _, err := a.Coordinator.Info(r.Context()); err != nil {
		return err
	}
	return writeJSON(w, http.StatusOK, status{"ok"})
}

type status struct {
	Status string `json:"status"`
}

func (a *api) ready(w http.ResponseWriter, r *http.Request) error {
	info, err := a.Coordinator.Info(r.Context())
	if err != nil {
		return err
	}
	if !info.Ready {
		return &failure{http.StatusServiceUnavailable, string(coordinator.Unavailable), fmt.Sprintf("%d workers are there, %d are expected back",
			info.Workers[coordinator.WorkerReady], info.Workers[coordinator.WorkerExpected])}
	}
	return writeJSON(w, http.StatusOK, status{"ready"})
}

// seconds reads a parameter of the query that is a number of seconds.
func seconds(r *http.Request, name string, otherwise, most time.Duration) (time.Duration, error) {
	text := r.URL.Query().Get(name)
	if text == "" {
		return otherwise, nil
	}
	v, err := strconv.ParseFloat(text, 64)
	if err != nil || !(v >= 0 && v <= most.Seconds()) {
		return 0, &failure{http.StatusBadRequest, string(coordinator.Invalid),
			fmt.Sprintf("%s is %q, want seconds, 0 to %v", name, text, most.Seconds())}
	}
	return time.Duration(v * float64(time.Second)), nil
}

// pprofHandler serves the profiles of the coordinator's own process.
func pprofHandler() http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc("/debug/pprof/", pprof.Index)
	mux.HandleFunc("/debug/pprof/cmdline", pprof.Cmdline)
	mux.HandleFunc("/debug/pprof/profile", pprof.Profile)
	mux.HandleFunc("/debug/pprof/symbol", pprof.Symbol)
	mux.HandleFunc("/debug/pprof/trace", pprof.Trace)
	return mux
}
