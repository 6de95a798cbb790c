package api

import (
	"bytes"
	"context"
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"reflect"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/fullspate/spate/engine/auth"
	"github.com/fullspate/spate/engine/control"
	"github.com/fullspate/spate/engine/coordinator"
	"github.com/google/pprof/profile"
	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/testutil"
)

var secret = auth.NewSecret()

// call makes a request with the secret and checks the response against the document.
func call(t *testing.T, s *stub, pattern, url, body string, change ...func(*http.Request)) *httptest.ResponseRecorder {
	t.Helper()
	method, _, _ := strings.Cut(pattern, " ")
	r := httptest.NewRequest(method, url, strings.NewReader(body))
	r.Header.Set("Authorization", "Bearer "+secret.Reveal())
	for _, c := range change {
		c(r)
	}
	w := httptest.NewRecorder()
	Handler(Config{Coordinator: s, Secret: secret}).ServeHTTP(w, r)
	conforms(t, pattern, w)
	return w
}

func TestResponses(t *testing.T) {
	failed := &stub{job: failedJob()}
	tests := []struct {
		pattern, url, body string
		stub               *stub
		status             int
		want               string // a part of the response
	}{
		{"GET /api/v1/cluster", "/api/v1/cluster", "", nil, 200, `"id":"00ff","epoch":3,"started":"2026-01-02T03:04:05.006Z","ready":true,"heartbeat_timeout_ms":200,"workers":{"ready":1}`},
		{"GET /api/v1/workers", "/api/v1/workers", "", nil, 200, `"incarnation":"ffffffffffffffff","loops":2,"memory_bytes":1073741824,"version":"v1","commit":"abc"`},
		{"GET /api/v1/workers", "/api/v1/workers", "", nil, 200, `"tasks":[{"job":"j1","operator":"count","task":1,"loop":1}]`},
		{"GET /api/v1/events", "/api/v1/events", "", nil, 200, `{"seq":2,"at":"2026-01-02T03:04:05.006Z","kind":"job_started","job":"j1","took_ms":1.5}`},
		{"GET /api/v1/jobs", "/api/v1/jobs", "", nil, 200, `"started":"2026-01-02T03:04:06.006Z","ended":null,"failure":null`},
		{"GET /api/v1/jobs", "/api/v1/jobs", "", failed, 200, `"failure":{"worker":"w1","operator":"count","task":1,"time":"12.345s/3#7","time_ms":12345,"key":"17","message":"boom"`},
		{"GET /api/v1/jobs/{id}", "/api/v1/jobs/j1", "", nil, 200, `"params":{"n":1},"parallelism":{"count":1},"config":{"pace":1},"fingerprint":"ffffffffffffffff"`},
		{"GET /api/v1/jobs/{id}", "/api/v1/jobs/j1", "", nil, 200, `"splits":["a","b"],"position":"∞","position_ms":null`},
		{"GET /api/v1/jobs/{id}", "/api/v1/jobs/j1", "", nil, 200, `"operator":"count","task":0,"worker":"w1","loop":1,"fused":false,"role":"speaking","range":{"first":"0000000000000000","last":"ffffffffffffffff"},"position":null`},
		{"GET /api/v1/jobs/{id}", "/api/v1/jobs/j1", "", failed, 200, `"position":"12.345s/3#7","position_ms":12345,"frontier_lag_ms":2,"latency":{"count":9,"p50_ms":1,"p95_ms":2,"p99_ms":3,"max_ms":4.5},"tuples_in":10,"tuples_out":0,"rate_in":2.5,"rate_out":1,"true_rate":10,"busy":0.25`},
		{"GET /api/v1/jobs/{id}", "/api/v1/jobs/j1", "", failed, 200, `"cause":"heartbeats","reason":"silent","heard":"2026-01-02T03:04:05.006Z","detected":"2026-01-02T03:04:06.006Z","after_ms":1000,"tasks":[{"operator":"count","task":0,"position":"12.345s/3#7","position_ms":12345},{"operator":"in","task":0,"position":null,"position_ms":null}]`},
		{"GET /api/v1/jobs/{id}", "/api/v1/jobs/j1", "", failed, 200, `"results":[{"worker":"w1","name":"sum","data":[1]}]`},
		{"GET /api/v1/jobs/{id}", "/api/v1/jobs/j1", "", failed, 200, `"recovered":true}],"recoveries":{"count":2,"attempts":3,"last_ms":125}`},
		{"GET /api/v1/jobs/{id}", "/api/v1/jobs/j1?wait=5", "", failed, 200, `"state":"failed"`},
		{"GET /api/v1/jobs/{id}", "/api/v1/jobs/j2", "", nil, 404, `"code":"not_found"`},
		{"GET /api/v1/jobs/{id}", "/api/v1/jobs/j1?wait=61", "", nil, 400, `wait is \"61\", want seconds, 0 to 60`},
		{"GET /api/v1/jobs/{id}", "/api/v1/jobs/j1?wait=NaN", "", nil, 400, `"code":"invalid"`},
		{"GET /api/v1/jobs/{id}/metrics", "/api/v1/jobs/j1/metrics", "", failed, 200, `"useful_ms":1000,"waiting_ms":3000,"turns":4,"blocked":1,"queue_bytes":11,"state_bytes":12`},
		{"GET /api/v1/jobs/{id}/metrics", "/api/v1/jobs/j1/metrics", "", nil, 200, `"owners":[{"name":"count/table","bytes":5,"bytes_max":6}],"links":[{"peer":"w2","bytes_out":1`},
		{"GET /api/v1/jobs/{id}/metrics", "/api/v1/jobs/j2/metrics", "", nil, 404, `"code":"not_found"`},
		{"GET /api/v1/jobs/{id}/info", "/api/v1/jobs/j1/info", "", nil, 200, `"Program":"count"`},
		{"POST /api/v1/jobs", "/api/v1/jobs", `{"graph":"count"}`, nil, 201, `{"id":"j1"}`},
		{"POST /api/v1/jobs", "/api/v1/jobs", `{"graph":"count"} {}`, nil, 400, `after the object`},
		{"POST /api/v1/jobs", "/api/v1/jobs", `{"graf":"count"}`, nil, 400, `unknown field \"graf\"`},
		{"POST /api/v1/jobs", "/api/v1/jobs", `{"graph":7}`, nil, 400, `"code":"invalid"`},
		{"POST /api/v1/jobs", "/api/v1/jobs", `[`, nil, 400, `"code":"invalid"`},
		{"POST /api/v1/jobs", "/api/v1/jobs", ``, nil, 400, `"code":"invalid"`},
		{"POST /api/v1/jobs", "/api/v1/jobs", `{"graph":"` + strings.Repeat("x", bodyMax) + `"}`, nil, 413, `"code":"too_large"`},
		{"POST /api/v1/jobs/{id}/drain", "/api/v1/jobs/j1/drain", "", nil, 202, `"id":"j1"`},
		{"POST /api/v1/jobs/{id}/cancel", "/api/v1/jobs/j1/cancel", "", nil, 202, `"id":"j1"`},
		{"GET /api/v1/jobs/{id}", "/api/v1/jobs/j1", "", nil, 200, `"operator":"count","task":2,"worker":"w1","loop":0,"fused":false,"role":"mute"`},
		{"GET /api/v1/jobs/{id}", "/api/v1/jobs/j1", "", nil, 200, `"reassignments":[{"id":7,"kind":"rescale","operator":"count","state":"restoring","old":[{"task":0,"worker":"w1"`},
		{rescalePattern, "/api/v1/jobs/j1/operators/count/rescale", `{"parallelism":2}`, nil, 202, `"state":"registering"`},
		{rescalePattern, "/api/v1/jobs/j1/operators/count/rescale?wait=5", `{"parallelism":2}`, nil, 200, `"ended":"2026-01-02T03:04:06.006Z","register_ms":1,"restore_ms":2,"catch_up_ms":3,"switch_ms":4`},
		{rescalePattern, "/api/v1/jobs/j1/operators/count/rescale?wait=x", `{"parallelism":2}`, nil, 400, `want seconds`},
		{rescalePattern, "/api/v1/jobs/j1/operators/count/rescale", `{"tasks":2}`, nil, 400, `unknown field`},
		{rebalancePattern, "/api/v1/jobs/j1/operators/count/rebalance", `{}`, nil, 202, `"id":7`},
		{rebalancePattern, "/api/v1/jobs/j1/operators/count/rebalance", `{"cuts":["0xg"]}`, nil, 400, `hash \"0xg\", want a number`},
		{rebalancePattern, "/api/v1/jobs/j1/operators/count/rebalance", `{"cuts":[1.5]}`, nil, 400, `hash \"1.5\", want a number`},
		{migratePattern, "/api/v1/jobs/j1/operators/count/tasks/0/migrate", `{}`, nil, 202, `"id":7`},
		{migratePattern, "/api/v1/jobs/j1/operators/count/tasks/x/migrate", `{}`, nil, 400, `task is \"x\"`},
		{"GET /api/v1/jobs/{id}/reassignments/{reassignment}", "/api/v1/jobs/j1/reassignments/7", "", nil, 200, `"state":"restoring"`},
		{"GET /api/v1/jobs/{id}/reassignments/{reassignment}", "/api/v1/jobs/j1/reassignments/7?wait=1", "", nil, 200, `"state":"done"`},
		{"GET /api/v1/jobs/{id}/reassignments/{reassignment}", "/api/v1/jobs/j1/reassignments/8", "", nil, 404, `no reassignment 8`},
		{"GET /api/v1/jobs/{id}/reassignments/{reassignment}", "/api/v1/jobs/j1/reassignments/x", "", nil, 400, `reassignment is \"x\"`},
		{"POST /api/v1/workers/{id}/drain", "/api/v1/workers/w1/drain", "", nil, 202, `"drain":{"done":false,"moved":0,"left":[]}`},
		{"POST /api/v1/workers/{id}/drain", "/api/v1/workers/w1/drain?wait=3", "", nil, 200, `"drain":{"done":true,"moved":2,"left":[{"job":"j1","operator":"out","task":0,"reason":"a sink"}]}`},
		{"GET /api/v1/jobs/{id}/events", "/api/v1/jobs/j1/events", "", nil, 200, `{"events":[{"seq":1,`},
		{"GET /api/v1/jobs/{id}/events", "/api/v1/jobs/j1/events?follow=maybe", "", nil, 400, `want 1 or 0`},
		{"GET /api/v1/jobs/{id}/events", "/api/v1/jobs/j2/events?follow=1", "", nil, 404, `"not_found"`},
		{"GET /healthz", "/healthz", "", nil, 200, `{"status":"ok"}`},
		{"GET /readyz", "/readyz", "", nil, 200, `{"status":"ready"}`},
		{"GET /debug/pprof/", "/debug/pprof/", "", nil, 200, "goroutine"},
		{"GET /metrics", "/metrics", "", nil, 200, "spate_up 1"},
		{"GET /api/v1/workers", "/api/v1/workers", "", &stub{panics: true}, 500, `"code":"internal"`},
	}
	for _, tt := range tests {
		t.Run(tt.pattern+" "+tt.url, func(t *testing.T) {
			s := tt.stub
			if s == nil {
				s = &stub{}
			}
			w := call(t, s, tt.pattern, tt.url, tt.body)
			if w.Code != tt.status || !strings.Contains(w.Body.String(), tt.want) {
				t.Errorf("got %d with\n%.3000s\nwant %d with\n%s", w.Code, w.Body, tt.status, tt.want)
			}
		})
	}
}

