package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"
)

// asSpate makes the test binary run main instead of tests, so that tests look at the whole process: exit codes, signals
// and what a closed pipe does.
const asSpate = "SPATE_TEST_RUNS_MAIN"

func TestMain(m *testing.M) {
	if os.Getenv(asSpate) != "" {
		main()
		return
	}
	os.Exit(m.Run())
}

// patience is how long any spate of these tests may run; one that hangs is made to print its goroutines and exits with
// code 2.
const patience = time.Minute

// process is a spate that has not been started.
func process(t *testing.T, args ...string) *exec.Cmd {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	t.Cleanup(cancel)
	c := exec.CommandContext(ctx, os.Args[0], args...)
	c.Env = append(os.Environ(), asSpate+"=1")
	c.Cancel = func() error { return c.Process.Signal(syscall.SIGQUIT) }
	c.WaitDelay = 10 * time.Second
	return c
}

// ended is what a spate left behind.
type ended struct {
	stdout, stderr string
	code           int
}

// spate runs the program to its end.
func spate(t *testing.T, args ...string) ended {
	t.Helper()
	return wait(t, process(t, args...))
}

func wait(t *testing.T, c *exec.Cmd) ended {
	t.Helper()
	return start(t, c)()
}

// start starts c, and returns what waits for its end.
func start(t *testing.T, c *exec.Cmd) (end func() ended) {
	t.Helper()
	var stdout, stderr bytes.Buffer
	c.Stdout, c.Stderr = &stdout, &stderr
	if err := c.Start(); err != nil {
		t.Fatal(err)
	}
	return func() ended {
		t.Helper()
		err := c.Wait()
		var exit *exec.ExitError
		if err != nil && !errors.As(err, &exit) {
			t.Fatal(err)
		}
		return ended{stdout.String(), stderr.String(), c.ProcessState.ExitCode()}
	}
}

// interrupt starts c and sends it a signal a moment after it is ready.
func interrupt(t *testing.T, c *exec.Cmd, signal os.Signal, ready func() bool) ended {
	t.Helper()
	end := start(t, c)
	for deadline := time.Now().Add(patience); !ready() && time.Now().Before(deadline); {
		time.Sleep(10 * time.Millisecond)
	}
	time.Sleep(300 * time.Millisecond)
	if err := c.Process.Signal(signal); err != nil {
		t.Error(err)
	}
	return end()
}

func exists(name string) bool {
	_, err := os.Stat(name)
	return err == nil
}

// want checks exit code, and that standard error contains all of parts.
func (e ended) want(t *testing.T, code int, parts ...string) {
	t.Helper()
	if e.code != code {
		t.Fatalf("exit code %d, want %d\n%s%s", e.code, code, e.stdout, e.stderr)
	}
	for _, part := range parts {
		if !strings.Contains(e.stderr, part) {
			t.Errorf("standard error lacks %q:\n%s", part, e.stderr)
		}
	}
	if code == 0 && e.stderr != "" {
		t.Errorf("standard error of a success:\n%s", e.stderr)
	}
}

// object decodes standard output, which must be one JSON object with the given schema.
func (e ended) object(t *testing.T, schema string) map[string]any {
	t.Helper()
	d := json.NewDecoder(strings.NewReader(e.stdout))
	var o map[string]any
	if err := d.Decode(&o); err != nil {
		t.Fatalf("%v in\n%s", err, e.stdout)
	}
	if d.More() {
		t.Errorf("more than one JSON value:\n%s", e.stdout)
	}
	if o["schema"] != schema {
		t.Errorf("schema %v, want %s", o["schema"], schema)
	}
	return o
}

// write makes a file in a temporary folder.
func write(t *testing.T, name, content string) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), name)
	if err := os.WriteFile(path, []byte(content), 0o666); err != nil {
		t.Fatal(err)
	}
	return path
}

// leftovers fails if a command has left a file that it did not finish.
func leftovers(t *testing.T, dir string) {
	t.Helper()
	found, err := filepath.Glob(filepath.Join(dir, "*.partial"))
	if err != nil || len(found) > 0 {
		t.Errorf("left behind: %v (%v)", found, err)
	}
}
