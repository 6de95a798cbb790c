package cluster

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"os/exec"
	"sync"
	"time"
)

// Spawned is a process that ends with the calling one: it is killed when that is (where the system can do so), and it sees
// the end of its standard input in any case.
type Spawned struct {
	cmd   *exec.Cmd
	stdin io.Closer
	done  chan struct{} // closed once it has ended
	err   error         // valid then

	killed sync.Once
}

// spawn starts a process. What it writes goes to out.
func (s *spawner) spawn(path string, args, env []string, out io.Writer) (*Spawned, error) {
	cmd := exec.Command(path, args...)
	cmd.Env = append(os.Environ(), env...)
	cmd.Stdout, cmd.Stderr = out, out
	cmd.SysProcAttr = dieWithParent()
	stdin, err := cmd.StdinPipe()
	if err != nil {
		return nil, err
	}
	p := &Spawned{cmd: cmd, stdin: stdin, done: make(chan struct{})}
	if err := s.start(cmd); err != nil {
		return nil, errors.Join(fmt.Errorf("starting %s: %w", path, err), stdin.Close())
	}
	go func() {
		p.err = cmd.Wait()
		close(p.done)
	}()
	return p, nil
}

// PID is the process's id.
func (p *Spawned) PID() int { return p.cmd.Process.Pid }

// Signal sends a signal to the process.
func (p *Spawned) Signal(sig os.Signal) error { return p.cmd.Process.Signal(sig) }

// Done is closed once the process has ended.
func (p *Spawned) Done() <-chan struct{} { return p.done }

// Err is what the process has ended with, once it has.
func (p *Spawned) Err() error {
	<-p.done
	return p.err
}

// stop asks the process to end, kills it if it does not do so in time, and waits until it has ended.
func (p *Spawned) stop(patience time.Duration) {
	p.killed.Do(func() {
		_ = p.stdin.Close() // that is how it is asked; a process that is gone already does not hear it
		select {
		case <-p.done:
		case <-time.After(patience):
			_ = p.cmd.Process.Kill()
		}
	})
	<-p.done
}

// UntilInputEnds returns a context that is done when r ends, which is how a spawned process is asked to end.
func UntilInputEnds(ctx context.Context, r io.Reader, log *slog.Logger) context.Context {
	ctx, cancel := context.WithCancel(ctx)
	go func() {
		_, err := io.Copy(io.Discard, r)
		log.Debug("the process that started this one has closed its end", "error", err)
		cancel()
	}()
	return ctx
}

// spawner starts processes from one operating system thread that lives as long as it does: Linux sends a parent's death
// signal when the thread ends that has started the child.
type spawner struct {
	todo chan func()
	done chan struct{}
}

func newSpawner() *spawner {
	s := &spawner{todo: make(chan func()), done: make(chan struct{})}
	go s.run()
	return s
}

func (s *spawner) run() {
	defer close(s.done)
	lockThread()
	for do := range s.todo {
		do()
	}
}

func (s *spawner) start(cmd *exec.Cmd) error {
	result := make(chan error, 1)
	s.todo <- func() { result <- cmd.Start() }
	return <-result
}

// close ends the thread, and with it whatever it has started that still lives.
func (s *spawner) close() {
	close(s.todo)
	<-s.done
}
