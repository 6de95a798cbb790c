package auth

import (
	"bytes"
	"encoding/json"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

func TestSecretRoundTrip(t *testing.T) {
	a, b := NewSecret(), NewSecret()
	if a == b || a.IsZero() {
		t.Errorf("secrets %s and %s", a.Reveal(), b.Reveal())
	}
	for _, text := range []string{a.Reveal(), strings.ToUpper(a.Reveal()), " \n" + a.Reveal() + "\r\n"} {
		if got, err := ParseSecret(text); err != nil || got != a {
			t.Errorf("%q comes back as %s, %v", text, got.Reveal(), err)
		}
	}
}

// TestSecretRefuses: bad secrets are refused by errors that do not give away what they were.
func TestSecretRefuses(t *testing.T) {
	good := strings.Repeat("5e", 32)
	for _, text := range []string{"", "5e", good[:63], good + "5e", "zz" + good[2:], good[:62] + "ü", strings.Repeat("0", 64)} {
		_, err := ParseSecret(text)
		if err == nil || !strings.Contains(err.Error(), "want") || strings.Contains(err.Error(), "5e") || strings.Contains(err.Error(), "zz") {
			t.Errorf("%q: %v", text, err)
		}
	}
}

// TestSecretIsHidden tries what people do by mistake.
func TestSecretIsHidden(t *testing.T) {
	s := Secret(bytes.Repeat([]byte{0x5e}, 32)) // 94 in decimal, ^ as a character
	type config struct{ Secret Secret }
	var out strings.Builder
	for _, verb := range []string{"%v", "%+v", "%#v", "%s", "%q", "%x", "%X", "%d", "%c", "%b", "%o", "%U"} {
		fmt.Fprintf(&out, verb+"\n", s)
		fmt.Fprintf(&out, verb+"\n", &s)
		fmt.Fprintf(&out, verb+"\n", config{s})
	}
	fmt.Fprintln(&out, s, s.String(), s.GoString(), fmt.Errorf("with %w", fmt.Errorf("%v", s)))
	timeless := &slog.HandlerOptions{ReplaceAttr: func(_ []string, a slog.Attr) slog.Attr {
		if a.Key == slog.TimeKey { // its digits could be anything
			return slog.Attr{}
		}
		return a
	}}
	for _, handler := range []slog.Handler{slog.NewTextHandler(&out, timeless), slog.NewJSONHandler(&out, timeless)} {
		slog.New(handler).Info("started", "secret", s, "config", config{s})
	}
	data, err := json.Marshal(config{s})
	if err != nil {
		t.Fatal(err)
	}
	out.Write(data)
	for _, leak := range []string{"5e", "5E", "94", "^", "136", "1011110"} {
		if i := strings.Index(out.String(), leak); i >= 0 {
			t.Errorf("%q shows in %q", leak, out.String()[max(0, i-40):min(out.Len(), i+40)])
		}
	}
	if !strings.Contains(out.String(), hidden) {
		t.Error("nothing tells that there is a secret")
	}
}

func TestReadSecretFile(t *testing.T) {
	dir := t.TempDir()
	want := NewSecret()
	write := func(name, text string, mode os.FileMode) string {
		path := filepath.Join(dir, name)
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		if err := os.Chmod(path, mode); err != nil {
			t.Fatal(err)
		}
		return path
	}
	for _, mode := range []os.FileMode{0o600, 0o400} {
		if got, err := ReadSecretFile(write("good", want.Reveal()+"\n", mode)); err != nil || got != want {
			t.Errorf("mode %v: %v", mode, err)
		}
		os.Remove(filepath.Join(dir, "good"))
	}
	for path, reason := range map[string]string{
		write("world", want.Reveal(), 0o644):              "chmod 600 " + filepath.Join(dir, "world"),
		write("group", want.Reveal(), 0o640):              "want 0600",
		write("writable", want.Reveal(), 0o620):           "want 0600",
		write("empty", "", 0o600):                         "want 64 hexadecimal digits",
		write("large", strings.Repeat(" ", 9<<20), 0o600): "more than 1024 bytes",
		filepath.Join(dir, "none"):                        "no such file",
		dir:                                               "want a regular file",
	} {
		if _, err := ReadSecretFile(path); err == nil || !strings.Contains(err.Error(), reason) || strings.Contains(err.Error(), want.Reveal()) {
			t.Errorf("%s: %v, want %q", path, err, reason)
		}
	}
}

func TestFromEnv(t *testing.T) {
	want := NewSecret()
	t.Setenv(SecretEnv, want.Reveal())
	if got, ok, err := FromEnv(); got != want || !ok || err != nil {
		t.Errorf("set: %v, %v", ok, err)
	}
	t.Setenv(SecretEnv, "swordfish")
	if got, ok, err := FromEnv(); !got.IsZero() || !ok || err == nil || !strings.Contains(err.Error(), SecretEnv) ||
		strings.Contains(err.Error(), "swordfish") {
		t.Errorf("bad: %v, %v", ok, err)
	}
	os.Unsetenv(SecretEnv)
	if got, ok, err := FromEnv(); !got.IsZero() || ok || err != nil {
		t.Errorf("not set: %v, %v", ok, err)
	}
}

func FuzzParseSecret(f *testing.F) {
	f.Add(strings.Repeat("5e", 32))
	f.Add(" 5E\n")
	f.Fuzz(func(t *testing.T, text string) {
		s, err := ParseSecret(text)
		if err == nil && !strings.EqualFold(s.Reveal(), strings.TrimSpace(text)) {
			t.Fatalf("%q comes back as %s", text, s.Reveal())
		}
	})
}
