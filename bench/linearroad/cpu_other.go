//go:build !unix

package linearroad

import "time"

// processorTime is not known here.
func processorTime() time.Duration { return 0 }
