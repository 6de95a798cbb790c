package ft

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"math"

	"github.com/fullspate/spate/state"
)

// Generations implements Store.
func (d *Dir) Generations(ctx context.Context, id TaskID) ([]Info, error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if t := d.tasks[id]; t != nil {
		return t.index.newestFirst(), ctx.Err()
	}
	return nil, ctx.Err()
}

// Tasks implements Store.
func (d *Dir) Tasks(ctx context.Context) ([]TaskID, error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	there := make(map[TaskID]bool)
	for id, t := range d.tasks {
		if len(t.index.gens) > 0 {
			there[id] = true
		}
	}
	return sortedTasks(there), ctx.Err()
}

// Get implements Store.
func (d *Dir) Get(ctx context.Context, id TaskID, gen uint64) (*Checkpoint, error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	t := d.task(id)
	line := d.beginRead(t, gen)
	defer d.endRead(t)
	if len(line) == 0 {
		return nil, fmt.Errorf("checkpoint %d of %v in %s: %w", gen, id, d.cfg.Path, ErrNotFound)
	}
	return d.read(t, line)
}

// beginRead returns what a checkpoint is restored from; none of it is removed before endRead.
func (d *Dir) beginRead(t *dirTask, gen uint64) []Info {
	d.mu.Lock()
	defer d.mu.Unlock()
	t.readers++
	return t.index.line(gen)
}

func (d *Dir) endRead(t *dirTask) {
	d.mu.Lock()
	defer d.mu.Unlock()
	t.readers--
}

// read reads a checkpoint from its line, and takes out of the index what turns out to be damaged.
func (d *Dir) read(t *dirTask, line []Info) (*Checkpoint, error) {
	encoded := make([][]byte, len(line))
	for n, i := range line {
		data, err := readFile(d.cfg.FS, d.file(i.Task, i.Generation), math.MaxInt64)
		if err == nil {
			_, err = Decode(data)
		}
		if err != nil {
			return nil, d.failed(t, i, err)
		}
		encoded[n] = data
	}
	c, err := foldEncoded(encoded)
	if err != nil {
		return nil, d.failed(t, line[len(line)-1], err)
	}
	return c, nil
}

// failed says which file could not be read. If it is the file's fault, it and what builds on it cannot be restored from.
func (d *Dir) failed(t *dirTask, i Info, err error) error {
	name := d.file(i.Task, i.Generation)
	if isDamage(err) || errors.Is(err, fs.ErrNotExist) {
		d.mu.Lock()
		gone := t.index.remove(i.Generation)
		for _, g := range gone {
			t.doomed[d.file(g.Task, g.Generation)] = true
		}
		d.mu.Unlock()
		if len(gone) > 0 {
			d.warnDamage(name, err)
		}
	}
	return fmt.Errorf("%s: %w", name, err)
}

func (d *Dir) warnDamage(name string, err error) {
	d.cfg.Logger.Warn("a checkpoint is damaged: an older one has to do", "file", name, "error", err)
}

// isDamage says whether an error is one of what was read and not of reading it.
func isDamage(err error) bool {
	var format *FormatError
	var image *state.ImageError
	return errors.As(err, &format) || errors.As(err, &image) || errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF)
}

// Fold implements Store.
func (d *Dir) Fold(ctx context.Context, id TaskID) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	t := d.task(id)
	line := d.beginFold(t)
	if line == nil {
		return nil
	}
	defer d.endFold(t)
	c, err := d.readFold(t, line)
	if err != nil {
		return err
	}
	encoded := c.Append(nil)
	info, err := DecodeInfo(encoded)
	if err != nil {
		return err
	}
	t.io.Lock()
	defer t.io.Unlock()
	if !d.holds(t, info) {
		return nil
	}
	return d.write(t, info, encoded)
}

// beginFold returns what is to be folded, nothing if that does not pay or somebody is at it.
func (d *Dir) beginFold(t *dirTask) []Info {
	d.mu.Lock()
	defer d.mu.Unlock()
	if t.folding || d.closed || !t.index.foldDue() {
		return nil
	}
	t.folding = true
	t.readers++
	return t.index.line(t.index.newest())
}

func (d *Dir) readFold(t *dirTask, line []Info) (*Checkpoint, error) {
	defer d.endRead(t)
	return d.read(t, line)
}

func (d *Dir) endFold(t *dirTask) {
	d.mu.Lock()
	defer d.mu.Unlock()
	t.folding = false
}

// holds says whether a checkpoint is still what there is of its generation.
func (d *Dir) holds(t *dirTask, info Info) bool {
	d.mu.Lock()
	defer d.mu.Unlock()
	i, ok := t.index.get(info.Generation)
	return ok && i.Position == info.Position && !d.closed
}
