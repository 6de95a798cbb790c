package auth

import (
	"fmt"
	"net"

	"golang.org/x/sys/unix"
)

// peerName says who is at the other end: its address, or its process where a unix socket has none.
func peerName(conn net.Conn) string {
	name := conn.RemoteAddr().String()
	u, ok := conn.(*net.UnixConn)
	if !ok || name != "" && name != "@" {
		return name
	}
	raw, err := u.SyscallConn()
	if err != nil {
		return "unix"
	}
	var cred *unix.Ucred
	if raw.Control(func(fd uintptr) { cred, err = unix.GetsockoptUcred(int(fd), unix.SOL_SOCKET, unix.SO_PEERCRED) }) != nil || err != nil {
		return "unix"
	}
	return fmt.Sprintf("pid %d (uid %d)", cred.Pid, cred.Uid)
}
