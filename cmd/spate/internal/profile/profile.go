package profile

import (
	"cmp"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"os"
	"runtime"
	"runtime/pprof"
	"runtime/trace"
	"sync"
	"sync/atomic"
	"time"
)

// Config says what is wanted; an empty string is nothing.
type Config struct {
	PprofAddr string       // host:port to serve profiles on while the run lasts
	CPUFile   string       // where samples of the whole run go
	MemFile   string       // where the Go heap's allocations go at the end
	TraceFile string       // where the last seconds of the execution trace go at the end
	Logger    *slog.Logger // says where profiles are served and when a stall was seen; nil says nothing
}

// StallFiles are the files beside a trace's file that stalls are written to.
func StallFiles(trace string) (names []string) {
	for n := 1; n <= stallsMax; n++ {
		names = append(names, stallFile(trace, n))
	}
	return names
}

// Subject is the run that is being looked at.
type Subject struct {
	Progress func() uint64 // grows while the run does anything
	Slabs    func() []Owner
	Stall    time.Duration // how long Progress may stand still; at least one look, a quarter of a second
}

// Owner is somebody who holds memory outside the Go heap.
type Owner struct {
	Name  string
	Bytes int64
}

// Session is one run's profiles.
type Session struct {
	config   Config
	subject  atomic.Pointer[Subject]
	cpu      *file
	recorder *trace.FlightRecorder
	server   *server
	done     chan struct{}
	join     sync.WaitGroup
}

// traceAge is how much of the trace is kept: long enough to hold a stall and what led to it.
const traceAge = 10 * time.Second

// Start begins whatever c asks for. Its errors name the file or address that can't be used, and then nothing has begun.
func Start(c Config) (*Session, error) {
	if c.Logger == nil {
		c.Logger = slog.New(slog.DiscardHandler)
	}
	s := &Session{config: c, done: make(chan struct{})}
	if err := s.begin(); err != nil {
		return nil, errors.Join(err, s.Stop())
	}
	return s, nil
}

func (s *Session) begin() error {
	c := &s.config
	for _, name := range []string{c.MemFile, c.TraceFile} {
		if err := writable(name); err != nil {
			*c = Config{Logger: c.Logger}
			return err
		}
	}
	if c.PprofAddr != "" {
		listener, err := net.Listen("tcp", c.PprofAddr)
		if err != nil {
			return fmt.Errorf("serving profiles: %w", err)
		}
		s.server = serve(listener, s.slabs, c.Logger)
		c.Logger.Info("serving profiles", "url", fmt.Sprintf("http://%s/debug/pprof/", listener.Addr()))
	}
	if c.CPUFile != "" {
		f, err := create(c.CPUFile)
		if err != nil {
			return fmt.Errorf("CPU profile: %w", err)
		}
		s.cpu = f
		if err := pprof.StartCPUProfile(f); err != nil {
			return fmt.Errorf("CPU profile: %w", err)
		}
	}
	if c.TraceFile != "" {
		s.recorder = trace.NewFlightRecorder(trace.FlightRecorderConfig{MinAge: traceAge})
		if err := s.recorder.Start(); err != nil {
			s.recorder = nil
			return fmt.Errorf("execution trace: %w", err)
		}
	}
	return nil
}

// Watch says what run the session looks at from now on. It may be called again when one run follows another.
func (s *Session) Watch(subject Subject) {
	first := s.subject.Swap(&subject) == nil
	if first && s.recorder != nil {
		s.join.Go(s.watchForStalls)
	}
}

// Stop writes the profiles that are written at the end and ends everything. It may be called once.
func (s *Session) Stop() error {
	close(s.done)
	s.join.Wait()
	var faults []error
	if s.recorder != nil {
		faults = append(faults, s.dump(s.config.TraceFile))
		s.recorder.Stop()
	}
	if s.cpu != nil {
		pprof.StopCPUProfile() // and waits until all is written
		if err := s.cpu.close(); err != nil {
			faults = append(faults, fmt.Errorf("CPU profile: %w", err))
		}
	}
	if s.config.MemFile != "" {
		faults = append(faults, writeMemory(s.config.MemFile))
	}
	if s.server != nil {
		faults = append(faults, s.server.close())
	}
	return errors.Join(faults...)
}

func (s *Session) slabs() []Owner {
	if subject := s.subject.Load(); subject != nil && subject.Slabs != nil {
		return subject.Slabs()
	}
	return nil
}

// writable finds out at the start what would be a pity to learn at the end.
func writable(name string) error {
	if name == "" {
		return nil
	}
	f, err := os.Create(name)
	if err != nil {
		return fmt.Errorf("profile: %w", err)
	}
	return f.Close()
}

func writeMemory(name string) error {
	f, err := create(name)
	if err != nil {
		return fmt.Errorf("memory profile: %w", err)
	}
	runtime.GC() // the profile is as of the last collection
	err = pprof.Lookup("allocs").WriteTo(f, 0)
	if err := cmp.Or(f.close(), err); err != nil {
		return fmt.Errorf("memory profile: %w", err)
	}
	return nil
}

// file is a file that remembers the first error of a write, of which runtime/pprof does not tell.
type file struct {
	f   *os.File
	err error
}

func create(name string) (*file, error) {
	f, err := os.Create(name)
	return &file{f: f}, err
}

// Write writes p. Its errors name the file.
func (f *file) Write(p []byte) (int, error) {
	n, err := f.f.Write(p)
	f.err = cmp.Or(f.err, err)
	return n, err
}

// close closes the file and returns the first error that there was.
func (f *file) close() error {
	err := f.f.Close()
	return cmp.Or(f.err, err)
}
