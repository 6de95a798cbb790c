//go:build linux

package main

import (
	"bytes"
	"fmt"
	"os"
	"sync"
	"syscall"
	"testing"

	"golang.org/x/sys/unix"
)

// terminal is a terminal whose other end the test holds.
type terminal struct {
	master *os.File
	mu     sync.Mutex
	shown  bytes.Buffer // guarded by mu
}

// openTerminal makes a terminal, and returns the end that is for a process.
func openTerminal(t *testing.T, columns, rows uint16) (*terminal, *os.File) {
	t.Helper()
	master, err := os.OpenFile("/dev/ptmx", os.O_RDWR|syscall.O_NOCTTY, 0)
	if err != nil {
		t.Skipf("no terminals here: %v", err)
	}
	t.Cleanup(func() { master.Close() })
	fd := int(master.Fd())
	if err := unix.IoctlSetPointerInt(fd, unix.TIOCSPTLCK, 0); err != nil {
		t.Fatal(err)
	}
	n, err := unix.IoctlGetInt(fd, unix.TIOCGPTN)
	if err != nil {
		t.Fatal(err)
	}
	if err := unix.IoctlSetWinsize(fd, unix.TIOCSWINSZ, &unix.Winsize{Row: rows, Col: columns}); err != nil {
		t.Fatal(err)
	}
	slave, err := os.OpenFile(fmt.Sprintf("/dev/pts/%d", n), os.O_RDWR|syscall.O_NOCTTY, 0)
	if err != nil {
		t.Fatal(err)
	}
	return &terminal{master: master}, slave
}

// watch keeps what is shown, until the process has closed its end.
func (p *terminal) watch() {
	buf := make([]byte, 4096)
	for {
		n, err := p.master.Read(buf)
		p.mu.Lock()
		p.shown.Write(buf[:n])
		p.mu.Unlock()
		if err != nil {
			return
		}
	}
}

// shows says whether all of some texts have been shown.
func (p *terminal) shows(texts ...string) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	for _, text := range texts {
		if !bytes.Contains(p.shown.Bytes(), []byte(text)) {
			return false
		}
	}
	return true
}

// TestTopOnATerminal shows a job while it runs, bears a coordinator that is away, and is left with a key.
func TestTopOnATerminal(t *testing.T) {
	t.Parallel()
	f := startFleet(t, 1, "--heartbeat-timeout", "2s")
	spate(t, f.join(endless...)...).want(t, 0)
	f.awaitJob("j1", 1)
	term, slave := openTerminal(t, 120, 40)
	c := process(t, f.join("top", "--interval", "100ms")...)
	c.Stdin, c.Stdout, c.Stderr = slave, slave, slave
	c.SysProcAttr = &syscall.SysProcAttr{Setsid: true, Setctty: true}
	if err := c.Start(); err != nil {
		t.Fatal(err)
	}
	slave.Close()
	var watching sync.WaitGroup
	watching.Go(term.watch)
	await(t, "the job on the terminal", func() bool { return term.shows("cluster ", "OPERATOR", "calculator", "tab next job") })
	kill(f.coordinator, syscall.SIGKILL)
	await(t, "the warning", func() bool { return term.shows("no answer since", "connection refused") })
	if _, err := term.master.WriteString("q"); err != nil {
		t.Fatal(err)
	}
	if err := c.Wait(); err != nil {
		t.Errorf("top ended with %v", err)
	}
	watching.Wait()
}
