package ft

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"path/filepath"
	"slices"
	"strings"
	"time"
)

// manifest is what a directory says about itself, in a file of its own.
type manifest struct {
	Format  int       `json:"format"`
	Graph   string    `json:"graph"` // fingerprint, 16 hexadecimal digits
	Created time.Time `json:"created"`
	Job     *JobInfo  `json:"job,omitempty"` // not in those of before there was one
}

const (
	manifestName   = "job.json"
	manifestFormat = 1
	manifestMax    = 16 << 20 // bytes; it has some hundred for each operator and table
)

// GraphError says that a directory has the checkpoints of another graph, or of another job with it.
type GraphError struct {
	Path       string
	Have, Want string // fingerprints: the directory's, and that of the graph it was opened for
	Created    time.Time
}

// Error implements error.
func (e *GraphError) Error() string {
	return fmt.Sprintf("%s has the checkpoints of another graph, or of a job with it that computes something else: its fingerprint is %s, this one's %s (it was made %s); give another directory, or remove that one",
		e.Path, e.Have, e.Want, e.Created.UTC().Format(time.RFC3339))
}

// openManifest reads the manifest. It makes it where the directory is empty, and anew where another job has left no
// checkpoints in it.
func (d *Dir) openManifest() error {
	path := filepath.Join(d.cfg.Path, manifestName)
	want := fmt.Sprintf("%016x", d.cfg.Graph)
	data, err := readFile(d.cfg.FS, path, manifestMax)
	if errors.Is(err, fs.ErrNotExist) {
		return d.makeManifest(path, want)
	}
	if err != nil {
		return fmt.Errorf("reading %s: %w", path, err)
	}
	var m manifest
	if err := json.Unmarshal(data, &m); err != nil {
		return fmt.Errorf("%s is damaged: %w", path, err)
	}
	switch {
	case m.Format != manifestFormat:
		return fmt.Errorf("%s is of format %d, only %d is known", path, m.Format, manifestFormat)
	case m.Graph != want && !d.bare():
		return &GraphError{Path: d.cfg.Path, Have: m.Graph, Want: want, Created: m.Created}
	}
	if m.Graph != want {
		return d.makeManifest(path, want)
	}
	d.created = m.Created
	return nil
}

// bare says that there is nothing but what the directory says about itself.
func (d *Dir) bare() bool {
	names, err := d.cfg.FS.ReadDir(d.cfg.Path)
	return err == nil && !slices.ContainsFunc(names, func(n string) bool { return !ownFile(n) })
}

func ownFile(name string) bool {
	return name == lockName || name == manifestName || strings.HasSuffix(name, tempSuffix)
}

func (d *Dir) makeManifest(path, graph string) error {
	names, err := d.cfg.FS.ReadDir(d.cfg.Path)
	if err != nil {
		return err
	}
	for _, n := range names {
		if !ownFile(n) {
			return fmt.Errorf("%s has no %s but is not empty (%s): it is not a directory of checkpoints, or not a whole one", d.cfg.Path, manifestName, n)
		}
	}
	d.created = d.cfg.Now().UTC().Truncate(time.Second)
	data, err := json.Marshal(manifest{Format: manifestFormat, Graph: graph, Created: d.created, Job: d.cfg.Job})
	if err != nil {
		return err
	}
	if err := syncAncestors(d.cfg.FS, d.cfg.Path); err != nil {
		return err
	}
	if err := replaceFile(d.cfg.FS, d.cfg.Path, path, append(data, '\n')); err != nil {
		return fmt.Errorf("writing %s: %w", path, err)
	}
	return nil
}

// syncAncestors makes what leads to a directory durable, without which all in it is lost. Whoever may not even read a
// directory has not made it, nor anything in it.
func syncAncestors(fsys FS, path string) error {
	for dir := path; dir != filepath.Dir(dir); {
		dir = filepath.Dir(dir)
		if err := fsys.SyncDir(dir); err != nil && !errors.Is(err, fs.ErrPermission) {
			return fmt.Errorf("making %s durable: %w", path, err)
		}
	}
	return nil
}
