package api

import (
	"bytes"
	"context"
	"crypto/subtle"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"runtime/debug"
	"strings"
	"time"

	"github.com/fullspate/spate/engine/auth"
	"github.com/fullspate/spate/engine/coordinator"
)

// Coordinator is what the API serves: a *coordinator.Server.
type Coordinator interface {
	Submit(ctx context.Context, r coordinator.Request) (id string, err error)
	Drain(ctx context.Context, id string) error
	Cancel(ctx context.Context, id string) error
	Rescale(ctx context.Context, job, operator string, tasks int) (coordinator.Reassignment, error)
	Rebalance(ctx context.Context, job, operator string, cuts []uint64) (coordinator.Reassignment, error)
	Migrate(ctx context.Context, job, operator string, task int, to string) (coordinator.Reassignment, error)
	Reassigned(ctx context.Context, job string, id uint64) (coordinator.Reassignment, error)
	DrainWorker(ctx context.Context, id string) (coordinator.WorkerInfo, error)
	Drained(ctx context.Context, id string) (coordinator.WorkerInfo, error)
	Follow(ctx context.Context, id string, after uint64) ([]coordinator.Event, error)
	Info(ctx context.Context) (coordinator.ClusterInfo, error)
	Workers(ctx context.Context) ([]coordinator.WorkerInfo, error)
	Jobs(ctx context.Context) ([]coordinator.JobSummary, error)
	Job(ctx context.Context, id string) (coordinator.JobInfo, error)
	Wait(ctx context.Context, id string) (coordinator.JobInfo, error)
	Events(ctx context.Context) ([]coordinator.Event, error)
	Counts(ctx context.Context) (map[coordinator.EventKind]uint64, error)
	Profile(ctx context.Context, kind string, d time.Duration) ([]coordinator.Profile, error)
	JournalBytes(ctx context.Context) (int64, error)
	AuthStats() auth.Stats
}

var _ Coordinator = (*coordinator.Server)(nil)

// Config says what is served.
type Config struct {
	Coordinator Coordinator
	// Secret is what writes have to know.
	Secret auth.Secret
	// Logger takes panics of handlers; nil for nothing.
	Logger *slog.Logger
}

// bodyMax bounds the body of a request in bytes: parameters of a job, and something for the rest.
const bodyMax = 2 << 20

// api is the handler.
type api struct {
	Config
	mux    *http.ServeMux
	routes []route
}

// route is one method and path. What a handler returns as an error is the answer.
type route struct {
	pattern string
	access  access
	handle  func(w http.ResponseWriter, r *http.Request) error
}

// access says who may use a route.
type access uint8

const (
	anyone  access = iota
	holders        // of the secret
	nearby         // who is on the same machine, and holders of the secret
)

// Handler serves the API.
func Handler(cfg Config) http.Handler {
	if cfg.Logger == nil {
		cfg.Logger = slog.New(slog.DiscardHandler)
	}
	return newAPI(cfg)
}

func newAPI(cfg Config) *api {
	a := &api{Config: cfg, mux: http.NewServeMux()}
	metrics, profiles := prometheusHandler(cfg.Coordinator), pprofHandler()
	a.routes = []route{
		{"GET /api/v1/cluster", anyone, a.cluster},
		{"GET /api/v1/workers", anyone, a.workers},
		{"POST /api/v1/workers/{id}/drain", holders, a.drainWorker},
		{"GET /api/v1/jobs", anyone, a.jobs},
		{"POST /api/v1/jobs", holders, a.submit},
		{"GET /api/v1/jobs/{id}", anyone, a.job},
		{"GET /api/v1/jobs/{id}/metrics", anyone, a.jobMetrics},
		{"GET /api/v1/jobs/{id}/info", anyone, a.jobInfo},
		{"POST /api/v1/jobs/{id}/drain", holders, a.drain},
		{"POST /api/v1/jobs/{id}/cancel", holders, a.cancel},
		{"GET /api/v1/jobs/{id}/events", anyone, a.jobEvents},
		{"GET /api/v1/jobs/{id}/reassignments/{reassignment}", anyone, a.reassignment},
		{"POST /api/v1/jobs/{id}/operators/{operator}/rescale", holders, a.rescale},
		{"POST /api/v1/jobs/{id}/operators/{operator}/rebalance", holders, a.rebalance},
		{"POST /api/v1/jobs/{id}/operators/{operator}/tasks/{task}/migrate", holders, a.migrate},
		{"GET /api/v1/events", anyone, a.events},
		{"POST /api/v1/profile", holders, a.profile},
		{"GET /metrics", anyone, served(metrics)},
		{"GET /healthz", anyone, a.health},
		{"GET /readyz", anyone, a.ready},
		{"GET /debug/pprof/", nearby, served(profiles)},
	}
	for _, rt := range a.routes {
		a.mux.HandleFunc(rt.pattern, func(w http.ResponseWriter, r *http.Request) { a.serve(w, r, rt) })
	}
	return a
}

func served(h http.Handler) func(http.ResponseWriter, *http.Request) error {
	return func(w http.ResponseWriter, r *http.Request) error { h.ServeHTTP(w, r); return nil }
}

