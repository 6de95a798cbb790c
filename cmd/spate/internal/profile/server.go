package profile

import (
	"context"
	"errors"
	"log/slog"
	"net"
	"net/http"
	"net/http/pprof"
	"sync"
	"time"

	pprofile "github.com/google/pprof/profile"
)

// server is the HTTP side of a session.
type server struct {
	http http.Server
	join sync.WaitGroup
}

func serve(listener net.Listener, slabs func() []Owner, logger *slog.Logger) *server {
	mux := http.NewServeMux()
	mux.HandleFunc("/debug/pprof/", pprof.Index)
	mux.HandleFunc("/debug/pprof/cmdline", pprof.Cmdline)
	mux.HandleFunc("/debug/pprof/profile", pprof.Profile)
	mux.HandleFunc("/debug/pprof/symbol", pprof.Symbol)
	mux.HandleFunc("/debug/pprof/trace", pprof.Trace)
	mux.HandleFunc("/debug/pprof/slabs", func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "application/octet-stream")
		w.Header().Set("Content-Disposition", `attachment; filename="slabs"`)
		if err := slabProfile(slabs(), time.Now()).Write(w); err != nil {
			logger.Warn("writing the slab profile", "error", err)
		}
	})
	s := &server{http: http.Server{Handler: mux, ReadHeaderTimeout: 10 * time.Second}}
	s.join.Go(func() {
		if err := s.http.Serve(listener); !errors.Is(err, http.ErrServerClosed) {
			logger.Error("profiles are no longer served", "error", err)
		}
	})
	return s
}

// close ends the server. A profile that is being taken is given a moment and then cut off: the run is over.
func (s *server) close() error {
	ctx, cancel := context.WithTimeout(context.Background(), time.Second)
	defer cancel()
	err := s.http.Shutdown(ctx)
	if errors.Is(err, context.DeadlineExceeded) {
		err = s.http.Close()
	}
	s.join.Wait()
	return err
}

// slabProfile makes a profile in which each owner is a function that holds its bytes.
func slabProfile(owners []Owner, now time.Time) *pprofile.Profile {
	p := &pprofile.Profile{
		SampleType: []*pprofile.ValueType{{Type: "slabs", Unit: "bytes"}},
		TimeNanos:  now.UnixNano(),
	}
	for i, o := range owners {
		id := uint64(i) + 1
		f := &pprofile.Function{ID: id, Name: o.Name}
		l := &pprofile.Location{ID: id, Line: []pprofile.Line{{Function: f}}}
		p.Function = append(p.Function, f)
		p.Location = append(p.Location, l)
		p.Sample = append(p.Sample, &pprofile.Sample{Location: []*pprofile.Location{l}, Value: []int64{o.Bytes}})
	}
	return p
}
