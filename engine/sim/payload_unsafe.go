package sim

import (
	"unsafe"

	"github.com/fullspate/spate/engine/task"
)

// payloadAt is a payload of fixed size as bytes.
func payloadAt(p task.Ptr, n int) []byte { return unsafe.Slice((*byte)(p), n) }
