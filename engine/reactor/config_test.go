package reactor

import (
	"strings"
	"testing"
)

func TestConfig(t *testing.T) {
	if err := (Config{}).Validate(); err != nil {
		t.Errorf("the zero Config: %v", err)
	}
	_, err := Start(Config{Name: "loop-9", ReadBytes: 1, SocketBytes: 2 << 30})
	if err == nil {
		t.Fatal("a Config that makes no sense is accepted")
	}
	for _, want := range []string{"loop-9", "ReadBytes is 1,", "SocketBytes is 2147483648,"} {
		if !strings.Contains(err.Error(), want) {
			t.Errorf("no %q in the error: %v", want, err)
		}
	}
}

func TestRaiseFileLimit(t *testing.T) {
	n, err := RaiseFileLimit()
	if err != nil {
		t.Skip(err)
	}
	if again, err := RaiseFileLimit(); again != n || err != nil {
		t.Errorf("%d open files are allowed, and then %d, error %v", n, again, err)
	}
	if n < 64 {
		t.Errorf("%d open files are allowed", n)
	}
}
