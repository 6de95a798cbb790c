// Package pipe is a connection in memory between two links: what the simulator has for a network, and tests for a socket.
//
//	A.Writev ──▶ │ in flight │ ── Deliver ──▶ │ arrived │ ──▶ B.Read
//
// Nothing arrives by itself: whoever drives the pipe decides when, and how many bytes together. Everything belongs to one
// goroutine. A pipe does not break; who simulates that drops both ends.
package pipe
