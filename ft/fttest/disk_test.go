package fttest

import (
	"errors"
	"io/fs"
	"slices"
	"syscall"
	"testing"

	"github.com/fullspate/spate/ft"
	"github.com/fullspate/spate/ft/flock"
)

// write makes a file, synced or not.
func write(t *testing.T, d *Disk, path, content string, sync bool) {
	t.Helper()
	f, err := d.Create(path)
	if err == nil {
		_, err = f.Write([]byte(content))
	}
	if err == nil && sync {
		err = f.Sync()
	}
	if err != nil {
		t.Fatal(err)
	}
}

// read is what is in a file, or why it cannot be read.
func read(d *Disk, path string) (string, error) {
	f, err := d.Open(path)
	if err != nil {
		return "", err
	}
	size, err := f.Size()
	b := make([]byte, size)
	if err == nil {
		_, err = f.ReadAt(b, 0)
	}
	return string(b), err
}

// TestCrash counts what becomes of a file that replaces another, unsynced in one way or the other.
func TestCrash(t *testing.T) {
	outcomes := map[string]bool{}
	for seed := range uint64(300) {
		d := NewDisk(seed)
		if err := errors.Join(d.MkdirAll("/a"), d.SyncDir("/")); err != nil {
			t.Fatal(err)
		}
		write(t, d, "/a/kept", "kept", true)
		if err := d.SyncDir("/a"); err != nil {
			t.Fatal(err)
		}
		write(t, d, "/a/new", "0123456789", false)
		if err := d.Rename("/a/new", "/a/x"); err != nil {
			t.Fatal(err)
		}
		d.Crash()
		if s, err := read(d, "/a/kept"); s != "kept" {
			t.Fatalf("seed %d: what was synced is %q, %v", seed, s, err)
		}
		s, err := read(d, "/a/x")
		switch {
		case errors.Is(err, fs.ErrNotExist):
			outcomes["lost"] = true
		case s == "0123456789":
			outcomes["whole"] = true
		case s == "":
			outcomes["empty"] = true
		case s[len(s)-1] == 0:
			outcomes["zeros"] = true
		default:
			outcomes["cut"] = true
		}
	}
	if len(outcomes) != 5 {
		t.Errorf("outcomes %v, want all five", outcomes)
	}
}

func TestCrashAfter(t *testing.T) {
	d := NewDisk(1)
	d.CrashAfter(3)
	f, err := d.Create("/x")
	if err != nil {
		t.Fatal(err)
	}
	if n, err := f.Write([]byte("abc")); n != 3 || err != nil {
		t.Fatal(n, err)
	}
	if err := f.Sync(); !errors.Is(err, ErrCrashed) {
		t.Errorf("operation 3: %v, want ErrCrashed", err)
	}
	if n, err := f.Write([]byte("abc")); n != 0 || !errors.Is(err, ErrCrashed) {
		t.Errorf("after the crash: %d, %v", n, err)
	}
	d.Crash()
	if _, err := d.ReadDir("/"); err != nil || d.Ops() != 5 {
		t.Errorf("after the restart: %v, %d operations, want 5", err, d.Ops())
	}
}

func TestFaults(t *testing.T) {
	d := NewDisk(1)
	d.SetCapacity(5)
	f, err := d.Create("/x")
	if err != nil {
		t.Fatal(err)
	}
	if n, err := f.Write([]byte("0123456789")); n != 5 || !errors.Is(err, syscall.ENOSPC) {
		t.Errorf("%d, %v, want 5 bytes and ENOSPC", n, err)
	}
	d.FlipBit("/x")
	if s, err := read(d, "/x"); err != nil || s == "01234" || len(s) != 5 {
		t.Errorf("%q, %v, want one bit of 01234 changed", s, err)
	}
	var seen []string
	d.Before = func(op, path string) error {
		seen = append(seen, op+" "+path)
		return errors.New("broken")
	}
	if err := d.Remove("/x"); err == nil || !slices.Equal(seen, []string{"Remove /x"}) {
		t.Errorf("%v after %v", err, seen)
	}
}

func TestLock(t *testing.T) {
	d := NewDisk(1)
	l, err := d.Lock("/lock")
	if err != nil {
		t.Fatal(err)
	}
	if _, err := d.Lock("/lock"); !errors.Is(err, flock.ErrLocked) {
		t.Errorf("%v, want ErrLocked", err)
	}
	d.Crash()
	second, err := d.Lock("/lock")
	if err != nil {
		t.Fatalf("after a crash: %v", err)
	}
	if err := l.Close(); err != nil { // of a process that is no more
		t.Fatal(err)
	}
	if _, err := d.Lock("/lock"); !errors.Is(err, flock.ErrLocked) {
		t.Errorf("%v, want ErrLocked", err)
	}
	if err := second.Close(); err != nil {
		t.Fatal(err)
	}
}

func TestErrors(t *testing.T) {
	d := NewDisk(1)
	var fsys ft.FS = d
	if err := fsys.MkdirAll("/a/b"); err != nil {
		t.Fatal(err)
	}
	_, open := fsys.Open("/a/b")
	_, create := fsys.Create("/c/x")
	_, list := fsys.ReadDir("/c")
	for _, err := range []error{open, create, list, fsys.Rename("/x", "/y"), fsys.Remove("/x"), fsys.SyncDir("/c")} {
		if !errors.Is(err, fs.ErrNotExist) {
			t.Errorf("%v, want ErrNotExist", err)
		}
	}
	if err := fsys.Remove("/a"); !errors.Is(err, syscall.ENOTEMPTY) {
		t.Errorf("%v, want ENOTEMPTY", err)
	}
	if err := errors.Join(fsys.Remove("/a/b"), fsys.Remove("/a")); err != nil {
		t.Error(err)
	}
}
