package cli

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
)

// fileBuffer keeps the number of writes small against what they write.
const fileBuffer = 1 << 20

// partialSuffix is added to the name of a file that is not whole.
const partialSuffix = ".partial"

// outFile is a file that gets its name when it is whole. What is not a regular file, such as a pipe or a device, is
// written as it is.
type outFile struct {
	*bufio.Writer
	f     *os.File
	name  string // what the file is to be called
	bytes int64
}

// createFile opens a file for writing until ctx is canceled: writes then fail with the context's error.
func createFile(ctx context.Context, name string) (*outFile, error) {
	o := &outFile{name: name}
	path := name
	info, err := os.Stat(name)
	switch {
	case err == nil && info.IsDir():
		return nil, fmt.Errorf("%s is a folder, want a file", name)
	case err == nil && !info.Mode().IsRegular():
	case err == nil:
		if o.name, err = filepath.EvalSymlinks(name); err != nil {
			return nil, err
		}
		path = o.name + partialSuffix
	default:
		path += partialSuffix
	}
	// For writing alone: who also reads a pipe never learns that nobody else does.
	if o.f, err = os.OpenFile(path, os.O_WRONLY|os.O_CREATE|os.O_TRUNC, 0o666); err != nil {
		return nil, err
	}
	o.Writer = bufio.NewWriterSize(&countingWriter{ctx: ctx, w: o.f, n: &o.bytes}, fileBuffer)
	return o, nil
}

// finish ends the file: with its name if err is nil and everything could be written, and otherwise without a trace. It
// returns err or the fault that it met.
func (o *outFile) finish(err error) error {
	if err == nil {
		err = o.Flush()
	}
	err = errors.Join(err, o.f.Close())
	if o.f.Name() == o.name {
		return err
	}
	if err != nil {
		os.Remove(o.f.Name())
		return err
	}
	return os.Rename(o.f.Name(), o.name)
}

type countingWriter struct {
	ctx context.Context
	w   io.Writer
	n   *int64
}

func (c *countingWriter) Write(p []byte) (int, error) {
	if err := c.ctx.Err(); err != nil {
		return 0, err
	}
	n, err := c.w.Write(p)
	*c.n += int64(n)
	return n, err
}

// countingReader counts what has been read, for progress, and fails when ctx is canceled.
type countingReader struct {
	ctx  context.Context
	r    io.Reader
	told func(n int64)
}

func (c *countingReader) Read(p []byte) (int, error) {
	if err := c.ctx.Err(); err != nil {
		return 0, err
	}
	n, err := c.r.Read(p)
	c.told(int64(n))
	return n, err
}

// openFile opens a file for reading and returns its size, 0 if it is not a regular file.
func openFile(name string) (*os.File, int64, error) {
	f, err := os.Open(name)
	if err != nil {
		return nil, 0, err
	}
	info, err := f.Stat()
	if err == nil && info.IsDir() {
		err = fmt.Errorf("%s is a folder, want a file", name)
	}
	if err != nil {
		return nil, 0, errors.Join(err, f.Close())
	}
	if !info.Mode().IsRegular() {
		return f, 0, nil
	}
	return f, info.Size(), nil
}
