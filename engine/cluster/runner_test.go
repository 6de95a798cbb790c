package cluster

import (
	"testing"
	"time"

	"github.com/fullspate/spate/engine"
	"github.com/fullspate/spate/engine/coordinator"
)

// Checkpoints are asked for by Recovery alone: their interval has a default that says nothing.
func TestRecoveryIsPassedOn(t *testing.T) {
	tests := []struct {
		cfg      engine.Config
		interval time.Duration
		replicas int
	}{
		{engine.Config{CheckpointInterval: time.Second, Replicas: 2}, 0, 0},
		{engine.Config{Recovery: engine.StateManagement}, 5 * time.Second, 0},
		{engine.Config{Recovery: engine.StateManagement, CheckpointInterval: time.Second, Replicas: 2}, time.Second, 2},
	}
	for _, tt := range tests {
		if got := jobConfig(tt.cfg); got.CheckpointInterval != tt.interval || got.Replicas != tt.replicas {
			t.Errorf("%+v becomes %v with %d replicas, want %v with %d", tt.cfg, got.CheckpointInterval, got.Replicas, tt.interval, tt.replicas)
		}
	}
}

func TestLossesThatWereMadeGood(t *testing.T) {
	info := coordinator.JobInfo{Losses: []coordinator.Loss{{Worker: "w1", Recovered: true}, {Worker: "w2"}}}
	if got := LossesOf(info); len(got) != 1 || got[0].Worker != "w2" {
		t.Errorf("got %+v, want that of w2", got)
	}
}
