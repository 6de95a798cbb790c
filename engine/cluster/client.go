package cluster

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/fullspate/spate/engine/auth"
	"github.com/fullspate/spate/engine/coordinator"
	"github.com/fullspate/spate/engine/coordinator/api"
)

// ClientConfig says which coordinator a Client speaks with.
type ClientConfig struct {
	// Addr is where it serves HTTP: host:port, or a URL.
	Addr string
	// Secret is the cluster's; who only looks needs none.
	Secret auth.Secret
}

// Client speaks with a coordinator by its HTTP API. What the coordinator refuses is a *coordinator.Error. Its methods may be
// called from any goroutine.
type Client struct {
	base   string
	secret auth.Secret
	http   *http.Client
}

var _ Manager = (*Client)(nil)

const (
	// requestPatience bounds a request, and how long Wait bears a coordinator that does not answer.
	requestPatience = 30 * time.Second
	// waitTurn is for how long Wait has the coordinator wait at a time: the end is told at once, and a coordinator that went
	// without a word is noticed.
	waitTurn = 5 * time.Second
	// answerMax bounds an answer in bytes: a profile of 64 workers is far below it.
	answerMax = 64 << 20
)

// NewClient makes a client. It does not connect yet.
func NewClient(cfg ClientConfig) (*Client, error) {
	base := cfg.Addr
	if !strings.Contains(base, "://") {
		base = "http://" + base
	}
	u, err := url.Parse(base)
	if err != nil || u.Scheme != "http" || u.Host == "" || strings.Trim(u.Path, "/") != "" || u.RawQuery != "" {
		return nil, fmt.Errorf("coordinator's address %q, want host:port or http://host:port", cfg.Addr)
	}
	return &Client{base: "http://" + u.Host, secret: cfg.Secret, http: new(http.Client)}, nil
}

// Close gives up connections that are kept for further requests.
func (c *Client) Close() { c.http.CloseIdleConnections() }

// Submit has a job deployed and returns its id.
func (c *Client) Submit(ctx context.Context, r coordinator.Request) (string, error) {
	var answer api.Submitted
	err := c.do(ctx, http.MethodPost, "/api/v1/jobs", api.SubmitOf(r), &answer)
	return answer.ID, err
}

// Drain ends a job's input.
func (c *Client) Drain(ctx context.Context, id string) error {
	return c.do(ctx, http.MethodPost, jobPath(id, "/drain"), nil, nil)
}

// Cancel ends a job early.
func (c *Client) Cancel(ctx context.Context, id string) error {
	return c.do(ctx, http.MethodPost, jobPath(id, "/cancel"), nil, nil)
}

// Job says all about a job, in the engine's own terms.
func (c *Client) Job(ctx context.Context, id string) (info coordinator.JobInfo, err error) {
	err = c.do(ctx, http.MethodGet, jobPath(id, "/info"), nil, &info)
	return info, err
}

// Wait waits until a job has ended. A coordinator that does not answer may be on its way back, and is waited for.
func (c *Client) Wait(ctx context.Context, id string) (info coordinator.JobInfo, err error) {
	err = c.await(ctx, jobPath(id, "/info"), func(answer []byte) (bool, error) {
		info = coordinator.JobInfo{}
		err := json.Unmarshal(answer, &info)
		return info.State.Over(), err
	})
	return info, err
}

// await asks for something again and again until it is as it is to be. The path takes ?wait.
func (c *Client) await(ctx context.Context, path string, is func(answer []byte) (bool, error)) error {
	path += "?wait=" + seconds(waitTurn)
	heard := time.Now()
	for {
		var answer json.RawMessage
		err := c.do(ctx, http.MethodGet, path, nil, &answer)
		var refused *coordinator.Error
		switch {
		case err == nil:
			if yes, err := is(answer); err != nil || yes {
				return err
			}
			if ctx.Err() != nil {
				return context.Cause(ctx)
			}
			heard = time.Now()
			continue
		case ctx.Err() != nil:
			return context.Cause(ctx)
		case errors.As(err, &refused) && refused.Code != coordinator.Unavailable, time.Since(heard) > requestPatience:
			return err
		}
		select {
		case <-ctx.Done():
			return context.Cause(ctx)
		case <-time.After(lookEvery):
		}
	}
}

// Rescale has an operator run in another number of tasks while its job goes on. It returns when that is under way.
func (c *Client) Rescale(ctx context.Context, job, operator string, tasks int) (api.Reassignment, error) {
	return c.reassign(ctx, job, operator, "/rescale", api.Rescale{Parallelism: tasks})
}