// Whatever the coordinator answers with an error, has its status and code; on every route.
func TestErrors(t *testing.T) {
	tests := []struct {
		err    error
		status int
		code   string
	}{
		{&coordinator.Error{Code: coordinator.Invalid, Message: "m"}, 400, "invalid"},
		{&coordinator.Error{Code: coordinator.NotFound, Message: "m"}, 404, "not_found"},
		{&coordinator.Error{Code: coordinator.Conflict, Message: "m"}, 409, "conflict"},
		{&coordinator.Error{Code: coordinator.Unavailable, Message: "m"}, 503, "unavailable"},
		{context.Canceled, 503, "unavailable"},
		{errors.New("m"), 500, "internal"},
	}
	for _, tt := range tests {
		for _, rt := range newAPI(Config{Coordinator: &stub{}}).routes {
			if strings.HasSuffix(rt.pattern, "/metrics") && !strings.Contains(rt.pattern, "api") || strings.Contains(rt.pattern, "debug") {
				continue // answer without the coordinator
			}
			_, path, _ := strings.Cut(rt.pattern, " ")
			path = strings.NewReplacer("{id}", "j1", "{operator}", "count", "{task}", "0", "{reassignment}", "7").Replace(path)
			w := call(t, &stub{err: tt.err}, rt.pattern, path, `{}`)
			if w.Code != tt.status || !strings.Contains(w.Body.String(), `{"error":{"code":"`+tt.code+`","message":"`) {
				t.Errorf("%s: %v becomes %d with %s, want %d with code %q", rt.pattern, tt.err, w.Code, w.Body, tt.status, tt.code)
			}
		}
	}
}

