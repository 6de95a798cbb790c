package fttest

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"maps"
	"math/rand/v2"
	"path/filepath"
	"slices"
	"sync"
	"syscall"

	"github.com/fullspate/spate/ft"
	"github.com/fullspate/spate/ft/flock"
)

// ErrCrashed is what every operation fails with between a crash and the call of Crash.
var ErrCrashed = errors.New("the machine has crashed")

// Disk is a file system in memory.
type Disk struct {
	// Before is called before each operation, outside of the lock, with its name (that of the method) and the path it is of.
	// It may wait, as a slow disk does; an error that it returns is the operation's.
	Before func(op, path string) error

	mu       sync.Mutex
	rand     *rand.Rand
	dirs     map[string]*dir
	locks    map[string]*lock
	capacity int64 // bytes, 0: without bound
	ops      int
	crashAt  int // of ops, 0: never
	crashed  bool
}

var _ ft.FS = (*Disk)(nil)

// dir has what is in a directory, as it is now and as it was when it was last synced.
type dir struct{ now, synced map[string]*node }

// node is a file, or a directory, which is in Disk.dirs.
type node struct {
	isDir       bool
	now, synced []byte
}

// NewDisk makes an empty disk. Its faults are drawn from the seed.
func NewDisk(seed uint64) *Disk {
	d := &Disk{rand: rand.New(rand.NewPCG(seed, 1)), dirs: make(map[string]*dir), locks: make(map[string]*lock)}
	for _, root := range []string{"/", "."} {
		d.dirs[root] = newDir()
	}
	return d
}

func newDir() *dir { return &dir{make(map[string]*node), make(map[string]*node)} }

// SetCapacity bounds the bytes of all files; 0 is without bound. A write beyond it writes what fits and fails with ENOSPC.
func (d *Disk) SetCapacity(bytes int64) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.capacity = bytes
}

// CrashAfter lets the n-th operation from now, and all that follow, fail with ErrCrashed; a write may have written a part by
// then. 0 takes that back.
func (d *Disk) CrashAfter(n int) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.crashAt = 0
	if n > 0 {
		d.crashAt = d.ops + n
	}
}

// Ops counts the operations so far.
func (d *Disk) Ops() int {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.ops
}

// Crash lets the machine die, if it has not yet, and start again: what was not synced may be lost, and nothing is locked.
// Files that were open are of no use any more.
func (d *Disk) Crash() {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.crashed, d.crashAt = false, 0
	d.locks = make(map[string]*lock)
	for _, path := range slices.Sorted(maps.Keys(d.dirs)) {
		d.dirs[path].crash(d.rand)
	}
	d.settleDirs()
}

// crash settles what is in a directory, and in its files.
func (c *dir) crash(r *rand.Rand) {
	names := maps.Clone(c.synced)
	maps.Copy(names, c.now)
	for _, n := range slices.Sorted(maps.Keys(names)) {
		if c.now[n] != c.synced[n] && r.IntN(2) == 0 {
			set(c.now, n, c.synced[n])
		}
		if f := c.now[n]; f != nil && !f.isDir {
			f.now = tear(r, f.synced, f.now)
			f.synced = f.now
		}
	}
	c.synced = maps.Clone(c.now)
}

func set(names map[string]*node, name string, n *node) {
	if n == nil {
		delete(names, name)
		return
	}
	names[name] = n
}

// tear is what is left of a file.
func tear(r *rand.Rand, synced, now []byte) []byte {
	if bytes.Equal(synced, now) {
		return now
	}
	switch r.IntN(4) {
	case 0:
		return synced
	case 1:
		return now
	}
	torn := bytes.Clone(now[:r.IntN(len(now)+1)])
	if r.IntN(2) == 0 { // the length was written, the blocks were not
		torn = append(torn, make([]byte, len(now)-len(torn))...)
	}
	return torn
}

// settleDirs forgets directories whose names were lost, and empties those whose removal was.
func (d *Disk) settleDirs() {
	for _, path := range slices.Sorted(maps.Keys(d.dirs)) {
		for name, n := range d.dirs[path].now {
			if sub := filepath.Join(path, name); n.isDir && d.dirs[sub] == nil {
				d.dirs[sub] = newDir()
			}
		}
	}
	for _, path := range slices.Sorted(maps.Keys(d.dirs)) { // parents come first
		if n, _ := d.node(path); path != "/" && path != "." && (n == nil || !n.isDir) {
			delete(d.dirs, path)
		}
	}
}

// node finds a path and the directory it is in, nil where there is none.
func (d *Disk) node(path string) (n *node, parent *dir) {
	if parent = d.dirs[filepath.Dir(path)]; parent == nil {
		return nil, nil
	}
	return parent.now[filepath.Base(path)], parent
}

// Files tells the paths of all files, ascending.
func (d *Disk) Files() (paths []string) {
	d.mu.Lock()
	defer d.mu.Unlock()
	for path, c := range d.dirs {
		for name, n := range c.now {
			if !n.isDir {
				paths = append(paths, filepath.Join(path, name))
			}
		}
	}
	slices.Sort(paths)
	return paths
}

// FlipBit changes a bit of a file, drawn from the seed, behind everybody's back. The file must be there and not be empty.
func (d *Disk) FlipBit(path string) {
	d.mu.Lock()
	defer d.mu.Unlock()
	n, _ := d.node(path)
	if n == nil || len(n.now) == 0 {
		panic(fmt.Sprintf("BUG: no bit to flip in %s", path))
	}
	n.now = bytes.Clone(n.now)
	n.now[d.rand.IntN(len(n.now))] ^= 1 << d.rand.IntN(8)
	n.synced = n.now
}

