package cluster

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/pprof/profile"

	"github.com/fullspate/spate/engine"
	"github.com/fullspate/spate/engine/auth"
	"github.com/fullspate/spate/engine/coordinator"
	"github.com/fullspate/spate/engine/coordinator/api"
)

// TestClient runs and looks at a job through the HTTP API of a cluster.
func TestClient(t *testing.T) {
	l := localCluster(t, LocalConfig{Workers: 2, Loops: 1})
	defer l.Close()
	server, err := api.Serve("127.0.0.1:0", api.Config{Coordinator: l.Server, Secret: l.Secret})
	if err != nil {
		t.Fatal(err)
	}
	defer server.Close()
	c, err := NewClient(ClientConfig{Addr: server.Addr(), Secret: l.Secret})
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	ctx := t.Context()

	job, err := Runner{Manager: c}.Start(ctx, summing, paramsOf(t, settings{Rows: 2000}), engine.Config{Parallelism: map[string]int{"sum": 2}})
	if err != nil {
		t.Fatal(err)
	}
	if err := job.Wait(); err != nil {
		t.Fatal(err)
	}
	if total := totalOf(t, job.Results()); total == 0 {
		t.Error("the job has told nothing")
	}
	look, err := c.Look(ctx, "j1")
	if err != nil || look.State != coordinator.Completed || len(look.Operators) != 3 || len(look.Parts) != 2 {
		t.Errorf("job: %+v, %v", look, err)
	}
	metrics, err := c.Metrics(ctx, "j1")
	if err != nil || len(metrics.Workers) != 2 || len(metrics.Workers[0].Links) != 1 || metrics.Workers[0].Links[0].TuplesOut == 0 {
		t.Errorf("metrics: %+v, %v", metrics, err)
	}
	whole, err := c.Cluster(ctx)
	workers, err2 := c.Workers(ctx)
	jobs, err3 := c.Jobs(ctx)
	if err := errors.Join(err, err2, err3); err != nil || !whole.Ready || len(workers) != 2 || len(jobs) != 1 {
		t.Errorf("cluster %+v, workers %+v, jobs %+v, %v", whole, workers, jobs, err)
	}
	testProfile(t, c)
	var refused *coordinator.Error
	if err := c.Drain(ctx, "j1"); !errors.As(err, &refused) || refused.Code != coordinator.Conflict {
		t.Errorf("draining what has ended: %v", err)
	}
	if _, err := c.Wait(ctx, "j9"); !errors.As(err, &refused) || refused.Code != coordinator.NotFound {
		t.Errorf("waiting for what there is not: %v", err)
	}
	stranger, err := NewClient(ClientConfig{Addr: "http://" + server.Addr() + "/", Secret: auth.NewSecret()})
	if err != nil {
		t.Fatal(err)
	}
	defer stranger.Close()
	if _, err := stranger.Submit(ctx, coordinator.Request{Program: "summing"}); err == nil || !strings.Contains(err.Error(), "secret") {
		t.Errorf("a wrong secret: %v", err)
	}
}

// testProfile takes a profile, in which every worker has to be.
func testProfile(t *testing.T, c *Client) {
	t.Helper()
	data, missing, err := c.Profile(t.Context(), "goroutine", 0)
	if err != nil || len(missing) > 0 {
		t.Fatalf("profile: %v, missing %q", err, missing)
	}
	p, err := profile.ParseData(data)
	if err != nil {
		t.Fatal(err)
	}
	var workers []string
	for _, s := range p.Sample {
		workers = append(workers, s.Label["worker"]...)
	}
	slices.Sort(workers)
	if got := slices.Compact(workers); !slices.Equal(got, []string{"w1", "w2"}) {
		t.Errorf("goroutines of %q, want those of w1 and w2", got)
	}
}

func TestAddressesOfCoordinators(t *testing.T) {
	for addr, want := range map[string]string{
		"localhost:7078": "http://localhost:7078", "http://10.0.0.1:80/": "http://10.0.0.1:80", "[::1]:7078": "http://[::1]:7078",
		"https://x:1": "", "": "", "x:1/path": "", "unix:///path": "", "a b:1": "",
	} {
		c, err := NewClient(ClientConfig{Addr: addr})
		if (err == nil) != (want != "") || err == nil && c.base != want {
			t.Errorf("%q: %v, %v, want %q", addr, c, err, want)
		}
	}
}