func TestSecrets(t *testing.T) {
	with := func(value string) func(*http.Request) {
		return func(r *http.Request) { r.Header.Set("Authorization", value) }
	}
	far := func(r *http.Request) { r.RemoteAddr = "192.0.2.1:99" }
	near := func(r *http.Request) { r.RemoteAddr = "[::1]:99" }
	tests := []struct {
		name, pattern, url string
		change             []func(*http.Request)
		status             int
	}{
		{"none", "POST /api/v1/jobs", "/api/v1/jobs", []func(*http.Request){with("")}, 401},
		{"wrong", "POST /api/v1/jobs", "/api/v1/jobs", []func(*http.Request){with("Bearer " + auth.NewSecret().Reveal())}, 401},
		{"not hex", "POST /api/v1/jobs", "/api/v1/jobs", []func(*http.Request){with("Bearer secret")}, 401},
		{"another scheme", "POST /api/v1/jobs", "/api/v1/jobs", []func(*http.Request){with("Basic " + secret.Reveal())}, 401},
		{"right", "POST /api/v1/jobs", "/api/v1/jobs", nil, 201},
		{"scheme in lower case", "POST /api/v1/jobs", "/api/v1/jobs", []func(*http.Request){with("bearer " + secret.Reveal())}, 201},
		{"drain", "POST /api/v1/jobs/{id}/drain", "/api/v1/jobs/j1/drain", []func(*http.Request){with("")}, 401},
		{"cancel", "POST /api/v1/jobs/{id}/cancel", "/api/v1/jobs/j1/cancel", []func(*http.Request){with("")}, 401},
		{"rescale", rescalePattern, "/api/v1/jobs/j1/operators/count/rescale", []func(*http.Request){with("")}, 401},
		{"drain of a worker", "POST /api/v1/workers/{id}/drain", "/api/v1/workers/w1/drain", []func(*http.Request){with("")}, 401},
		{"profile", "POST /api/v1/profile", "/api/v1/profile", []func(*http.Request){with("")}, 401},
		{"reading", "GET /api/v1/jobs", "/api/v1/jobs", []func(*http.Request){with(""), far}, 200},
		{"pprof from afar", "GET /debug/pprof/", "/debug/pprof/", []func(*http.Request){with(""), far}, 401},
		{"pprof from afar with it", "GET /debug/pprof/", "/debug/pprof/", []func(*http.Request){far}, 200},
		{"pprof from near", "GET /debug/pprof/", "/debug/pprof/", []func(*http.Request){with(""), near}, 200},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			s := &stub{}
			w := call(t, s, tt.pattern, tt.url, `{"graph":"count"}`, tt.change...)
			if w.Code != tt.status {
				t.Errorf("got %d with %s, want %d", w.Code, w.Body, tt.status)
			}
			if w.Code == 401 && (s.asked.Program != "" || s.drained != "" || s.moved != "" || s.kind != "") {
				t.Error("it was done all the same")
			}
			if w.Code == 401 && w.Header().Get("WWW-Authenticate") == "" {
				t.Error("the response does not say how to authenticate")
			}
		})
	}
	if (&api{}).knowsSecret(&http.Request{Header: http.Header{"Authorization": {"Bearer " + strings.Repeat("0", 64)}}}) {
		t.Error("a coordinator without a secret takes zeros for one")
	}
}

