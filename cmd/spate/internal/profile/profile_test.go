package profile

import (
	"bytes"
	"io"
	"log/slog"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	pprofile "github.com/google/pprof/profile"
	"go.uber.org/goleak"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func TestFilesAreWrittenAtTheEnd(t *testing.T) {
	dir := t.TempDir()
	c := Config{
		CPUFile:   filepath.Join(dir, "cpu"),
		MemFile:   filepath.Join(dir, "mem"),
		TraceFile: filepath.Join(dir, "trace"),
	}
	s, err := Start(c)
	if err != nil {
		t.Fatal(err)
	}
	s.Watch(Subject{Progress: func() uint64 { return 0 }, Stall: time.Hour})
	if err := s.Stop(); err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{c.CPUFile, c.MemFile} {
		f, err := os.Open(name)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := pprofile.Parse(f); err != nil {
			t.Errorf("%s: %v", name, err)
		}
		f.Close()
	}
	trace, err := os.ReadFile(c.TraceFile)
	if err != nil || !bytes.HasPrefix(trace, []byte("go 1.")) {
		t.Errorf("the trace begins with %.16q, error %v", trace, err)
	}
}

func TestServesProfilesAndSlabs(t *testing.T) {
	var log syncBuffer
	s, err := Start(Config{PprofAddr: "127.0.0.1:0", Logger: slog.New(slog.NewTextHandler(&log, nil))})
	if err != nil {
		t.Fatal(err)
	}
	s.Watch(Subject{Slabs: func() []Owner { return []Owner{{"state tolls/0", 4096}, {"log feed", 2 << 20}} }})
	url := regexp.MustCompile(`http://127\.0\.0\.1:\d+/debug/pprof/`).FindString(log.String())
	if url == "" {
		t.Fatalf("the log %q names no address", log.String())
	}
	if body := get(t, url); !strings.Contains(string(body), "goroutine") || !strings.Contains(string(body), `href="slabs?debug=1"`) {
		t.Errorf("the index is %q", body)
	}
	if body := get(t, url+"slabs?debug=1"); string(body) != "4096 bytes: state tolls/0\n2097152 bytes: log feed\n" {
		t.Errorf("the slabs as text are %q", body)
	}
	p, err := pprofile.ParseData(get(t, url+"slabs"))
	if err != nil {
		t.Fatal(err)
	}
	if len(p.Sample) != 2 || p.Sample[1].Value[0] != 2<<20 || p.Sample[1].Location[0].Line[0].Function.Name != "log feed" {
		t.Errorf("slab profile: %v", p)
	}
	if err := p.CheckValid(); err != nil {
		t.Error(err)
	}
	if err := s.Stop(); err != nil {
		t.Fatal(err)
	}
}

func TestBadTargetsAreNamed(t *testing.T) {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer listener.Close()
	missing := filepath.Join(t.TempDir(), "missing", "file")
	for _, c := range []Config{{CPUFile: missing}, {MemFile: missing}, {TraceFile: missing}, {PprofAddr: listener.Addr().String()}} {
		s, err := Start(c)
		if err == nil {
			t.Errorf("%+v: no error", c)
			s.Stop()
			continue
		}
		if !strings.Contains(err.Error(), missing) && !strings.Contains(err.Error(), listener.Addr().String()) {
			t.Errorf("%+v: %v names neither file nor address", c, err)
		}
	}
}

// TestFullDiskIsTold has runtime/pprof drop the error of a write.
func TestFullDiskIsTold(t *testing.T) {
	const full = "/dev/full"
	if _, err := os.Stat(full); err != nil {
		t.Skipf("%v: this test needs a device that is always full", err)
	}
	for _, c := range []Config{{CPUFile: full}, {MemFile: full}, {TraceFile: full}} {
		s, err := Start(c)
		if err != nil {
			t.Fatal(err)
		}
		if err := s.Stop(); err == nil || strings.Count(err.Error(), "no space left") != 1 || !strings.Contains(err.Error(), full) {
			t.Errorf("%+v: error %v, want one that says once that there is no space, and where", c, err)
		}
	}
}

func TestDetector(t *testing.T) {
	var d detector
	start := time.Unix(1000, 0)
	steps := []struct {
		seconds, n uint64
		want       bool
	}{
		{0, 5, false},
		{1, 5, false},
		{2, 5, true},
		{3, 5, false}, // told already
		{4, 6, false},
		{5, 6, false},
		{6, 6, true},
	}
	for _, step := range steps {
		now := start.Add(time.Duration(step.seconds) * time.Second)
		if got := d.stalled(now, step.n, 2*time.Second); got != step.want {
			t.Errorf("at %d s with %d: stalled = %v", step.seconds, step.n, got)
		}
	}
}

func TestStallDumpsTheTrace(t *testing.T) {
	name := filepath.Join(t.TempDir(), "trace")
	var log syncBuffer
	s, err := Start(Config{TraceFile: name, Logger: slog.New(slog.NewTextHandler(&log, nil))})
	if err != nil {
		t.Fatal(err)
	}
	var progress atomic.Uint64
	s.Watch(Subject{Progress: progress.Load})
	for deadline := time.Now().Add(20 * time.Second); !strings.Contains(log.String(), "stalled"); time.Sleep(look / 5) {
		if time.Now().After(deadline) {
			t.Fatal("the stall was not seen within 20 s")
		}
	}
	if err := s.Stop(); err != nil {
		t.Fatal(err)
	}
	if info, err := os.Stat(name + ".stall-1"); err != nil || info.Size() == 0 {
		t.Errorf("trace of the stall: %v, %v", info, err)
	}
	if strings.Contains(log.String(), "stall-2") {
		t.Error("one stall was dumped twice")
	}
}

func get(t *testing.T, url string) []byte {
	t.Helper()
	client := http.Client{Transport: &http.Transport{DisableKeepAlives: true}}
	response, err := client.Get(url)
	if err != nil {
		t.Fatal(err)
	}
	defer response.Body.Close()
	body, err := io.ReadAll(response.Body)
	if err != nil || response.StatusCode != http.StatusOK {
		t.Fatalf("%s: %s, %v", url, response.Status, err)
	}
	return body
}

// syncBuffer is a buffer that two goroutines may use.
type syncBuffer struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (s *syncBuffer) Write(p []byte) (int, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.b.Write(p)
}

func (s *syncBuffer) String() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.b.String()
}