// Rebalance cuts the key space of an operator anew while its job goes on: at the hashes given, or evenly. It returns when that is
// under way.
func (c *Client) Rebalance(ctx context.Context, job, operator string, cuts []api.Hash) (api.Reassignment, error) {
	return c.reassign(ctx, job, operator, "/rebalance", api.Rebalance{Cuts: cuts})
}

// Migrate has a task go on on another worker while its job goes on: on that of a name, or on the one with the fewest tasks. It
// returns when that is under way.
func (c *Client) Migrate(ctx context.Context, job, operator string, task int, to string) (api.Reassignment, error) {
	return c.reassign(ctx, job, operator, "/tasks/"+strconv.Itoa(task)+"/migrate", api.Migrate{Worker: to})
}

func (c *Client) reassign(ctx context.Context, job, operator, what string, body any) (re api.Reassignment, err error) {
	err = c.do(ctx, http.MethodPost, jobPath(job, "/operators/"+url.PathEscape(operator)+what), body, &re)
	return re, err
}

// Reassigned waits until a reassignment of a job has ended: it is done, or was given up. A coordinator that does not answer may be
// on its way back, and is waited for.
func (c *Client) Reassigned(ctx context.Context, job string, id uint64) (re api.Reassignment, err error) {
	err = c.await(ctx, jobPath(job, "/reassignments/"+strconv.FormatUint(id, 10)), func(answer []byte) (bool, error) {
		re = api.Reassignment{}
		err := json.Unmarshal(answer, &re)
		return re.State.Over(), err
	})
	return re, err
}

// DrainWorker has a worker be given no more tasks, and those that it has go to others while their jobs go on. It returns when that
// is under way.
func (c *Client) DrainWorker(ctx context.Context, id string) (w api.Worker, err error) {
	err = c.do(ctx, http.MethodPost, "/api/v1/workers/"+url.PathEscape(id)+"/drain", nil, &w)
	return w, err
}

// Drained waits until a worker that is being drained has nothing more that would leave by itself.
func (c *Client) Drained(ctx context.Context, id string) (w api.Worker, err error) {
	for {
		all, err := c.Workers(ctx)
		if err != nil {
			return w, err
		}
		i := slices.IndexFunc(all, func(w api.Worker) bool { return w.ID == id })
		if i < 0 {
			return w, &coordinator.Error{Code: coordinator.NotFound, Message: fmt.Sprintf("worker %q is not known any more", id)}
		}
		if w = all[i]; w.Drain == nil || w.Drain.Done || w.State == coordinator.WorkerGone {
			return w, nil
		}
		select {
		case <-ctx.Done():
			return w, context.Cause(ctx)
		case <-time.After(lookEvery):
		}
	}
}

// Events are what has happened to a job, as far as it is remembered, oldest first.
func (c *Client) Events(ctx context.Context, job string) ([]api.Event, error) {
	var v struct {
		Events []api.Event `json:"events"`
	}
	err := c.do(ctx, http.MethodGet, jobPath(job, "/events"), nil, &v)
	return v.Events, err
}

// Follow tells of what has happened to a job, and of what happens from then on, until the job has ended.
func (c *Client) Follow(ctx context.Context, job string, tell func(api.Event) error) error {
	res, err := c.open(ctx, http.MethodGet, jobPath(job, "/events?follow=1"), nil)
	if err != nil {
		return err
	}
	defer res.Body.Close()
	lines := json.NewDecoder(res.Body) // to which empty lines are nothing
	for {
		var e api.Event
		err := lines.Decode(&e)
		switch {
		case errors.Is(err, io.EOF):
			return c.followed(ctx, job)
		case ctx.Err() != nil:
			return context.Cause(ctx)
		case err != nil:
			return fmt.Errorf("coordinator at %s: %w", c.base, err)
		}
		if err := tell(e); err != nil {
			return err
		}
	}
}

// followed says why a stream of events has ended: nil if that is because the job has.
func (c *Client) followed(ctx context.Context, job string) error {
	look, err := c.Look(ctx, job)
	if err == nil && !look.State.Over() {
		err = fmt.Errorf("coordinator at %s: it tells no more, and job %s is %s", c.base, job, look.State)
	}
	return err
}

// Cluster says how the whole is.
func (c *Client) Cluster(ctx context.Context) (v api.Cluster, err error) {
	err = c.do(ctx, http.MethodGet, "/api/v1/cluster", nil, &v)
	return v, err
}

// Workers are all workers that are known.
func (c *Client) Workers(ctx context.Context) ([]api.Worker, error) {
	var v struct {
		Workers []api.Worker `json:"workers"`
	}
	err := c.do(ctx, http.MethodGet, "/api/v1/workers", nil, &v)
	return v.Workers, err
}

