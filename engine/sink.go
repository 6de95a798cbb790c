package engine

import (
	"bufio"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"

	"github.com/fullspate/spate/engine/graph"
	"github.com/fullspate/spate/engine/task"
	"github.com/fullspate/spate/ft/flock"
	"github.com/fullspate/spate/wire"
)

// SinkPart tells a sink's writer which part of the whole it is.
type SinkPart = task.SinkPart

// SinkWriter takes results of one sink task out of the engine, in order of τ. It is called by one goroutine at a time.
type SinkWriter[T any] interface {
	// Write takes one result, borrowed. An error is reported through c.Fail.
	Write(c *Ctx, v *T)
	// Commit makes durable what was written, which is everything below position, and returns a mark to find it again. A
	// writer with a method Sync() error may leave what takes time to that: it is called after Commit, on another goroutine
	// than the other methods and while they go on being called.
	Commit(position wire.Time) (mark []byte, err error)
	// Restore forgets what was written after the mark. A writer with a method Leave() is told by that, before Close, that a task
	// elsewhere goes on from its last mark: whatever it counts or collects is that one's from then on.
	Restore(mark []byte) error
	// Flush hands on what is buffered; it is called when there is nothing else to do.
	Flush() error
	// Close ends the writer.
	Close() error
}

// Sink declares a sink. It has one task unless it is given another parallelism, so that results are totally ordered; with
// more, each task writes an ordered part.
func Sink[T any](g *Graph, id string, in Stream[T], open func(SinkPart) (SinkWriter[T], error)) *Op {
	op := g.g.Add(&graph.Operator{Spec: task.Spec{ID: id, Kind: task.Sink}, Parallelism: 1})
	d := &Decl{op: op}
	recordInput(d, in, keying[T]{})
	if open == nil {
		g.g.Fail("sink %q has no open function", id)
	}
	op.Writing = &task.SinkSpec{Open: func(part task.SinkPart) (task.SinkWriter, task.Handler, error) {
		w, err := open(part)
		if err != nil {
			return nil, task.Handler{}, err
		}
		return w, bindHandler(in.codec, keying[T]{}, w.Write), nil
	}}
	return &Op{op}
}

// SinkFunc declares a sink that calls fn for every result, in order, from one goroutine.
func SinkFunc[T any](g *Graph, id string, in Stream[T], fn func(c *Ctx, v *T)) *Op {
	return Sink(g, id, in, func(SinkPart) (SinkWriter[T], error) { return funcWriter[T]{fn}, nil })
}

type funcWriter[T any] struct{ fn func(*Ctx, *T) }

func (w funcWriter[T]) Write(c *Ctx, v *T)               { w.fn(c, v) }
func (w funcWriter[T]) Commit(wire.Time) ([]byte, error) { return nil, nil }
func (w funcWriter[T]) Restore([]byte) error             { return nil }
func (w funcWriter[T]) Flush() error                     { return nil }
func (w funcWriter[T]) Close() error                     { return nil }

// FileSink declares a sink that writes lines to a file, each made by appendLine, which appends a result's line to dst. A
// checkpoint holds the file's length: what lies beyond it is cut off on restore, so that no line is doubled, lost or torn.
func FileSink[T any](g *Graph, id string, in Stream[T], path string, appendLine func(dst []byte, c *Ctx, v *T) []byte) *Op {
	return Sink(g, id, in, func(part SinkPart) (SinkWriter[T], error) { return FileWriter(part, path, appendLine) })
}

// FileWriter is the writer of a FileSink, for sinks that do more than write lines. A part of several writes to a file with its
// number behind path. What the file holds goes when the writer first writes or flushes, unless Restore comes before that.
//
// Who writes the file has it locked. A writer that takes over while another process has the lock, one that was given up for
// lost and is not dead, goes on in a copy, which takes the file's name: what the other may yet write is in nobody's way.
func FileWriter[T any](part SinkPart, path string, appendLine func(dst []byte, c *Ctx, v *T) []byte) (SinkWriter[T], error) {
	if part.Of > 1 {
		path = fmt.Sprintf("%s.%d", path, part.Index)
	}
	f, err := os.OpenFile(path, os.O_CREATE|os.O_RDWR, 0o644)
	if err != nil {
		return nil, fmt.Errorf("result file: %w", err)
	}
	w := &fileWriter[T]{path: path, heir: part.Heir, file: f, buf: bufio.NewWriterSize(f, fileBufferBytes), line: appendLine}
	return w, w.lock()
}

