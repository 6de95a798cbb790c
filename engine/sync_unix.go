//go:build unix

package engine

import (
	"errors"
	"syscall"
)

func notSyncable(err error) bool {
	return errors.Is(err, syscall.EINVAL) || errors.Is(err, syscall.ENOTSUP)
}
