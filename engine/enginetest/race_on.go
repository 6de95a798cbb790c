//go:build race

package enginetest

// raceShare is the share of schedules that is run under the race detector: it makes them ten times as slow, and they have
// nothing to do with each other.
const raceShare = 10
