package reactor

import (
	"fmt"
	"net"
	"os"
	"time"

	"github.com/panjf2000/gnet/v2"
	"golang.org/x/sys/unix"
)

// kernelBell is an eventfd and a timerfd that the loop itself polls: half the price of a pair of sockets, and an alarm that is
// some 20 µs late, whatever the runtime's scheduler is busy with.
type kernelBell struct {
	event *os.File // blocking, so that the runtime does not poll it too; a file, so that ring may come after close
	timer int
}

func openBell(client *gnet.Client, wake func(), plain bool) (bell, error) {
	if plain {
		return openPlainBell(client, wake)
	}
	return openKernelBell(client)
}

func openKernelBell(client *gnet.Client) (b *kernelBell, err error) {
	event, err := unix.Eventfd(0, unix.EFD_CLOEXEC)
	if err != nil {
		return nil, os.NewSyscallError("eventfd", err)
	}
	b = &kernelBell{event: os.NewFile(uintptr(event), "eventfd"), timer: -1}
	defer func() {
		if err != nil {
			b.close()
		}
	}()
	b.timer, err = unix.TimerfdCreate(unix.CLOCK_MONOTONIC, unix.TFD_CLOEXEC|unix.TFD_NONBLOCK)
	if err != nil {
		return b, os.NewSyscallError("timerfd_create", err)
	}
	if err = enrollFile(client, event); err != nil {
		return b, err
	}
	return b, enrollFile(client, b.timer)
}

// enrollFile has gnet poll a descriptor that is not a socket. It takes connections of package net alone, so it is given one
// whose descriptor has been replaced; of that it makes a copy, and reads.
func enrollFile(client *gnet.Client, fd int) error {
	nc, err := socket()
	if err != nil {
		return err
	}
	defer nc.Close()
	raw, err := nc.SyscallConn()
	if err != nil {
		return err
	}
	var dup error
	err = raw.Control(func(old uintptr) { dup = unix.Dup3(fd, int(old), unix.O_CLOEXEC) })
	if err != nil {
		return err
	}
	if dup != nil {
		return os.NewSyscallError("dup3", dup)
	}
	_, err = client.EnrollContext(nc, ringing{})
	return err
}

// socket makes a unix socket whose peer has gone.
func socket() (*net.UnixConn, error) {
	pair, err := unix.Socketpair(unix.AF_UNIX, unix.SOCK_STREAM|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		return nil, os.NewSyscallError("socketpair", err)
	}
	unix.Close(pair[1])
	f := os.NewFile(uintptr(pair[0]), "socketpair")
	defer f.Close()
	nc, err := net.FileConn(f)
	if err != nil {
		return nil, err
	}
	uc, ok := nc.(*net.UnixConn)
	if !ok {
		return nil, fmt.Errorf("a unix socket has become a %T", nc)
	}
	return uc, nil
}

var once = []byte{1, 0, 0, 0, 0, 0, 0, 0} // any number does, in any byte order

func (b *kernelBell) ring() { _, _ = b.event.Write(once) } // it fails only when it is closed

func (b *kernelBell) alarm(after time.Duration) {
	var spec unix.ItimerSpec
	if after != Never {
		spec.Value = unix.NsecToTimespec(int64(after))
	}
	if err := unix.TimerfdSettime(b.timer, 0, &spec, nil); err != nil {
		panic(fmt.Sprintf("BUG: alarm in %v: timerfd_settime: %v", after, err))
	}
}

func (b *kernelBell) close() {
	b.event.Close()
	if b.timer >= 0 {
		unix.Close(b.timer)
	}
}
