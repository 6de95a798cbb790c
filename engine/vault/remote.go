package vault

import (
	"bytes"
	"cmp"
	"context"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptrace"
	"net/url"
	"strconv"
	"strings"
	"time"

	"golang.org/x/time/rate"

	"github.com/fullspate/spate/engine/auth"
	"github.com/fullspate/spate/engine/checkpoint"
	"github.com/fullspate/spate/engine/control"
	"github.com/fullspate/spate/ft"
	"github.com/fullspate/spate/wire"
)

const (
	// burstBytes is what is sent at once: small beside what a link carries in a millisecond, so that data waits no longer.
	burstBytes = 64 << 10
	// clientIdle is how long a connection is kept for the next checkpoint: many intervals.
	clientIdle = time.Minute
	// idlePerHost is how many connections are kept: more than loops of one worker send to one host at once, as a rule.
	idlePerHost = 4
	// listBytesMax and faultBytesMax bound answers that are read whole into memory: every table of a task and every log is
	// in a list, with a hundred bytes and for each generation.
	listBytesMax  = 64 << 20
	faultBytesMax = 1 << 20
)

// remote is the vault of another worker.
type remote struct {
	c    *Client
	host control.Host
}

// newTransport makes what keeps connections to vaults. Each URL names its host so that the worker, and its incarnation, can be
// read from it: connections of one are never used for another.
func (c *Client) newTransport() *http.Transport {
	return &http.Transport{
		DialContext:         func(ctx context.Context, _, name string) (net.Conn, error) { return c.dial(ctx, name) },
		DisableCompression:  true,
		IdleConnTimeout:     clientIdle,
		MaxIdleConnsPerHost: idlePerHost,
		// The vault says first whether it wants a large body at all. One that takes this long gets it unasked.
		ExpectContinueTimeout: time.Second,
		WriteBufferSize:       burstBytes,
		ReadBufferSize:        burstBytes,
	}
}

// hostName is how a URL names a host.
func hostName(h control.Host) string {
	return fmt.Sprintf("%016x-%s", h.Incarnation, hex.EncodeToString([]byte(h.Addr)))
}

// parseHostName reads what hostName made, with a port behind.
func parseHostName(name string) (incarnation uint64, addr string, err error) {
	name, _, _ = strings.Cut(name, ":")
	first, second, _ := strings.Cut(name, "-")
	if incarnation, err = strconv.ParseUint(first, 16, 64); err != nil {
		return 0, "", err
	}
	b, err := hex.DecodeString(second)
	return incarnation, string(b), err
}

// dial makes an authenticated connection.
func (c *Client) dial(ctx context.Context, name string) (net.Conn, error) {
	incarnation, addr, err := parseHostName(name)
	if err != nil {
		return nil, fmt.Errorf("host %q: %w", name, err)
	}
	ctx, cancel := context.WithTimeout(ctx, c.cfg.TimeOut)
	defer cancel()
	defer context.AfterFunc(c.ctx, cancel)()
	hello := c.cfg.Hello()
	hello.Purpose = wire.PurposeBackup
	nc, peer, err := auth.Dial(ctx, addr, c.cfg.Secret, hello)
	if err != nil {
		return nil, err
	}
	if peer.Incarnation != incarnation {
		_ = nc.Close() // it is of no use
		return nil, fmt.Errorf("incarnation %016x is there, want %016x: it has been replaced", peer.Incarnation, incarnation)
	}
	return nc, nil
}

// put implements holder.
func (h remote) put(ctx context.Context, job string, k checkpoint.Kept) error {
	ctx, w := watch(ctx, h.c.cfg.TimeOut)
	defer w.stop()
	q := query{task: k.Task, generation: k.Generation, follows: k.Follows}
	req := h.request(http.MethodPut, job, q)
	req.GetBody = func() (io.ReadCloser, error) {
		return &upload{ctx: ctx, r: bytes.NewReader(k.Encoded), limit: h.c.limit, w: w}, nil
	}
	req.ContentLength = int64(len(k.Encoded))
	if len(k.Encoded) > burstBytes {
		req.Header.Set("Expect", "100-continue")
	}
	return h.do(ctx, req, func(res *http.Response) error {
		if res.StatusCode != http.StatusNoContent {
			return fmt.Errorf("answer %q, which is not one of a vault", res.Status)
		}
		return nil
	})
}