func TestWhatIsNotThere(t *testing.T) {
	tests := []struct {
		method, url string
		status      int
		want        string
	}{
		{"GET", "/", 404, `"not_found"`},
		{"GET", "/api/v1/nothing", 404, `"not_found"`},
		{"POST", "/api/v2/jobs", 404, `"not_found"`},
		{"PUT", "/api/v1/jobs", 405, `does not take PUT, but GET, HEAD, POST`},
		{"DELETE", "/api/v1/jobs/j1", 405, `"method_not_allowed"`},
		{"GET", "/api/v1/jobs/j1/drain", 405, `but POST`},
	}
	for _, tt := range tests {
		w := httptest.NewRecorder()
		Handler(Config{Coordinator: &stub{}}).ServeHTTP(w, httptest.NewRequest(tt.method, tt.url, nil))
		if w.Code != tt.status || !strings.Contains(w.Body.String(), tt.want) {
			t.Errorf("%s %s: got %d with %s, want %d with %s", tt.method, tt.url, w.Code, w.Body, tt.status, tt.want)
		}
		if w.Code == 405 && w.Header().Get("Allow") == "" {
			t.Errorf("%s %s: the response does not say what is allowed", tt.method, tt.url)
		}
	}
}

const (
	rescalePattern   = "POST /api/v1/jobs/{id}/operators/{operator}/rescale"
	rebalancePattern = "POST /api/v1/jobs/{id}/operators/{operator}/rebalance"
	migratePattern   = "POST /api/v1/jobs/{id}/operators/{operator}/tasks/{task}/migrate"
)

