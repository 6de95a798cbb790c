package cluster

import (
	"os"
	"path/filepath"
	"time"

	"github.com/fullspate/spate/ft/flock"
)

const (
	// dirPattern is what the directories of local clusters are called, in the system's directory for temporary files.
	dirPattern = "spate-local-*"
	// aliveFile is locked in such a directory for as long as its cluster lives.
	aliveFile = "alive"
	// sweepAge is how old a directory has to be: one that is younger may not have been locked yet.
	sweepAge = time.Minute
)

// makeDir makes a directory for a local cluster, and locks it until the returned file is closed or the process ends.
func makeDir() (dir string, alive *os.File, err error) {
	if dir, err = os.MkdirTemp("", dirPattern); err != nil {
		return "", nil, err
	}
	alive, err = flock.Open(filepath.Join(dir, aliveFile))
	return dir, alive, err
}

// sweep removes what local clusters have left behind whose process was killed, which had no chance to do it itself. It is a
// courtesy: what cannot be removed stays.
func sweep(tmp string, now time.Time) {
	dirs, err := filepath.Glob(filepath.Join(tmp, dirPattern))
	if err != nil {
		return // only of a pattern that makes no sense, such as a directory's name with brackets in it
	}
	for _, dir := range dirs {
		if info, err := os.Lstat(dir); err == nil && info.IsDir() && now.Sub(info.ModTime()) > sweepAge && dead(dir) {
			_ = os.RemoveAll(dir)
		}
	}
}

// dead says whether the cluster of a directory has ended.
func dead(dir string) bool {
	f, err := os.OpenFile(filepath.Join(dir, aliveFile), os.O_RDWR, 0)
	if err != nil {
		return false // another user's, or something else
	}
	defer f.Close()
	return flock.Supported && flock.Lock(f) == nil // without locks nobody can tell who lives
}
