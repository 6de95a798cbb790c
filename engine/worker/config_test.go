package worker

import (
	"strings"
	"testing"
)

func TestConfigSaysAllThatIsWrong(t *testing.T) {
	for _, tt := range []struct {
		cfg  Config
		want []string // nothing: it is right
	}{
		{Config{Coordinator: "tcp://127.0.0.1:7077"}, nil},
		{Config{Coordinator: "unix:///run/c.sock", Listen: "tcp://0.0.0.0:0", Advertise: "tcp://10.0.0.2:7100"}, nil},
		{Config{}, []string{"Coordinator is empty"}},
		{Config{Coordinator: "localhost", Listen: "udp://x:1", Advertise: "unix://relative"}, []string{"Coordinator: ", "Listen: ", "Advertise: "}},
		{Config{Coordinator: "tcp://h:1", Listen: ":7100"}, []string{"all interfaces", "Advertise"}},
		{Config{Coordinator: "tcp://h:1", Listen: "tcp://[::]:0"}, []string{"all interfaces"}},
		{Config{Coordinator: "tcp://h:1", Loops: 257, Memory: -1, ID: "a/b"}, []string{"Loops is 257", "Memory is -1", `"a/b"`}},
	} {
		err := tt.cfg.Validate()
		if (err == nil) != (len(tt.want) == 0) {
			t.Errorf("%+v: %v", tt.cfg, err)
			continue
		}
		for _, part := range tt.want {
			if !strings.Contains(err.Error(), part) {
				t.Errorf("%+v: %v, want %q named", tt.cfg, err, part)
			}
		}
	}
}