// list implements holder.
func (h remote) list(ctx context.Context, job string, id ft.TaskID) (infos []ft.Info, err error) {
	ctx, w := watch(ctx, h.c.cfg.TimeOut)
	defer w.stop()
	err = h.do(ctx, h.request(http.MethodGet, job, query{task: id}), func(res *http.Response) error {
		b, err := w.body(res, listBytesMax)
		if err != nil {
			return err
		}
		return json.Unmarshal(b, &infos)
	})
	return infos, err
}

// get implements holder.
func (h remote) get(ctx context.Context, job string, id ft.TaskID, gen uint64) (encoded []byte, err error) {
	ctx, w := watch(ctx, h.c.cfg.TimeOut)
	defer w.stop()
	err = h.do(ctx, h.request(http.MethodGet, job, query{task: id, generation: gen}), func(res *http.Response) error {
		encoded, err = w.body(res, res.ContentLength)
		return err
	})
	return encoded, err
}

// request makes a request about a task's checkpoints.
func (h remote) request(method, job string, q query) *http.Request {
	return &http.Request{
		Method: method, Header: http.Header{},
		URL: &url.URL{
			Scheme: "http", Host: hostName(h.host),
			Path: "/jobs/" + job + "/checkpoints", RawPath: "/jobs/" + url.PathEscape(job) + "/checkpoints", RawQuery: q.String(),
		},
	}
}

// do sends a request and reads its answer.
func (h remote) do(ctx context.Context, req *http.Request, read func(*http.Response) error) error {
	res, err := h.exchange(ctx, req)
	if err == nil {
		err = answered(res, read)
	}
	if err != nil {
		return cmp.Or(h.c.ended(ctx), err)
	}
	return nil
}

// exchange sends a request and returns the head of the answer. A connection that was kept may have ended at the other end
// meanwhile, which shows only when it is used: then the request is sent again over another one. To ask twice is right.
func (h remote) exchange(ctx context.Context, req *http.Request) (*http.Response, error) {
	for {
		var kept bool
		r := req.WithContext(httptrace.WithClientTrace(ctx, &httptrace.ClientTrace{
			GotConn: func(i httptrace.GotConnInfo) { kept = i.Reused },
		}))
		if req.GetBody != nil {
			body, err := req.GetBody()
			if err != nil {
				return nil, err
			}
			r.Body = body
		}
		res, err := h.c.transport.RoundTrip(r)
		if err == nil || !kept || h.c.ended(ctx) != nil {
			return res, err
		}
	}
}

// answered reads an answer.
func answered(res *http.Response, read func(*http.Response) error) error {
	defer res.Body.Close()
	if res.StatusCode/100 == 2 {
		return read(res)
	}
	b, err := io.ReadAll(io.LimitReader(res.Body, faultBytesMax))
	if err != nil {
		return fmt.Errorf("answer %q: %w", res.Status, err)
	}
	return faultIn(res.Status, b)
}

// watched is a transfer that is given up when nothing has moved for a time.
type watched struct {
	timer  *time.Timer
	limit  time.Duration
	cancel context.CancelCauseFunc
}

// watch begins to watch a transfer, whose context it returns.
func watch(ctx context.Context, limit time.Duration) (context.Context, *watched) {
	ctx, cancel := context.WithCancelCause(ctx)
	stalled := func() { cancel(fmt.Errorf("nothing has moved for %v", limit)) }
	return ctx, &watched{limit: limit, cancel: cancel, timer: time.AfterFunc(limit, stalled)}
}

// moved says that something has moved.
func (w *watched) moved() error {
	w.timer.Reset(w.limit)
	return nil
}

func (w *watched) stop() {
	w.timer.Stop()
	w.cancel(nil)
}

// body reads the body of an answer.
func (w *watched) body(res *http.Response, most int64) ([]byte, error) {
	if res.ContentLength < 0 || res.ContentLength > most {
		return nil, fmt.Errorf("an answer of %d bytes, want 0 to %d", res.ContentLength, most)
	}
	return receive(res.Body, res.ContentLength, trustBytes, w.moved)
}

// upload is a body that leaves no faster than is allowed.
type upload struct {
	ctx   context.Context
	r     *bytes.Reader
	limit *rate.Limiter // nil: none
	w     *watched
}

// Read implements io.Reader.
func (u *upload) Read(p []byte) (int, error) {
	n, err := u.r.Read(p[:min(len(p), burstBytes)])
	if n > 0 && u.limit != nil {
		u.w.timer.Stop() // it is not the peer that is waited for
		if err := u.limit.WaitN(u.ctx, n); err != nil {
			return 0, err
		}
	}
	if err := u.w.moved(); err != nil {
		return 0, err
	}
	return n, err
}

// Close implements io.Closer.
func (u *upload) Close() error { return nil }
