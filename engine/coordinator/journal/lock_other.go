//go:build !unix || aix || solaris

package journal

import "os"

// lockFile only makes the file: here nothing keeps two processes apart.
func lockFile(path string) (*os.File, error) {
	return os.OpenFile(path, os.O_RDWR|os.O_CREATE, 0o600)
}
