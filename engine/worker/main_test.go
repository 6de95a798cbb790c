package worker

import (
	"testing"

	"go.uber.org/goleak"
)

func TestMain(m *testing.M) {
	// gnet has goroutines from the moment it is imported.
	goleak.VerifyTestMain(m, goleak.IgnoreCurrent())
}
