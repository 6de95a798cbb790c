package layout_test

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"go/parser"
	"go/token"
	"io"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

const module = "github.com/fullspate/spate"

// mayImport names, for each folder at the top, the other folders it may import.
var mayImport = map[string][]string{
	"wire":      {},
	"partition": {},
	"buffers":   {"wire", "partition"},
	"state":     {"wire", "partition"},
	"ft":        {"wire", "partition", "buffers", "state"},
	"engine":    {"wire", "partition", "buffers", "state", "ft"},
	"bench":     {"wire", "partition", "buffers", "state", "ft", "engine"},
	"cmd":       {"wire", "partition", "buffers", "state", "ft", "engine", "bench"},
}

// topFiles are what may stand at the top beside those folders and dot-files.
var topFiles = []string{"README.md", "LICENSE", "Makefile", "go.mod", "go.sum", "docs"}

// goPackage is what go list -json says about a package, as far as it matters here.
type goPackage struct {
	ImportPath, Name, Dir              string
	GoFiles                            []string
	Imports, TestImports, XTestImports []string
}

func TestImportOrder(t *testing.T) {
	for _, p := range list(t) {
		for _, fault := range wrongImports(p) {
			t.Error(fault)
		}
	}
}

func TestWrongImportsAreFound(t *testing.T) {
	tests := []struct {
		path, imports string
		wrong         bool
	}{
		{"/wire/slab", "/wire", false},
		{"/state", "/wire/slab", false},
		{"/state", "/buffers", true},
		{"/wire", "/partition", true},
		{"/engine/task", "/engine/sim", false},
		{"/engine/task", "/bench/topk", true},
		{"/bench/topk", "/cmd/spate", true},
		{"/cmd/spate", "/bench/topk", false},
		{"/util", "/wire", true},
		{"", "/wire", true},
	}
	for _, tt := range tests {
		p := goPackage{ImportPath: module + tt.path, XTestImports: []string{"fmt", module + tt.imports}}
		if got := len(wrongImports(p)) > 0; got != tt.wrong {
			t.Errorf("%q imports %q: wrong = %v, want %v", tt.path, tt.imports, got, tt.wrong)
		}
	}
}

func TestEveryPackageHasDoc(t *testing.T) {
	for _, p := range list(t) {
		if p.Name != "main" && !slices.Contains(p.GoFiles, "doc.go") {
			t.Errorf("%s has no doc.go", p.ImportPath)
		}
	}
}

func TestUnsafeStaysInItsFiles(t *testing.T) {
	for _, p := range list(t) {
		for _, name := range p.GoFiles {
			path := filepath.Join(p.Dir, name)
			f, err := parser.ParseFile(token.NewFileSet(), path, nil, parser.ImportsOnly)
			if err != nil {
				t.Fatal(err)
			}
			for _, spec := range f.Imports {
				if spec.Path.Value == `"unsafe"` && !strings.HasSuffix(strings.TrimSuffix(name, ".go"), "_unsafe") {
					t.Errorf("%s imports unsafe, which belongs in files named *_unsafe.go", path)
				}
			}
		}
	}
}

func TestTopOfRepository(t *testing.T) {
	top := root(t)
	ignored, err := os.ReadFile(filepath.Join(top, ".gitignore"))
	if err != nil && !errors.Is(err, os.ErrNotExist) {
		t.Fatal(err)
	}
	patterns := strings.Fields(string(ignored))
	entries, err := os.ReadDir(top)
	if err != nil {
		t.Fatal(err)
	}
	for _, e := range entries {
		name := e.Name()
		_, folder := mayImport[name]
		if folder && !e.IsDir() {
			t.Errorf("%s at the top is not a folder", name)
		}
		if folder || strings.HasPrefix(name, ".") || slices.Contains(topFiles, name) || matchesAny(patterns, name) {
			continue
		}
		t.Errorf("%s stands at the top of the repository, where only %v and %v belong", name, folders(), topFiles)
	}
}

// wrongImports returns a sentence for each import of p that the order forbids.
func wrongImports(p goPackage) []string {
	from := folder(p.ImportPath)
	allowed, known := mayImport[from]
	if !known {
		return []string{fmt.Sprintf("%s is in none of the folders %v", p.ImportPath, folders())}
	}
	var faults []string
	for _, path := range slices.Concat(p.Imports, p.TestImports, p.XTestImports) {
		if path != module && !strings.HasPrefix(path, module+"/") {
			continue
		}
		if to := folder(path); to != from && !slices.Contains(allowed, to) {
			faults = append(faults, fmt.Sprintf("%s imports %s; %s may import only %v", p.ImportPath, path, from, allowed))
		}
	}
	return faults
}

// folder returns the folder at the top that holds the package, and "" for the top itself.
func folder(path string) string {
	rest := strings.TrimPrefix(strings.TrimPrefix(path, module), "/")
	first, _, _ := strings.Cut(rest, "/")
	return first
}

func folders() []string {
	var names []string
	for name := range mayImport {
		names = append(names, name)
	}
	slices.Sort(names)
	return names
}

func matchesAny(patterns []string, name string) bool {
	return slices.ContainsFunc(patterns, func(p string) bool {
		ok, err := filepath.Match(strings.Trim(p, "/"), name)
		return ok && err == nil
	})
}

// list returns every package of the module.
func list(t *testing.T) []goPackage {
	t.Helper()
	out := goCommand(t, "list", "-e", "-json=ImportPath,Name,Dir,GoFiles,Imports,TestImports,XTestImports", module+"/...")
	var packages []goPackage
	for d := json.NewDecoder(bytes.NewReader(out)); ; {
		var p goPackage
		err := d.Decode(&p)
		if err == io.EOF {
			break
		}
		if err != nil {
			t.Fatalf("go list: %v", err)
		}
		packages = append(packages, p)
	}
	if len(packages) < 5 {
		t.Fatalf("go list found only %d packages", len(packages))
	}
	lookAtTree(t)
	return packages
}

// lookAtTree opens every folder of the module. What go list reads is hidden from the cache of test results; what the test
// itself opens is not, so that a new or changed file anywhere runs the tests again.
func lookAtTree(t *testing.T) {
	t.Helper()
	err := filepath.WalkDir(root(t), func(path string, d fs.DirEntry, err error) error {
		if d != nil && d.IsDir() && d.Name() == ".git" {
			return filepath.SkipDir
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
}

// root returns the folder of go.mod.
func root(t *testing.T) string {
	t.Helper()
	return filepath.Dir(strings.TrimSpace(string(goCommand(t, "env", "GOMOD"))))
}

func goCommand(t *testing.T, args ...string) []byte {
	t.Helper()
	command := exec.Command("go", args...)
	var stderr strings.Builder
	command.Stderr = &stderr
	out, err := command.Output()
	if err != nil {
		t.Fatalf("go %s: %v\n%s", strings.Join(args, " "), err, stderr.String())
	}
	return out
}
