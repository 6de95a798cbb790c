package control

import (
	"testing"

	"go.uber.org/goleak"
)

// TestMain fails if a connection has left its writer behind.
func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }
