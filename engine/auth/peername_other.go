//go:build !linux

package auth

import "net"

// peerName says who is at the other end.
func peerName(conn net.Conn) string { return conn.RemoteAddr().String() }
