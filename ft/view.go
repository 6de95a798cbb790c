package ft

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"path/filepath"
	"time"
)

// View is a directory of checkpoints that is only read, whoever else uses it. It sees what was there when it was opened: a
// checkpoint that has become needless since then may be gone, which Get says with fs.ErrNotExist.
type View struct {
	dir *Dir
	man manifest
}

// ViewDir opens a directory for reading. Of the configuration Path, FS and Logger are looked at. Every file is read through:
// of what is damaged the logger is told.
func ViewDir(cfg DirConfig) (*View, error) {
	if err := cfg.Validate(); err != nil {
		return nil, err
	}
	v := &View{dir: &Dir{cfg: cfg.withDefaults(), tasks: make(map[TaskID]*dirTask), view: true}}
	name := filepath.Join(v.dir.cfg.Path, manifestName)
	data, err := readFile(v.dir.cfg.FS, name, manifestMax)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return nil, fmt.Errorf("%s is no directory of checkpoints, it has no %s: %w", v.dir.cfg.Path, manifestName, err)
	case err != nil:
		return nil, fmt.Errorf("reading %s: %w", name, err)
	}
	if err := json.Unmarshal(data, &v.man); err != nil {
		return nil, fmt.Errorf("%s is damaged: %w", name, err)
	}
	if v.man.Format != manifestFormat {
		return nil, fmt.Errorf("%s is of format %d, only %d is known", name, v.man.Format, manifestFormat)
	}
	return v, v.dir.scan()
}

// Created is when the directory was made.
func (v *View) Created() time.Time { return v.man.Created }

// Job is whose checkpoints there are; empty if the directory does not say.
func (v *View) Job() JobInfo {
	if v.man.Job == nil {
		return JobInfo{}
	}
	return *v.man.Job
}

// Tasks are those with a checkpoint, by operator and range.
func (v *View) Tasks(ctx context.Context) ([]TaskID, error) { return v.dir.Tasks(ctx) }

// Generations tells what a task can be restored from, newest first.
func (v *View) Generations(ctx context.Context, id TaskID) ([]Info, error) {
	return v.dir.Generations(ctx, id)
}

// Get returns a checkpoint, folded. Errors are those of Store, and fs.ErrNotExist if it is not there any more.
func (v *View) Get(ctx context.Context, id TaskID, gen uint64) (*Checkpoint, error) {
	return v.dir.Get(ctx, id, gen)
}

// Written is when a checkpoint was written, as the file system says; zero if it does not.
func (v *View) Written(id TaskID, gen uint64) time.Time {
	s, ok := v.dir.cfg.FS.(interface {
		Modified(name string) (time.Time, error)
	})
	if !ok {
		return time.Time{}
	}
	at, err := s.Modified(v.dir.file(id, gen))
	if err != nil {
		return time.Time{}
	}
	return at
}