func TestReassignmentsArePassedOn(t *testing.T) {
	tests := []struct{ pattern, url, body, want string }{
		{rescalePattern, "/api/v1/jobs/j1/operators/a.b/rescale", `{"parallelism":3}`, "j1 a.b to 3"},
		{rebalancePattern, "/api/v1/jobs/j1/operators/count/rebalance", `{"cuts":[16,"0xFFFFFFFFFFFFFFFF","256"]}`, "j1 count at [10 ffffffffffffffff 100]"},
		{migratePattern, "/api/v1/jobs/j1/operators/count/tasks/5/migrate", `{"worker":"w2"}`, `j1 count/5 to "w2"`},
	}
	for _, tt := range tests {
		s := &stub{}
		w := call(t, s, tt.pattern, tt.url, tt.body)
		if s.moved != tt.want || w.Header().Get("Location") != "/api/v1/jobs/j1/reassignments/7" {
			t.Errorf("%s: asked for %q, at %q, want %q", tt.pattern, s.moved, w.Header().Get("Location"), tt.want)
		}
	}
}

func TestSubmitIsPassedOn(t *testing.T) {
	s := &stub{}
	body := `{"graph":"count","params":{"n":[1]},"parallelism":{"count":3},"workers":2,"pins":{"out":1},"config":{"pace":1.5,"no_fuse":true,"checkpoint_interval_ms":2500,"replicas":2}}`
	w := call(t, s, "POST /api/v1/jobs", "/api/v1/jobs", body)
	want := coordinator.Request{
		Program: "count", Params: []byte(`{"n":[1]}`), Parallelism: map[string]int{"count": 3}, Workers: 2,
		Pins: map[string]int{"out": 1}, Config: control.JobConfig{Pace: 1.5, NoFuse: true, CheckpointInterval: 2500 * time.Millisecond, Replicas: 2},
	}
	if !reflect.DeepEqual(s.asked, want) || w.Header().Get("Location") != "/api/v1/jobs/j1" {
		t.Errorf("asked for %+v, at %q, want %+v", s.asked, w.Header().Get("Location"), want)
	}
	if back := SubmitOf(want).request(); !reflect.DeepEqual(back, want) {
		t.Errorf("SubmitOf makes %+v of %+v", back, want)
	}
}

// Whatever a job's configuration has goes through the API and comes out the same.
func TestConfigIsComplete(t *testing.T) {
	var c control.JobConfig
	v := reflect.ValueOf(&c).Elem()
	for i := range v.NumField() {
		switch f := v.Field(i); f.Kind() {
		case reflect.Bool:
			f.SetBool(true)
		case reflect.Float64:
			f.SetFloat(float64(i) + 0.5)
		default:
			f.SetInt(int64(i + 1))
		}
	}
	c.CheckpointInterval = 1500 * time.Microsecond
	if got := ConfigOf(c).config(); got != c {
		t.Errorf("got %+v, want %+v", got, c)
	}
}

// A job that goes on is waited for no longer than was asked.
func TestWaiting(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		began := time.Now()
		w := httptest.NewRecorder()
		Handler(Config{Coordinator: &stub{}}).ServeHTTP(w, httptest.NewRequest("GET", "/api/v1/jobs/j1?wait=2.5", nil))
		if took := time.Since(began); took != 2500*time.Millisecond || w.Code != 200 || !strings.Contains(w.Body.String(), `"state":"running"`) {
			t.Errorf("after %v: %d with %s", took, w.Code, w.Body)
		}
	})
}

