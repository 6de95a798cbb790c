// Package profile shows where a run spends its time and memory: profiles over HTTP while it runs, profiles in files when
// it ends, and a flight recorder that keeps the last seconds of the execution trace.
//
//	s, err := profile.Start(profile.Config{PprofAddr: "localhost:6060", TraceFile: "run.trace"})
//	s.Watch(profile.Subject{Progress: tuplesDone, Slabs: slabsByOwner, Stall: 2 * time.Second})
//	…
//	err = s.Stop()
//
// Over HTTP it serves everything of net/http/pprof, and /debug/pprof/slabs: the memory outside the Go heap, which the
// runtime's profiles can't see, by owner, in the same format. It has a mux of its own, so nothing that other packages
// register is served.
//
// A run has stalled when its progress has stood still for the given time; the trace is then written beside the given
// file with .stall-1, .stall-2, … added, three times at most and again only after the run has moved on.
//
// Start, Watch and Stop belong to one goroutine; Progress and Slabs are called from others. Every goroutine that Start
// and Watch begin has ended when Stop returns.
package profile