// responder answers requests without a network.
type responder func(r *http.Request) (status int, body any, err error)

func (f responder) RoundTrip(r *http.Request) (*http.Response, error) {
	status, body, err := f(r)
	if err != nil {
		return nil, err
	}
	text, err := json.Marshal(body)
	return &http.Response{StatusCode: status, Status: http.StatusText(status), Body: io.NopCloser(bytes.NewReader(text))}, err
}

// TestWaitOutlivesCoordinators: a coordinator that is away is waited for, though not for ever.
func TestWaitOutlivesCoordinators(t *testing.T) {
	away := errors.New("connection refused")
	unavailable := map[string]any{"error": map[string]string{"code": "unavailable", "message": "the coordinator is stopping"}}
	for name, outage := range map[string]time.Duration{"short": 20 * time.Second, "long": time.Hour} {
		synctest.Test(t, func(t *testing.T) {
			var asked atomic.Int64
			begun := time.Now()
			c := &Client{base: "http://fake", http: &http.Client{Transport: responder(func(r *http.Request) (int, any, error) {
				n := asked.Add(1)
				switch since := time.Since(begun); {
				case n == 1:
					return http.StatusOK, coordinator.JobInfo{JobSummary: coordinator.JobSummary{State: coordinator.Running}}, nil
				case since < outage && n%2 == 0:
					return 0, nil, away
				case since < outage:
					return http.StatusServiceUnavailable, unavailable, nil
				}
				return http.StatusOK, coordinator.JobInfo{JobSummary: coordinator.JobSummary{State: coordinator.Completed}}, nil
			})}}
			info, err := c.Wait(t.Context(), "j1")
			if name == "short" && (err != nil || info.State != coordinator.Completed) {
				t.Errorf("after an outage of %v: %v, %v", outage, info.State, err)
			}
			if name == "long" && (err == nil || time.Since(begun) > 2*requestPatience) {
				t.Errorf("after %v of an outage: %v", time.Since(begun), err)
			}
		})
	}
}

// TestWaitEndsWithItsContext, and says why that has ended.
func TestWaitEndsWithItsContext(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := &Client{base: "http://fake", http: &http.Client{Transport: responder(func(r *http.Request) (int, any, error) {
			<-r.Context().Done()
			return 0, nil, r.Context().Err()
		})}}
		why := errors.New("enough")
		ctx, cancel := context.WithTimeoutCause(t.Context(), time.Second, why)
		defer cancel()
		if _, err := c.Wait(ctx, "j1"); !errors.Is(err, why) {
			t.Errorf("waited until %v", err)
		}
	})
}

// TestFollowEndsWithTheJob: a stream of events that ends before the job has is a fault.
func TestFollowEndsWithTheJob(t *testing.T) {
	for state, fails := range map[coordinator.State]bool{coordinator.Completed: false, coordinator.Running: true} {
		c := &Client{base: "http://fake", http: &http.Client{Transport: responder(func(r *http.Request) (int, any, error) {
			if strings.HasSuffix(r.URL.Path, "/events") {
				return http.StatusOK, api.Event{Kind: coordinator.JobSubmitted}, nil
			}
			return http.StatusOK, api.Job{JobSummary: api.JobSummary{ID: "j1", State: state}}, nil
		})}}
		var seen []coordinator.EventKind
		err := c.Follow(t.Context(), "j1", func(e api.Event) error { seen = append(seen, e.Kind); return nil })
		if (err != nil) != fails || !slices.Equal(seen, []coordinator.EventKind{coordinator.JobSubmitted}) {
			t.Errorf("%s: %v, %v", state, seen, err)
		}
		why := errors.New("enough")
		if err := c.Follow(t.Context(), "j1", func(api.Event) error { return why }); !errors.Is(err, why) {
			t.Errorf("it goes on after %v", err)
		}
	}
}