// Events come as they happen, with empty lines when there are none, until the job has ended.
func TestFollowing(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		began := time.Now()
		w := call(t, &stub{}, "GET /api/v1/jobs/{id}/events", "/api/v1/jobs/j1/events?follow=1", "")
		lines := strings.Split(w.Body.String(), "\n")
		if took := time.Since(began); took != 55*time.Second || w.Code != 200 || len(lines) != 2+5+1+1 {
			t.Fatalf("after %v: %d with %q", took, w.Code, lines)
		}
		for i, want := range []string{"job_submitted", "job_started", "", "", "", "", "", "job_completed", ""} {
			if !strings.Contains(lines[i], want) || want == "" && lines[i] != "" {
				t.Errorf("line %d is %q, want one with %q", i, lines[i], want)
			}
		}
	})
}

func TestReadiness(t *testing.T) {
	a := newAPI(Config{Coordinator: notReady{&stub{}}})
	w := httptest.NewRecorder()
	a.ServeHTTP(w, httptest.NewRequest("GET", "/readyz", nil))
	conforms(t, "GET /readyz", w)
	if w.Code != 503 || !strings.Contains(w.Body.String(), "0 workers are there, 2 are expected back") {
		t.Errorf("got %d with %s", w.Code, w.Body)
	}
}

type notReady struct{ Coordinator }

func (notReady) Info(context.Context) (coordinator.ClusterInfo, error) {
	return coordinator.ClusterInfo{Workers: map[coordinator.WorkerState]int{coordinator.WorkerExpected: 2}}, nil
}

func TestMetrics(t *testing.T) {
	problems, err := testutil.CollectAndLint(&collector{&stub{}})
	if err != nil || len(problems) > 0 {
		t.Errorf("%v, %v", problems, err)
	}
	const want = `
# HELP spate_task_tuples_out_total Tuples that a task has emitted.
# TYPE spate_task_tuples_out_total counter
spate_task_tuples_out_total{job="j1",operator="in",task="0",worker="w1"} 50
spate_task_tuples_out_total{job="j1",operator="pass",task="0",worker="w1"} 49
# HELP spate_up 1 if the coordinator answers.
# TYPE spate_up gauge
spate_up 1
# HELP spate_auth_refused_total Connections that were refused.
# TYPE spate_auth_refused_total counter
spate_auth_refused_total{reason="wrong secret"} 2
`
	err = testutil.CollectAndCompare(&collector{&stub{}}, strings.NewReader(want), "spate_task_tuples_out_total", "spate_up", "spate_auth_refused_total")
	if err != nil {
		t.Error(err)
	}
	timed := failedJob()
	timed.State = coordinator.Running
	const recoveries = `
# HELP spate_job_last_recovery_seconds How long the last of these took, from when the loss was detected.
# TYPE spate_job_last_recovery_seconds gauge
spate_job_last_recovery_seconds{job="j1"} 0.125
# HELP spate_job_recoveries_total How often a job was carried on after it had lost workers.
# TYPE spate_job_recoveries_total counter
spate_job_recoveries_total{job="j1"} 2
`
	err = testutil.CollectAndCompare(&collector{&stub{job: timed}}, strings.NewReader(recoveries), "spate_job_recoveries_total", "spate_job_last_recovery_seconds")
	if err != nil {
		t.Error(err)
	}
	const latency = `
# HELP spate_task_latency_seconds How long what a task has processed in the last second had been on its way; quantile 1 is the longest.
# TYPE spate_task_latency_seconds gauge
spate_task_latency_seconds{job="j1",operator="count",quantile="0.5",task="0",worker="w1"} 0.001
spate_task_latency_seconds{job="j1",operator="count",quantile="0.95",task="0",worker="w1"} 0.002
spate_task_latency_seconds{job="j1",operator="count",quantile="0.99",task="0",worker="w1"} 0.003
spate_task_latency_seconds{job="j1",operator="count",quantile="1",task="0",worker="w1"} 0.0045
`
	if err := testutil.CollectAndCompare(&collector{&stub{job: timed}}, strings.NewReader(latency), "spate_task_latency_seconds"); err != nil {
		t.Error(err)
	}
	if n := testutil.CollectAndCount(&collector{&stub{}}, "spate_worker_rss_bytes"); n != 1 {
		t.Errorf("%d workers, want the one that is not lost", n)
	}
	if n := testutil.CollectAndCount(&collector{&stub{job: failedJob()}}, "spate_task_tuples_in_total"); n != 0 {
		t.Errorf("%d tasks of a job that has ended", n)
	}
	if v := testutil.ToFloat64(onlyUp{&collector{&stub{err: errors.New("gone")}}}); v != 0 {
		t.Errorf("up is %v for a coordinator that does not answer", v)
	}
}

