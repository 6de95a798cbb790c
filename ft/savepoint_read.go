package ft

import (
	"cmp"
	"encoding/json"
	"errors"
	"fmt"
	"hash/crc32"
	"io/fs"
	"path/filepath"
	"slices"

	"github.com/fullspate/spate/partition"
	"github.com/fullspate/spate/state"
)

// Savepoint is a savepoint that can be read.
type Savepoint struct {
	fs   FS
	path string
	info SavepointInfo
}

// OpenSavepoint reads what a savepoint says about itself. The error says what is missing or damaged. fsys may be nil, for
// System.
func OpenSavepoint(fsys FS, path string) (*Savepoint, error) {
	if fsys == nil {
		fsys = System
	}
	s := &Savepoint{fs: fsys, path: filepath.Clean(path)}
	name := filepath.Join(s.path, savepointName)
	data, err := readFile(fsys, name, savepointMax)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return nil, fmt.Errorf("%s is no savepoint, it has no %s: %w", s.path, savepointName, err)
	case err != nil:
		return nil, fmt.Errorf("reading %s: %w", name, err)
	}
	if err := json.Unmarshal(data, &s.info); err != nil {
		return nil, fmt.Errorf("%s is damaged: %w", name, err)
	}
	if s.info.Format != savepointFormat {
		return nil, fmt.Errorf("%s is of format %d, only %d is known", name, s.info.Format, savepointFormat)
	}
	if err := s.info.check(); err != nil {
		return nil, fmt.Errorf("%s is damaged: %w", name, err)
	}
	return s, nil
}

// Info is what the savepoint says about itself.
func (s *Savepoint) Info() SavepointInfo { return s.info }

// Path is where it is.
func (s *Savepoint) Path() string { return s.path }

// sort brings the tasks into their order.
func (i *SavepointInfo) sort() {
	place := make(map[string]int)
	for n, o := range i.Job.Operators {
		place[o.ID] = n
	}
	slices.SortFunc(i.Tasks, func(a, b SavepointTask) int {
		return cmp.Or(cmp.Compare(place[a.Operator], place[b.Operator]), cmp.Compare(a.First, b.First))
	})
}

// check says why this is not what is said of a whole savepoint: of each operator that has tasks, these have all hashes, and
// files are called after them.
func (i *SavepointInfo) check() error {
	if len(i.Tasks) == 0 {
		return errors.New("it has no tasks")
	}
	ranges := make(map[string][]partition.Range)
	for _, t := range i.Tasks {
		if _, ok := i.Job.Operator(t.Operator); !ok {
			return fmt.Errorf("it has a task of operator %q, of which it says nothing", t.Operator)
		}
		if want := savepointFile(t.ID()); t.File != want {
			return fmt.Errorf("%v is in the file %q, must be in %q", t.ID(), t.File, want)
		}
		ranges[t.Operator] = append(ranges[t.Operator], t.ID().Range)
	}
	for operator, rs := range ranges {
		if err := partition.CheckTiling(partition.Full(), rs); err != nil {
			return fmt.Errorf("tasks of operator %q: %w", operator, err)
		}
	}
	return nil
}

// Read returns the checkpoints of an operator's tasks, by range; none of one that was fused into another. Everything is compared
// with what the savepoint says of it. The error says which file is missing or damaged.
func (s *Savepoint) Read(operator string) (pieces []*Checkpoint, err error) {
	for _, t := range s.info.Tasks {
		if t.Operator != operator {
			continue
		}
		c, err := s.ReadTask(t.ID())
		if err != nil {
			return nil, err
		}
		pieces = append(pieces, c)
	}
	return pieces, nil
}

// ReadTask is Read for one of an operator's tasks. The error is ErrNotFound if there is no such task.
func (s *Savepoint) ReadTask(id TaskID) (*Checkpoint, error) {
	n := slices.IndexFunc(s.info.Tasks, func(t SavepointTask) bool { return t.ID() == id })
	if n < 0 {
		return nil, fmt.Errorf("savepoint %s: %v: %w", s.path, id, ErrNotFound)
	}
	t := &s.info.Tasks[n]
	about, _ := s.info.Job.Operator(id.Operator)
	c, err := s.readTask(t, about.Tables)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", filepath.Join(s.path, t.File), err)
	}
	return c, nil
}

func (s *Savepoint) readTask(t *SavepointTask, tables []SchemaInfo) (*Checkpoint, error) {
	data, err := readFile(s.fs, filepath.Join(s.path, t.File), max(t.Bytes, 0))
	if err != nil {
		return nil, err
	}
	if sum := crc32.Checksum(data, castagnoli); sum != t.Sum || int64(len(data)) != t.Bytes {
		return nil, formatErrorf(0, "%d bytes with the checksum %08x, must be %d with %08x", len(data), sum, t.Bytes, t.Sum)
	}
	c, info, err := decode(data)
	if err != nil {
		return nil, err
	}
	switch {
	case info.Task != t.ID() || info.Position != s.info.Position:
		return nil, formatErrorf(0, "it is of %v at %v, must be of %v at %v", info.Task, info.Position, t.ID(), s.info.Position)
	case c.Kind != state.Base || len(c.Logs) > 0:
		return nil, formatErrorf(0, "it is a %v with %d logs, must be a base with none", c.Kind, len(c.Logs))
	case len(c.Tables) != len(tables):
		return nil, formatErrorf(12, "it has %d tables, must have %d", len(c.Tables), len(tables))
	}
	for n, table := range info.Tables {
		if Hex(table.Fingerprint) != tables[n].Fingerprint {
			return nil, formatErrorf(0, "table %d has the schema %016x, must have that of %q, %v", n, table.Fingerprint, tables[n].Name, tables[n].Fingerprint)
		}
	}
	return c, nil
}
