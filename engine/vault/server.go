package vault

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"os"
	"strconv"
	"time"

	"github.com/fullspate/spate/engine/checkpoint"
	"github.com/fullspate/spate/ft"
)

const (
	// idleTimeout is how long a connection may lie idle: longer than at the other end, which so is the one that closes it,
	// and never in the middle of a request.
	idleTimeout = 2 * clientIdle
	// headerBytesMax is room for an operator and a job with long names.
	headerBytesMax = 16 << 10

	checkpointType = "application/octet-stream"
	jsonType       = "application/json"
)

// fromKey is where a request's context has the incarnation of who asks.
type fromKey struct{}

// newServer makes what answers over the connections.
func (v *Vault) newServer() *http.Server {
	mux := http.NewServeMux()
	mux.HandleFunc("PUT /jobs/{job}/checkpoints", v.answer(v.servePut))
	mux.HandleFunc("GET /jobs/{job}/checkpoints", v.answer(v.serveGet))
	return &http.Server{
		Handler: v.bounded(mux), ReadHeaderTimeout: v.cfg.TimeOut, IdleTimeout: idleTimeout, MaxHeaderBytes: headerBytesMax,
		ErrorLog: slog.NewLogLogger(v.cfg.Logger.Handler(), slog.LevelDebug),
		ConnContext: func(ctx context.Context, c net.Conn) context.Context {
			return context.WithValue(ctx, fromKey{}, c.(*conn).from.Incarnation)
		},
		ConnState: func(_ net.Conn, s http.ConnState) {
			switch s {
			case http.StateNew:
				v.joined.Add(1)
			case http.StateClosed:
				v.joined.Done()
			}
		},
	}
}

// bounded gives the first block of each request and answer its time, also of those that are refused: the server reads on then.
func (v *Vault) bounded(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		x := v.newExchange(w, r)
		err := x.toWrite()
		if r.ContentLength != 0 { // else the server listens already for the end of the connection, for as long as it takes
			err = errors.Join(err, x.toRead())
		}
		if err != nil {
			panic(http.ErrAbortHandler) // the connection is gone
		}
		next.ServeHTTP(w, r)
	})
}

// exchange is a request and its answer.
type exchange struct {
	w     http.ResponseWriter
	r     *http.Request
	ctl   *http.ResponseController
	limit time.Duration
	job   string
	query query
}

func (v *Vault) newExchange(w http.ResponseWriter, r *http.Request) *exchange {
	return &exchange{w: w, r: r, ctl: http.NewResponseController(w), limit: v.cfg.TimeOut, job: r.PathValue("job")}
}

// answer makes a handler of one that returns what is wrong, before it has answered.
func (v *Vault) answer(handle func(*exchange) error) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		x := v.newExchange(w, r)
		q, err := parseQuery(r.URL.RawQuery)
		if err == nil {
			x.query = q
			err = handle(x)
		}
		if err != nil {
			status, f := faultOf(err)
			x.json(status, f)
		}
	}
}

// from is the incarnation of who asks.
func (x *exchange) from() uint64 { return x.r.Context().Value(fromKey{}).(uint64) }

// toRead gives the next block so much time to arrive.
func (x *exchange) toRead() error { return x.ctl.SetReadDeadline(time.Now().Add(x.limit)) }

// toWrite gives the next block so much time to leave.
func (x *exchange) toWrite() error { return x.ctl.SetWriteDeadline(time.Now().Add(x.limit)) }

// json answers with a value.
func (x *exchange) json(status int, value any) {
	b, err := json.Marshal(value)
	if err != nil {
		panic("BUG: " + err.Error())
	}
	x.body(status, jsonType, b)
}

// body answers with bytes. An error ends the connection, which is all that can be said then.
func (x *exchange) body(status int, kind string, b []byte) {
	h := x.w.Header()
	h.Set("Content-Type", kind)
	h.Set("Content-Length", strconv.Itoa(len(b)))
	err := x.toWrite()
	if err == nil {
		x.w.WriteHeader(status)
		err = send(x.w, b, x.toWrite)
	}
	if err != nil {
		panic(http.ErrAbortHandler)
	}
}

// servePut takes a checkpoint: PUT /jobs/JOB/checkpoints?operator=&first=&last=&generation=&follows=
func (v *Vault) servePut(x *exchange) error {
	q := x.query
	if q.generation == 0 {
		return badRequest("no generation: want that of the checkpoint")
	}
	if err := v.admit(x.job, q.task, x.from()); err != nil { // before its bytes are sent for
		return err
	}
	encoded, err := v.arrive(x)
	if err != nil {
		return err
	}
	k := checkpoint.Kept{Task: q.task, Generation: q.generation, Follows: q.follows, Encoded: encoded}
	if err := v.put(x.r.Context(), x.job, x.from(), k); err != nil {
		return err
	}
	if err := x.toWrite(); err != nil {
		return err
	}
	x.w.WriteHeader(http.StatusNoContent)
	return nil
}

// arrive reads the checkpoint in a request, which counts as kept while it arrives.
func (v *Vault) arrive(x *exchange) ([]byte, error) {
	length := x.r.ContentLength
	if length < 0 {
		return nil, &requestError{http.StatusLengthRequired, "no Content-Length: want that of the checkpoint"}
	}
	if !v.budget.Take(length) {
		return nil, &ft.BudgetError{Task: x.query.task, Bytes: length, Used: v.budget.Used(), Budget: v.budget.Most()}
	}
	defer v.budget.Take(-length)
	b, err := receive(x.r.Body, length, trustBytes, x.toRead)
	if err == nil {
		err = x.ctl.SetReadDeadline(time.Time{})
	}
	if errors.Is(err, os.ErrDeadlineExceeded) {
		return nil, &requestError{http.StatusRequestTimeout, fmt.Sprintf("for %v there came less than %d bytes", x.limit, blockBytes)}
	}
	if err != nil {
		return nil, badRequest("reading %d bytes of a checkpoint: %v", length, err)
	}
	return b, nil
}

// serveGet gives a checkpoint, or without a generation a list of what can be had, newest first:
// GET /jobs/JOB/checkpoints?operator=&first=&last=&generation=
func (v *Vault) serveGet(x *exchange) error {
	q, ctx := x.query, x.r.Context()
	if q.generation == 0 {
		infos, err := v.list(ctx, x.job, x.from(), q.task)
		if err != nil {
			return err
		}
		x.json(http.StatusOK, append([]ft.Info{}, infos...))
		return nil
	}
	encoded, err := v.get(ctx, x.job, q.task, q.generation)
	if err != nil {
		return err
	}
	x.body(http.StatusOK, checkpointType, encoded)
	return nil
}