// onlyUp drops all metrics but the one that says whether the coordinator answers.
type onlyUp struct{ *collector }

func (o onlyUp) Collect(ch chan<- prometheus.Metric) {
	all := make(chan prometheus.Metric, 100)
	o.collector.Collect(all)
	close(all)
	for m := range all {
		if m.Desc() == up.desc {
			ch <- m
		}
	}
}

func TestProfile(t *testing.T) {
	s := &stub{profiles: []coordinator.Profile{
		{Worker: "w1", Data: sample(t, 3)}, {Worker: "w2", Err: errors.New("its connection\nhas ended")}, {Worker: "w3", Data: sample(t, 4)},
		{Worker: "w4", Data: []byte("rubbish")},
	}}
	w := call(t, s, "POST /api/v1/profile", "/api/v1/profile?kind=cpu&seconds=2.5", "")
	p, err := profile.Parse(w.Body)
	if w.Code != 200 || err != nil {
		t.Fatalf("%d, %v", w.Code, err)
	}
	got := map[string]int64{}
	for _, s := range p.Sample {
		got[s.Label["worker"][0]+" "+s.Label["operator"][0]] += s.Value[0]
	}
	if want := map[string]int64{"w1 count": 3, "w3 count": 4}; !reflect.DeepEqual(got, want) {
		t.Errorf("samples %v, want %v", got, want)
	}
	if m := w.Header().Get("Spate-Missing"); !strings.HasPrefix(m, "w2: its connection has ended; w4: ") {
		t.Errorf("missing %q", m)
	}
	if s.kind != "cpu" || s.took != 2500*time.Millisecond {
		t.Errorf("asked for %q, %v", s.kind, s.took)
	}
	for _, url := range []string{"/api/v1/profile?seconds=301", "/api/v1/profile?seconds=x"} {
		if w := call(t, s, "POST /api/v1/profile", url, ""); w.Code != 400 {
			t.Errorf("%s: %d", url, w.Code)
		}
	}
	none := &stub{profiles: s.profiles[1:2]}
	if w := call(t, none, "POST /api/v1/profile", "/api/v1/profile", ""); w.Code != 503 || !strings.Contains(w.Body.String(), "w2: its connection has ended") {
		t.Errorf("nothing to merge: %d with %s", w.Code, w.Body)
	}
}

// sample is a profile of one function.
func sample(t *testing.T, value int64) []byte {
	t.Helper()
	f := &profile.Function{ID: 1, Name: "f"}
	l := &profile.Location{ID: 1, Line: []profile.Line{{Function: f}}}
	p := &profile.Profile{
		SampleType: []*profile.ValueType{{Type: "samples", Unit: "count"}}, PeriodType: &profile.ValueType{Type: "cpu", Unit: "nanoseconds"},
		Sample:   []*profile.Sample{{Location: []*profile.Location{l}, Value: []int64{value}, Label: map[string][]string{"operator": {"count"}}}},
		Function: []*profile.Function{f}, Location: []*profile.Location{l},
	}
	var b bytes.Buffer
	if err := p.Write(&b); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

func TestServe(t *testing.T) {
	s, err := Serve("127.0.0.1:0", Config{Coordinator: &stub{}, Secret: secret})
	if err != nil {
		t.Fatal(err)
	}
	client := &http.Client{Transport: &http.Transport{DisableKeepAlives: true}}
	res, err := client.Get("http://" + s.Addr() + "/healthz")
	if err != nil {
		t.Fatal(err)
	}
	body, err := io.ReadAll(res.Body)
	if res.StatusCode != 200 || err != nil || string(body) != `{"status":"ok"}`+"\n" {
		t.Errorf("%d with %q, %v", res.StatusCode, body, err)
	}
	_ = res.Body.Close()
	if _, err := Serve(s.Addr(), Config{Coordinator: &stub{}}); err == nil {
		t.Error("two servers on one address")
	}
	if err := s.Close(); err != nil {
		t.Error(err)
	}
}
