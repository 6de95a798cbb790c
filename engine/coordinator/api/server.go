package api

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"time"
)

// AddrDefault is where the API is served unless told otherwise: for this machine alone.
const AddrDefault = "127.0.0.1:7078"

// Bounds of a request. Handlers that take longer by design have the deadline for their answer extended.
const (
	headerTimeout  = 5 * time.Second
	readTimeout    = 30 * time.Second
	writeTimeout   = 30 * time.Second
	idleTimeout    = 2 * time.Minute
	headerBytesMax = 64 << 10
	closeTimeout   = 2 * time.Second
)

// Server serves the API on an address.
type Server struct {
	http *http.Server
	addr string
	done chan struct{}
	err  error // why it has stopped serving; readable once done is closed
}

// Serve begins to serve on host:port; empty for AddrDefault, port 0 for any that is free.
func Serve(addr string, cfg Config) (*Server, error) {
	if addr == "" {
		addr = AddrDefault
	}
	l, err := new(net.ListenConfig).Listen(context.Background(), "tcp", addr)
	if err != nil {
		return nil, fmt.Errorf("HTTP API: %w", err)
	}
	logger := cfg.Logger
	if logger == nil {
		logger = slog.New(slog.DiscardHandler)
	}
	s := &Server{addr: l.Addr().String(), done: make(chan struct{}), http: &http.Server{
		Handler: Handler(cfg), ReadHeaderTimeout: headerTimeout, ReadTimeout: readTimeout, WriteTimeout: writeTimeout,
		IdleTimeout: idleTimeout, MaxHeaderBytes: headerBytesMax, ErrorLog: slog.NewLogLogger(logger.Handler(), slog.LevelWarn),
	}}
	go func() {
		defer close(s.done)
		if err := s.http.Serve(l); !errors.Is(err, http.ErrServerClosed) {
			s.err = fmt.Errorf("HTTP API: %w", err)
		}
	}()
	return s, nil
}

// Addr is host:port where the API is served.
func (s *Server) Addr() string { return s.addr }

// Close lets requests end for two seconds, cuts off the others, and returns what serving has ended with before.
func (s *Server) Close() error {
	ctx, cancel := context.WithTimeout(context.Background(), closeTimeout)
	defer cancel()
	err := s.http.Shutdown(ctx)
	if errors.Is(err, context.DeadlineExceeded) {
		err = s.http.Close()
	}
	<-s.done
	return errors.Join(err, s.err)
}

// extend gives a handler more time for its answer than others have.
func extend(w http.ResponseWriter, by time.Duration) {
	// Where that is not possible, as in tests without a connection, there is no deadline either.
	_ = http.NewResponseController(w).SetWriteDeadline(time.Now().Add(by + writeTimeout))
}

// contextWithin is a request's context that ends after some time.
func contextWithin(r *http.Request, d time.Duration) (context.Context, context.CancelFunc) {
	return context.WithTimeout(r.Context(), d)
}
