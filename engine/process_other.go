//go:build !unix

package engine

import "time"

// processorTime is not known here.
func processorTime() time.Duration { return 0 }
