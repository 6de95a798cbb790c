package auth

import (
	"context"
	"errors"
	"io/fs"
	"net"
	"os"
	"strings"
	"testing"
)

func TestParseAddress(t *testing.T) {
	for in, want := range map[string]Address{
		"tcp://127.0.0.1:7000":                          {"tcp", "127.0.0.1:7000"},
		"tcp://[::1]:7000":                              {"tcp", "[::1]:7000"},
		"tcp://:0":                                      {"tcp", ":0"},
		"worker-1.local:65535":                          {"tcp", "worker-1.local:65535"},
		"unix:///run/spate/w1.socket":                   {"unix", "/run/spate/w1.socket"},
		"unix:///run/with space":                        {"unix", "/run/with space"},
		"unix:///" + strings.Repeat("x", unixPathMax-1): {"unix", "/" + strings.Repeat("x", unixPathMax-1)},
	} {
		got, err := ParseAddress(in)
		if err != nil || got != want {
			t.Errorf("%q: %+v, %v, want %+v", in, got, err, want)
		}
		if again, err := ParseAddress(got.String()); err != nil || again != got {
			t.Errorf("%q is written as %q, which is read as %+v, %v", in, got, again, err)
		}
	}
	for in, reason := range map[string]string{
		"":                      "want tcp://host:port",
		"localhost":             "want tcp://host:port",
		"tcp://localhost":       "want tcp://host:port",
		"tcp://localhost:65536": "up to 65535",
		"tcp://localhost:http":  "up to 65535",
		"tcp://localhost:-1":    "up to 65535",
		"tcp://::1:80":          "want tcp://host:port",
		"http://localhost:80":   "want tcp://host:port, unix:///path or host:port",
		"unix://relative/path":  "absolute path",
		"unix://":               "absolute path",
		"unix:///a\x00b":        "absolute path",
		"unix:///" + strings.Repeat("x", unixPathMax): "this system allows",
	} {
		if _, err := ParseAddress(in); err == nil || !strings.Contains(err.Error(), reason) {
			t.Errorf("%q: %v, want %q", in, err, reason)
		}
	}
}

func FuzzParseAddress(f *testing.F) {
	f.Add("tcp://127.0.0.1:7000")
	f.Add("unix:///run/spate")
	f.Add("[::1]:80")
	f.Fuzz(func(t *testing.T, in string) {
		a, err := ParseAddress(in)
		if err != nil {
			return
		}
		if again, err := ParseAddress(a.String()); err != nil || again != a {
			t.Fatalf("%q is %+v, written as %q and read as %+v, %v", in, a, a, again, err)
		}
	})
}

// TestListenReplacesWhatIsDead: the socket of a process that was killed does not keep its successor from listening; that of
// one which lives does, and so does any other file.
func TestListenReplacesWhatIsDead(t *testing.T) {
	path := t.TempDir() + "/socket"
	addr := "unix://" + path
	first, err := Listen(context.Background(), addr)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := Listen(context.Background(), addr); err == nil || !strings.Contains(err.Error(), "another process listens") {
		t.Errorf("a second listener: %v", err)
	}
	first.(*net.UnixListener).SetUnlinkOnClose(false) // as if it had been killed
	first.Close()
	if _, err := os.Lstat(path); err != nil {
		t.Fatal(err)
	}
	second, err := Listen(context.Background(), addr)
	if err != nil {
		t.Fatalf("after the first has died: %v", err)
	}
	if got := AddressOf(second.Addr()).String(); got != addr {
		t.Errorf("it listens on %s, want %s", got, addr)
	}
	second.Close()
	if _, err := os.Lstat(path); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("a closed listener leaves its file: %v", err)
	}
	if err := os.WriteFile(path, []byte("precious"), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := Listen(context.Background(), addr); err == nil || !strings.Contains(err.Error(), "not a socket") {
		t.Errorf("over a file: %v", err)
	}
	if text, err := os.ReadFile(path); string(text) != "precious" || err != nil {
		t.Errorf("the file is %q, %v", text, err)
	}
}

func TestDialErrors(t *testing.T) {
	l := listenOn(t, "tcp")
	addr := AddressOf(l.Addr()).String()
	l.Close()
	for in, reason := range map[string]string{addr: "connect to " + addr, "nowhere": "want tcp://host:port"} {
		if _, _, err := Dial(context.Background(), in, testSecret, worker); err == nil || !strings.Contains(err.Error(), reason) {
			t.Errorf("%s: %v, want %q", in, err, reason)
		}
	}
	if _, err := Listen(context.Background(), "nowhere"); err == nil || !strings.Contains(err.Error(), "want tcp://host:port") {
		t.Errorf("listen: %v", err)
	}
}
