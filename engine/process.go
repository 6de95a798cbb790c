package engine

import (
	"fmt"
	"os"
	"runtime"
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
	var all, resident int64 // in pages
	if _, err := fmt.Sscan(string(statm), &all, &resident); err != nil {
		return 0
	}
	return resident * int64(os.Getpagesize())
}
