package cli

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"syscall"

	"github.com/fullspate/spate/cmd/spate/internal/profile"
)

// named is a file of a command and the flag that names it.
type named struct{ flag, file string }

// distinct returns an error if a file that a command writes is one that it reads, or that it writes under another flag as
// well. It opens none of them. An empty name is no file, and a device may be named more than once.
func distinct(read, written []named) error {
	var faults []error
	for i, w := range written {
		for _, r := range read {
			if sameFile(r.file, w.file) {
				faults = append(faults, fmt.Errorf("%s (%s) would be overwritten by %s: want another name", r.file, r.flag, w.flag))
			}
		}
		for _, o := range written[:i] {
			if sameFile(o.file, w.file) {
				faults = append(faults, fmt.Errorf("%s and %s would both be written to %s: want another name", o.flag, w.flag, w.file))
			}
		}
	}
	return errors.Join(faults...)
}

// sameFile says whether two names are of one file, which need not be there yet.
func sameFile(a, b string) bool {
	if a == "" || b == "" {
		return false
	}
	ai, errA := os.Stat(a)
	bi, errB := os.Stat(b)
	if errA == nil && errB == nil {
		return os.SameFile(ai, bi) && ai.Mode()&os.ModeDevice == 0
	}
	return resolve(a) == resolve(b)
}

// resolve is where a name leads: without symbolic links as far as there is anything.
func resolve(name string) string {
	full, err := filepath.Abs(name)
	if err != nil {
		return name
	}
	if there, err := filepath.EvalSymlinks(full); err == nil {
		return there
	}
	if dir := filepath.Dir(full); dir != full {
		return filepath.Join(resolve(dir), filepath.Base(full))
	}
	return full
}

// files are the files that the flags have written.
func (f *profileFlags) files() []named {
	files := []named{{"--cpuprofile", f.CPUProfile}, {"--memprofile", f.MemProfile}, {"--trace", f.Trace}}
	if f.Trace != "" {
		for _, name := range profile.StallFiles(f.Trace) {
			files = append(files, named{"--trace", name})
		}
	}
	return files
}

// hdrFiles are the files that a latency log is written to.
func hdrFiles(name string) []named {
	if name == "" {
		return nil
	}
	return []named{{"--hdr", name}, {"--hdr", name + partialSuffix}}
}

// removeOld removes the files that an earlier run has left, so that nobody takes them for those of a run that has failed.
// What is no regular file, such as a pipe or a device, stays, and so does a link.
func removeOld(files []named) error {
	for _, f := range files {
		there, err := filepath.EvalSymlinks(f.file)
		if errors.Is(err, os.ErrNotExist) || errors.Is(err, syscall.ENOTDIR) {
			continue
		}
		var info os.FileInfo
		if err == nil {
			info, err = os.Stat(there)
		}
		if err == nil && info.Mode().IsRegular() {
			err = os.Remove(there)
		}
		if err != nil {
			return fmt.Errorf("removing what an earlier run left: %w", err)
		}
	}
	return nil
}
