package report

import (
	"bufio"
	"fmt"
	"io"
	"os"
	"runtime"
	"runtime/debug"
	"strings"
)

// Origin says which program on which machine made a result.
type Origin struct {
	Schema  string `json:"schema"`  // of the result, such as spate.bench.lr/1
	Version string `json:"version"` // of the module, or devel
	Commit  string `json:"commit"`  // with +dirty if there were changes, or unknown
	Go      string `json:"go"`
	Machine string `json:"machine"`
}

// unknown is the commit of a program that was not stamped with one.
const unknown = "unknown"

// OriginOf returns the origin of a result with the given schema made here and now.
func OriginOf(schema string) Origin {
	o := Origin{Schema: schema, Version: "devel", Commit: unknown, Go: runtime.Version(), Machine: machine()}
	info, ok := debug.ReadBuildInfo()
	if !ok {
		return o
	}
	if v := info.Main.Version; v != "" && v != "(devel)" {
		o.Version = v
	}
	dirty := ""
	for _, s := range info.Settings {
		switch {
		case s.Key == "vcs.revision":
			o.Commit = s.Value
		case s.Key == "vcs.modified" && s.Value == "true":
			dirty = "+dirty"
		}
	}
	if o.Commit != unknown {
		o.Commit += dirty
	}
	return o
}

// Text prints the origin in three lines.
func (o *Origin) Text(w io.Writer) {
	commit := o.Commit
	if commit == unknown {
		commit += " (go build stamps it, go run does not)"
	}
	fmt.Fprintf(w, "version      %s, commit %s\n", o.Version, commit)
	fmt.Fprintf(w, "go           %s\n", o.Go)
	fmt.Fprintf(w, "machine      %s\n", o.Machine)
}

// machine describes the processors, memory and system in one line.
func machine() string {
	cores := fmt.Sprintf("%d cores", runtime.NumCPU())
	if model := field("/proc/cpuinfo", "model name"); model != "" {
		cores = fmt.Sprintf("%d × %s", runtime.NumCPU(), model)
	}
	memory := ""
	var kib int64
	if _, err := fmt.Sscanf(field("/proc/meminfo", "MemTotal"), "%d kB", &kib); err == nil {
		memory = ", " + Bytes(kib<<10)
	}
	return fmt.Sprintf("%s%s, %s/%s", cores, memory, runtime.GOOS, runtime.GOARCH)
}

// field returns the value of the first line "name : value" of a file in /proc, and "" where there is none.
func field(file, name string) string {
	f, err := os.Open(file)
	if err != nil {
		return ""
	}
	defer f.Close()
	for s := bufio.NewScanner(f); s.Scan(); {
		key, value, ok := strings.Cut(s.Text(), ":")
		if ok && strings.TrimSpace(key) == name {
			return strings.TrimSpace(value)
		}
	}
	return ""
}
