package engine

import (
	"bytes"
	"os"
	"runtime"
	"strconv"
)

// ThisProcess reports the counters of the calling process. It stops the world for some microseconds.
func ThisProcess() ProcessStats {
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return ProcessStats{RSSBytes: residentBytes(), CPU: processorTime(), Mallocs: m.Mallocs}
}

// residentBytes is how much memory of the process is resident, 0 where the system does not tell.
func residentBytes() int64 {
	statm, err := os.ReadFile("/proc/self/statm")
	if err != nil {
		return 0
	}
	// In pages: all, resident, shared, … Not scanned with fmt, which allocates: benchmarks count the allocations of a process.
	_, rest, _ := bytes.Cut(statm, []byte(" "))
	resident, _, _ := bytes.Cut(rest, []byte(" "))
	pages, err := strconv.ParseInt(string(resident), 10, 64)
	if err != nil {
		return 0
	}
	return pages * int64(os.Getpagesize())
}