// ServeHTTP routes a request. What no route is for is an error in JSON, too.
func (a *api) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	h, pattern := a.mux.Handler(r)
	if pattern != "" {
		a.mux.ServeHTTP(w, r)
		return
	}
	verdict := &verdict{header: w.Header()} // not found, or the methods that are allowed
	h.ServeHTTP(verdict, r)
	if verdict.status == http.StatusMethodNotAllowed {
		a.fail(w, r, &failure{verdict.status, "method_not_allowed", fmt.Sprintf("%s does not take %s, but %s", r.URL.Path, r.Method, w.Header().Get("Allow"))})
		return
	}
	a.fail(w, r, &failure{http.StatusNotFound, "not_found", "there is nothing at " + r.URL.Path + ": see docs/api.md"})
}

// verdict is a response of which only the head counts.
type verdict struct {
	header http.Header
	status int
}

func (v *verdict) Header() http.Header         { return v.header }
func (v *verdict) WriteHeader(status int)      { v.status = status }
func (v *verdict) Write(p []byte) (int, error) { return len(p), nil }

// serve runs a route's handler within its bounds.
func (a *api) serve(w http.ResponseWriter, r *http.Request, rt route) {
	defer func() {
		if v := recover(); v != nil && v != http.ErrAbortHandler {
			a.Logger.Error("panic in an HTTP handler", "route", rt.pattern, "panic", v, "stack", string(debug.Stack()))
			a.fail(w, r, &failure{http.StatusInternalServerError, "internal", "a bug: see the coordinator's log"})
		}
	}()
	if err := a.admit(r, rt.access); err != nil {
		a.fail(w, r, err)
		return
	}
	r.Body = http.MaxBytesReader(w, r.Body, bodyMax)
	if err := rt.handle(w, r); err != nil {
		a.fail(w, r, err)
	}
}

// admit says whether a request may go on.
func (a *api) admit(r *http.Request, need access) error {
	switch {
	case need == anyone, need == nearby && isLoopback(r.RemoteAddr), a.knowsSecret(r):
		return nil
	}
	return &failure{http.StatusUnauthorized, "unauthorized", `want the header "Authorization: Bearer SECRET" with the cluster's secret, 64 hex digits`}
}

func isLoopback(addr string) bool {
	host, _, err := net.SplitHostPort(addr)
	ip := net.ParseIP(host)
	return err == nil && ip != nil && ip.IsLoopback()
}

func (a *api) knowsSecret(r *http.Request) bool {
	scheme, text, _ := strings.Cut(r.Header.Get("Authorization"), " ")
	if !strings.EqualFold(scheme, "Bearer") {
		return false
	}
	s, err := auth.ParseSecret(text)
	return err == nil && !a.Secret.IsZero() && subtle.ConstantTimeCompare(s[:], a.Secret[:]) == 1
}

// failure is an error with its status.
type failure struct {
	status  int
	code    string
	message string
}

// Error is the message.
func (f *failure) Error() string { return f.message }

// fail answers with an error.
func (a *api) fail(w http.ResponseWriter, r *http.Request, err error) {
	f := failureFrom(err)
	if f.status == http.StatusUnauthorized {
		w.Header().Set("WWW-Authenticate", `Bearer realm="spate"`)
	}
	if f.status == http.StatusInternalServerError {
		a.Logger.Error("HTTP request failed", "method", r.Method, "path", r.URL.Path, "error", err)
	}
	body := struct {
		Error struct {
			Code    string `json:"code"`
			Message string `json:"message"`
		} `json:"error"`
	}{}
	body.Error.Code, body.Error.Message = f.code, f.message
	_ = writeJSON(w, f.status, body) // there is nothing more to be said
}

// failureFrom finds the status for an error.
func failureFrom(err error) *failure {
	var f *failure
	var refused *coordinator.Error
	var large *http.MaxBytesError
	switch {
	case errors.As(err, &f):
		return f
	case errors.As(err, &refused):
		return &failure{statusOf[refused.Code], string(refused.Code), refused.Message}
	case errors.As(err, &large):
		return &failure{http.StatusRequestEntityTooLarge, "too_large", fmt.Sprintf("the body is longer than %d bytes", large.Limit)}
	case errors.Is(err, context.Canceled), errors.Is(err, context.DeadlineExceeded):
		return &failure{http.StatusServiceUnavailable, string(coordinator.Unavailable), "the coordinator is busy"}
	}
	return &failure{http.StatusInternalServerError, "internal", err.Error()}
}

var statusOf = map[coordinator.Code]int{
	coordinator.Invalid: http.StatusBadRequest, coordinator.NotFound: http.StatusNotFound,
	coordinator.Conflict: http.StatusConflict, coordinator.Unavailable: http.StatusServiceUnavailable,
}

// writeJSON answers with a JSON value, made before the head is sent, since it may fail.
func writeJSON(w http.ResponseWriter, status int, v any) error {
	var b bytes.Buffer
	if err := json.NewEncoder(&b).Encode(v); err != nil {
		return err
	}
	h := w.Header()
	h.Set("Content-Type", "application/json")
	h.Set("Cache-Control", "no-store")
	h.Set("X-Content-Type-Options", "nosniff")
	w.WriteHeader(status)
	_, _ = w.Write(b.Bytes()) // if the client has gone, nobody is there to be told
	return nil
}

// readJSON reads a body that is one JSON object without unknown members.
func readJSON(r *http.Request, v any) error {
	d := json.NewDecoder(r.Body)
	d.DisallowUnknownFields()
	err := d.Decode(v)
	if err == nil {
		if _, more := d.Token(); more != io.EOF {
			err = errors.New("there is something after the object")
		}
	}
	if err == nil || errors.As(err, new(*http.MaxBytesError)) {
		return err
	}
	return &failure{http.StatusBadRequest, string(coordinator.Invalid), "the body is not what is wanted: " + err.Error()}
}