// Jobs are all jobs that are remembered, oldest first.
func (c *Client) Jobs(ctx context.Context) ([]api.JobSummary, error) {
	var v struct {
		Jobs []api.JobSummary `json:"jobs"`
	}
	err := c.do(ctx, http.MethodGet, "/api/v1/jobs", nil, &v)
	return v.Jobs, err
}

// Look says how a job is: its graph, and where its tasks run and how.
func (c *Client) Look(ctx context.Context, id string) (v api.Job, err error) {
	err = c.do(ctx, http.MethodGet, jobPath(id, ""), nil, &v)
	return v, err
}

// Metrics are a job's counters.
func (c *Client) Metrics(ctx context.Context, id string) (v api.Metrics, err error) {
	err = c.do(ctx, http.MethodGet, jobPath(id, "/metrics"), nil, &v)
	return v, err
}

// Profile takes a profile of all workers, merged into one as pprof reads it. missing says of which workers there is none, and
// why. The kinds are those of coordinator.Server.Profile; d is how long a cpu profile takes.
func (c *Client) Profile(ctx context.Context, kind string, d time.Duration) (data []byte, missing []string, err error) {
	ctx, cancel := context.WithTimeout(ctx, d+requestPatience)
	defer cancel()
	path := "/api/v1/profile?kind=" + url.QueryEscape(kind) + "&seconds=" + seconds(d)
	data, head, err := c.request(ctx, http.MethodPost, path, nil)
	if err != nil {
		return nil, nil, err
	}
	if text := head.Get("Spate-Missing"); text != "" {
		missing = strings.Split(text, "; ")
	}
	return data, missing, nil
}

func jobPath(id, rest string) string { return "/api/v1/jobs/" + url.PathEscape(id) + rest }

func seconds(d time.Duration) string { return strconv.FormatFloat(d.Seconds(), 'f', -1, 64) }

// do makes a request of bounded time and decodes the answer.
func (c *Client) do(ctx context.Context, method, path string, body, answer any) error {
	ctx, cancel := context.WithTimeout(ctx, requestPatience)
	defer cancel()
	data, _, err := c.request(ctx, method, path, body)
	if err != nil || answer == nil {
		return err
	}
	if err := json.Unmarshal(data, answer); err != nil {
		return fmt.Errorf("%s %s%s: the answer makes no sense: %w", method, c.base, path, err)
	}
	return nil
}

// request makes a request and returns the answer as it is.
func (c *Client) request(ctx context.Context, method, path string, body any) ([]byte, http.Header, error) {
	res, err := c.open(ctx, method, path, body)
	if err != nil {
		return nil, nil, err
	}
	defer res.Body.Close()
	data, err := io.ReadAll(io.LimitReader(res.Body, answerMax))
	if err != nil {
		return nil, nil, fmt.Errorf("coordinator at %s: %w", c.base, err)
	}
	return data, res.Header, nil
}

// open makes a request and returns the answer, which is to be read and closed, unless it is a refusal.
func (c *Client) open(ctx context.Context, method, path string, body any) (*http.Response, error) {
	var in io.Reader
	if body != nil {
		text, err := json.Marshal(body)
		if err != nil {
			return nil, err
		}
		in = bytes.NewReader(text)
	}
	req, err := http.NewRequestWithContext(ctx, method, c.base+path, in)
	if err != nil {
		return nil, err
	}
	if in != nil {
		req.Header.Set("Content-Type", "application/json")
	}
	if !c.secret.IsZero() {
		req.Header.Set("Authorization", "Bearer "+c.secret.Reveal())
	}
	res, err := c.http.Do(req)
	if err != nil {
		var u *url.Error // names the request, which says nothing to who only knows a command
		if errors.As(err, &u) {
			err = u.Err
		}
		return nil, fmt.Errorf("coordinator at %s: %w", c.base, err)
	}
	if res.StatusCode < http.StatusMultipleChoices {
		return res, nil
	}
	defer res.Body.Close()
	data, err := io.ReadAll(io.LimitReader(res.Body, answerMax))
	if err != nil {
		return nil, fmt.Errorf("coordinator at %s: %w", c.base, err)
	}
	return nil, refusal(res, data)
}

// refusal is the error of an answer that is none.
func refusal(res *http.Response, data []byte) error {
	var e struct {
		Error struct {
			Code    coordinator.Code `json:"code"`
			Message string           `json:"message"`
		} `json:"error"`
	}
	if json.Unmarshal(data, &e) != nil || e.Error.Message == "" {
		return fmt.Errorf("coordinator: %s: %.200s", res.Status, data)
	}
	return &coordinator.Error{Code: e.Error.Code, Message: e.Error.Message}
}
