//go:build !race

package enginetest

// raceShare is 1 where there is no race detector.
const raceShare = 1
