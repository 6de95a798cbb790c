package profile

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
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
	mux.HandleFunc("/debug/pprof/", func(w http.ResponseWriter, r *http.Request) {
		pprof.Index(w, r)
		if r.URL.Path == "/debug/pprof/" { // it lists what is registered with runtime/pprof, for the whole process
			io.WriteString(w, `<p><a href="slabs?debug=1">slabs</a>: memory outside the Go heap, by owner</p>`)
		}
	})
	mux.HandleFunc("/debug/pprof/cmdline", pprof.Cmdline)
	mux.HandleFunc("/debug/pprof/profile", pprof.Profile)
	mux.HandleFunc("/debug/pprof/symbol", pprof.Symbol)
	mux.HandleFunc("/debug/pprof/trace", pprof.Trace)
	mux.HandleFunc("/debug/pprof/slabs", func(w http.ResponseWriter, r *http.Request) {
		if err := writeSlabs(w, slabs(), r.FormValue("debug")); err != nil {
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

// writeSlabs writes who holds memory: as a profile, or with debug set to anything but 0 as text, like net/http/pprof.
func writeSlabs(w http.ResponseWriter, owners []Owner, debug string) error {
	if debug == "" || debug == "0" {
		w.Header().Set("Content-Type", "application/octet-stream")
		w.Header().Set("Content-Disposition", `attachment; filename="slabs"`)
		return slabProfile(owners, time.Now()).Write(w)
	}
	w.Header().Set("Content-Type", "text/plain; charset=utf-8")
	var text bytes.Buffer
	for _, o := range owners {
		fmt.Fprintf(&text, "%d bytes: %s\n", o.Bytes, o.Name)
	}
	_, err := text.WriteTo(w)
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
