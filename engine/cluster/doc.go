// Package cluster runs programs on worker processes: on some that it starts itself, with a coordinator in the calling process,
// or on a cluster that is running already.
//
//	Runner ──▶ Manager ── a coordinator.Server in this process (Local), or the HTTP API of a running one
//	              │
//	              ▼ control connections
//	          worker processes: started by Local, each the same binary again; they end with whoever started them
//
// A Runner is an engine.Runner: what runs embedded runs on workers unchanged. It looks at the job a few times a second, and
// its Stats are at most that much, and a report of the workers, old.
//
// A Local cluster cleans up whatever happens: Close ends the workers in good order and waits for them; if the calling process
// is killed, they are too (on Linux), or see the end of their input (anywhere). Its secret is made anew each time and handed
// over in the environment, which other users cannot read.
//
// All methods may be called from any goroutine.
package cluster