// fileBufferBytes makes a write large enough to cost little per line.
const fileBufferBytes = 256 << 10

type fileWriter[T any] struct {
	path string
	file *os.File
	buf  *bufio.Writer
	line func([]byte, *Ctx, *T) []byte
	last []byte
	size int64
	// begun is set by the first write or flush, or by Restore: until then what an earlier run has written is left alone, since
	// this one may be about to continue it.
	begun  bool
	heir   bool // who wrote it before was given up
	locked bool
}

// lock locks the file, unless somebody else has it locked, who may be about to lose it.
func (w *fileWriter[T]) lock() error {
	err := flock.Lock(w.file)
	w.locked = err == nil
	if err == nil || errors.Is(err, flock.ErrLocked) || !w.regular() {
		return nil
	}
	return errors.Join(fmt.Errorf("result file %s: %w", w.path, err), w.file.Close())
}

// regular says whether there is something to cut off and to lock, which there is not in a pipe.
func (w *fileWriter[T]) regular() bool {
	info, err := w.file.Stat()
	return err == nil && info.Mode().IsRegular()
}

func (w *fileWriter[T]) begin() error {
	if w.begun {
		return nil
	}
	w.begun = true
	switch {
	case !w.regular():
		return nil
	case !w.locked && !w.heir:
		return fmt.Errorf("%s: %w", w.path, flock.ErrLocked)
	}
	if err := w.takeOver(); err != nil {
		return fmt.Errorf("%s: %w", w.path, err)
	}
	return w.file.Truncate(0)
}

func (w *fileWriter[T]) Write(c *Ctx, v *T) {
	if err := w.begin(); err != nil {
		c.Fail(fmt.Errorf("result file: %w", err))
		return
	}
	w.last = w.line(w.last[:0], c, v)
	n, err := w.buf.Write(w.last)
	w.size += int64(n)
	if err != nil {
		c.Fail(fmt.Errorf("result file: %w", err))
	}
}

func (w *fileWriter[T]) Flush() error { return errors.Join(w.begin(), w.buf.Flush()) }

func (w *fileWriter[T]) Commit(wire.Time) ([]byte, error) {
	if err := w.Flush(); err != nil {
		return nil, fmt.Errorf("result file: %w", err)
	}
	return binary.LittleEndian.AppendUint64(nil, uint64(w.size)), nil
}

// Sync makes durable what has been handed to the system. A pipe or a terminal cannot be synced; what was written to it is
// out already.
func (w *fileWriter[T]) Sync() error {
	if err := w.file.Sync(); err != nil && !notSyncable(err) {
		return fmt.Errorf("result file: %w", err)
	}
	return nil
}

func (w *fileWriter[T]) Restore(mark []byte) error {
	if len(mark) != 8 {
		return fmt.Errorf("result file %s: the mark has %d bytes, want 8", w.path, len(mark))
	}
	w.buf.Reset(w.file)
	w.begun = true
	w.size = int64(binary.LittleEndian.Uint64(mark))
	info, err := w.file.Stat()
	if err != nil {
		return err
	}
	if info.Size() < w.size {
		return fmt.Errorf("result file %s has %d bytes, but %d were committed", w.path, info.Size(), w.size)
	}
	if err := w.takeOver(); err != nil {
		return fmt.Errorf("result file %s: %w", w.path, err)
	}
	if err := w.file.Truncate(w.size); err != nil {
		return err
	}
	_, err = w.file.Seek(w.size, io.SeekStart)
	return err
}

// takeOver makes the file this writer's alone: where another still has it locked, by going on in a copy of what was committed.
func (w *fileWriter[T]) takeOver() error {
	if w.locked {
		return nil
	}
	if err := w.lock(); err != nil || w.locked {
		return err
	}
	next, err := os.CreateTemp(filepath.Dir(w.path), filepath.Base(w.path)+".*")
	if err != nil {
		return err
	}
	_, err = io.Copy(next, io.NewSectionReader(w.file, 0, w.size))
	err = errors.Join(err, next.Chmod(0o644), next.Sync(), flock.Lock(next))
	if err == nil {
		err = os.Rename(next.Name(), w.path)
	}
	if err != nil {
		return errors.Join(err, next.Close(), os.Remove(next.Name()))
	}
	old := w.file
	w.file, w.locked = next, true
	w.buf.Reset(next)
	return old.Close()
}

func (w *fileWriter[T]) Close() error { return errors.Join(w.buf.Flush(), w.file.Close()) }
