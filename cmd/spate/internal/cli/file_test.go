package cli

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"syscall"
	"testing"
)

func TestFileGetsItsNameWhenItIsWhole(t *testing.T) {
	dir := t.TempDir()
	real, link := filepath.Join(dir, "real"), filepath.Join(dir, "link")
	if err := os.WriteFile(real, []byte("old"), 0o666); err != nil {
		t.Fatal(err)
	}
	if err := os.Symlink(real, link); err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{real, link, filepath.Join(dir, "new")} {
		f, err := createFile(t.Context(), name)
		if err != nil {
			t.Fatal(err)
		}
		f.WriteString("new " + name)
		if before, _ := os.ReadFile(name); string(before) == "new "+name {
			t.Errorf("%s was there before it was whole", name)
		}
		if err := f.finish(nil); err != nil {
			t.Fatal(err)
		}
		if after, err := os.ReadFile(name); string(after) != "new "+name || f.bytes != int64(len(after)) {
			t.Errorf("%s holds %q of %d bytes, %v", name, after, f.bytes, err)
		}
	}
	if info, err := os.Lstat(link); err != nil || info.Mode()&os.ModeSymlink == 0 {
		t.Errorf("the link was replaced: %v, %v", info, err)
	}
	if entries, _ := os.ReadDir(dir); len(entries) != 3 {
		t.Errorf("left behind: %v", entries)
	}
}

func TestFailedFileLeavesTheOldOne(t *testing.T) {
	name := filepath.Join(t.TempDir(), "file")
	if err := os.WriteFile(name, []byte("old"), 0o666); err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	f, err := createFile(ctx, name)
	if err != nil {
		t.Fatal(err)
	}
	f.WriteString("new")
	cancel()
	if err := f.finish(nil); !errors.Is(err, context.Canceled) {
		t.Errorf("finished with %v after the command was interrupted", err)
	}
	if kept, err := os.ReadFile(name); string(kept) != "old" {
		t.Errorf("the old file holds %q, %v", kept, err)
	}
	if _, err := os.Stat(name + ".partial"); err == nil {
		t.Error("the part that was written is still there")
	}
}

func TestFullDiskIsReported(t *testing.T) {
	f, err := createFile(t.Context(), "/dev/full")
	if err != nil {
		t.Skipf("no device that is always full: %v", err)
	}
	f.WriteString("too much")
	if err := f.finish(nil); !errors.Is(err, syscall.ENOSPC) {
		t.Errorf("finished with %v, want no space", err)
	}
}
