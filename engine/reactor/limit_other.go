//go:build !unix

package reactor

import "math"

// RaiseFileLimit does nothing where there is no such limit.
func RaiseFileLimit() (n uint64, err error) { return math.MaxUint64, nil }
