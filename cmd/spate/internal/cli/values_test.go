package cli

import "testing"

func TestSecond(t *testing.T) {
	for text, want := range map[string]int{"0": 0, "5400": 5400, "90m": 5400, "1h30m": 5400, "3h": 10800, "10800": 10800} {
		var s second
		if err := s.UnmarshalText([]byte(text)); err != nil || int(s) != want {
			t.Errorf("%q: %d, %v, want %d", text, s, err, want)
		}
	}
	for _, text := range []string{"", "-1", "10801", "1.5s", "5400.5", "soon", "3h1s", "9999999999999999999"} {
		var s second
		if err := s.UnmarshalText([]byte(text)); err == nil {
			t.Errorf("%q is taken for %d", text, s)
		}
	}
}

func TestByteSize(t *testing.T) {
	for text, want := range map[string]int64{"1": 1, "4096": 4096, "4KiB": 4096, "1.5 MiB": 3 << 19, "2GiB": 2 << 30, "1TiB": 1 << 40} {
		var b byteSize
		if err := b.UnmarshalText([]byte(text)); err != nil || int64(b) != want {
			t.Errorf("%q: %d, %v, want %d", text, b, err, want)
		}
	}
	for _, text := range []string{"", "0", "-4", "4KB", "GiB", "NaN", "Inf", "9000000TiB", "1GiB2"} {
		var b byteSize
		if err := b.UnmarshalText([]byte(text)); err == nil {
			t.Errorf("%q is taken for %d bytes", text, b)
		}
	}
}