// begin counts an operation and says why it fails. Unless it fails, the caller has to unlock d.mu.
func (d *Disk) begin(op, path string) error {
	if d.Before != nil {
		if err := d.Before(op, path); err != nil {
			return &fs.PathError{Op: op, Path: path, Err: err}
		}
	}
	d.mu.Lock()
	d.ops++
	if d.ops == d.crashAt {
		d.crashed = true
	}
	if d.crashed {
		if op != "Write" { // which may have written something
			d.mu.Unlock()
		}
		return ErrCrashed
	}
	return nil
}

func (d *Disk) room() int64 {
	if d.capacity == 0 {
		return 1 << 62
	}
	left := d.capacity
	for _, c := range d.dirs {
		for _, n := range c.now {
			left -= int64(len(n.now))
		}
	}
	return max(left, 0)
}

func failed(op, path string, err error) error { return &fs.PathError{Op: op, Path: path, Err: err} }

// MkdirAll implements ft.FS.
func (d *Disk) MkdirAll(path string) error {
	if err := d.begin("MkdirAll", path); err != nil {
		return err
	}
	defer d.mu.Unlock()
	return d.mkdirAll(filepath.Clean(path))
}

func (d *Disk) mkdirAll(path string) error {
	if d.dirs[path] != nil {
		return nil
	}
	if err := d.mkdirAll(filepath.Dir(path)); err != nil {
		return err
	}
	n, parent := d.node(path)
	if n != nil {
		return failed("mkdir", path, syscall.ENOTDIR)
	}
	parent.now[filepath.Base(path)] = &node{isDir: true}
	d.dirs[path] = newDir()
	return nil
}

// ReadDir implements ft.FS.
func (d *Disk) ReadDir(path string) ([]string, error) {
	if err := d.begin("ReadDir", path); err != nil {
		return nil, err
	}
	defer d.mu.Unlock()
	c := d.dirs[filepath.Clean(path)]
	if c == nil {
		return nil, failed("readdir", path, fs.ErrNotExist)
	}
	return slices.Sorted(maps.Keys(c.now)), nil
}

// Open implements ft.FS.
func (d *Disk) Open(path string) (ft.File, error) {
	if err := d.begin("Open", path); err != nil {
		return nil, err
	}
	defer d.mu.Unlock()
	n, _ := d.node(path)
	if n == nil || n.isDir {
		return nil, failed("open", path, fs.ErrNotExist)
	}
	return &file{d, n, path}, nil
}

// Create implements ft.FS.
func (d *Disk) Create(path string) (ft.File, error) {
	if err := d.begin("Create", path); err != nil {
		return nil, err
	}
	defer d.mu.Unlock()
	n, parent := d.node(path)
	switch {
	case parent == nil:
		return nil, failed("create", path, fs.ErrNotExist)
	case n == nil:
		n = &node{}
		parent.now[filepath.Base(path)] = n
	case n.isDir:
		return nil, failed("create", path, syscall.EISDIR)
	}
	n.now = nil
	return &file{d, n, path}, nil
}

// Rename implements ft.FS. A directory that is renamed must be synced and hold nothing but files, and nothing may be in its
// place: a crash before its new parent is synced leaves it under either name, or under its old one empty.
func (d *Disk) Rename(from, to string) error {
	if err := d.begin("Rename", from); err != nil {
		return err
	}
	defer d.mu.Unlock()
	n, source := d.node(from)
	old, target := d.node(to)
	switch {
	case n == nil || target == nil:
		return failed("rename", from, fs.ErrNotExist)
	case n.isDir && old != nil:
		return failed("rename", from, syscall.EEXIST)
	case n.isDir:
		from, to = filepath.Clean(from), filepath.Clean(to)
		d.dirs[to] = d.dirs[from]
		delete(d.dirs, from)
	}
	delete(source.now, filepath.Base(from))
	target.now[filepath.Base(to)] = n
	return nil
}

// Remove implements ft.FS.
func (d *Disk) Remove(path string) error {
	if err := d.begin("Remove", path); err != nil {
		return err
	}
	defer d.mu.Unlock()
	n, parent := d.node(path)
	switch {
	case n == nil:
		return failed("remove", path, fs.ErrNotExist)
	case n.isDir && len(d.dirs[path].now) > 0:
		return failed("remove", path, syscall.ENOTEMPTY)
	case n.isDir:
		delete(d.dirs, path)
	}
	delete(parent.now, filepath.Base(path))
	return nil
}

// SyncDir implements ft.FS.
func (d *Disk) SyncDir(path string) error {
	if err := d.begin("SyncDir", path); err != nil {
		return err
	}
	defer d.mu.Unlock()
	c := d.dirs[filepath.Clean(path)]
	if c == nil {
		return failed("syncdir", path, fs.ErrNotExist)
	}
	c.synced = maps.Clone(c.now)
	return nil
}

// lock is a lock that somebody has.
type lock struct {
	disk *Disk
	path string
}

// Lock implements ft.FS. A crash unlocks everything.
func (d *Disk) Lock(path string) (io.Closer, error) {
	if err := d.begin("Lock", path); err != nil {
		return nil, err
	}
	defer d.mu.Unlock()
	if d.locks[path] != nil {
		return nil, failed("lock", path, flock.ErrLocked)
	}
	l := &lock{d, path}
	d.locks[path] = l
	if n, parent := d.node(path); n == nil && parent != nil {
		parent.now[filepath.Base(path)] = &node{}
	}
	return l, nil
}

// Close unlocks. It always succeeds, as the end of a process would.
func (l *lock) Close() error {
	l.disk.mu.Lock()
	defer l.disk.mu.Unlock()
	if l.disk.locks[l.path] == l {
		delete(l.disk.locks, l.path)
	}
	return nil
}
