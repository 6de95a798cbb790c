package control

import (
	"bytes"
	"encoding/json"
	"flag"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/fullspate/spate/engine"
	"github.com/fullspate/spate/partition"
	"github.com/fullspate/spate/wire"
	"github.com/fullspate/spate/wire/slab"
)

var update = flag.Bool("update", false, "write the golden lines anew")

// everyMessage has each type once with all its members but counters, whose form is engine's, then some with as few as
// possible.
func everyMessage() []Message {
	state := JobState{Job: "j1", Epoch: 7, Phase: PhaseRunning}
	links := []LinkReport{{Peer: "w2", BytesOut: 1, BytesIn: 2, TuplesOut: 3, TuplesIn: 4, Starved: 5, Broken: 6}}
	failure := &Failure{Worker: "w1", Operator: "count", Task: 2, Time: wire.At(12, 3, 4), Key: "17", Message: "panic: \"<no>\"\n", Stack: "main.go:1"}
	return []Message{
		&Register{
			Worker: "w1", Incarnation: 1<<64 - 1, PID: 99, Addr: "unix:///run/w1", Loops: 2, Memory: 1 << 30,
			Build: Build{Protocol: 1, Arch: "amd64", Version: "v1", Commit: "abc", Programs: []string{"linear-road"}},
			Jobs:  []JobState{state},
		},
		&Heartbeat{Seq: 3, Jobs: []JobReport{{JobState: state, Links: links}}, RSS: 1 << 20, CPU: 1.5, Late: 250},
		&Deployed{Job: "j1", Epoch: 7, Reached: wire.At(12, 3, 5), Reassignment: 6, Error: failure},
		&CaughtUp{Job: "j1", Epoch: 7, Reassignment: 6},
		&Ended{
			Job: "j1", Epoch: 7, Results: []engine.Result{{Worker: "w1", Name: "sum", Data: json.RawMessage(`{"n":[1,2]}`)}},
			Error: failure, Cancelled: true, Links: links,
		},
		&PeerLost{Job: "j1", Epoch: 7, Peer: "w2", Down: 300 * time.Millisecond, Reason: "connection refused"},
		&Profiled{Request: 5, Data: []byte{0, 1, 0xff}, Error: "no"},
		&Registered{Worker: "w1", Cluster: "00ff", Epoch: 4, Heartbeat: 50 * time.Millisecond, Report: time.Second, Error: "another build"},
		&Deploy{
			Coordinator: 4, Job: "j1", Epoch: 7,
			Spec: JobSpec{
				Program: "linear-road", Params: json.RawMessage(`{"xways":2}`), Parallelism: map[string]int{"count": 3}, Pins: map[string]int{"count": 1}, Default: 2,
				Fingerprint: 1<<64 - 2,
				Config:      JobConfig{Pace: 1, LogBytes: 1 << 20, StepBytes: 1 << 30, FrameBytes: 1 << 16, Memory: 1 << 30, NoFuse: true, Window: 1 << 18, Labels: true},
			},
			Workers: []Host{{Worker: "w1", Incarnation: 1 << 63, Addr: "tcp://127.0.0.1:9"}},
			Slots:   []Slot{{Worker: 0, Loop: 1}}, Place: [][]int{{0}, {0, Nowhere, 0}},
			Ranges:   [][]partition.Range{{{First: 0, Last: 1<<64 - 1}}, {{First: 0, Last: 1<<64 - 1}, {First: 0, Last: 1<<63 - 1}, {First: 0, Last: 1<<64 - 1}}},
			Recovers: true, Gone: []int{1},
			Reassign: []Reassignment{{ID: 6, Unit: 1, Old: []int{0}, New: []int{2}, Phase: Restoring, Cut: wire.At(12, 3, 5), Joins: true}},
		},
		&Start{Coordinator: 4, Job: "j1", Epoch: 7, At: 1760000000000000000},
		&End{Coordinator: 4, Job: "j1", Epoch: 7, How: Abort, Reason: "worker w2 is lost"},
		&Release{Coordinator: 4, Job: "j1", Epoch: 7},
		&Profile{Coordinator: 4, Request: 5, Kind: "cpu", For: 5 * time.Second},
		&Shutdown{Coordinator: 4, Reason: "done"},
		&Heartbeat{},
		&Ended{},
		&Deploy{},
	}
}

func TestGoldenLines(t *testing.T) {
	var lines []byte
	for _, m := range everyMessage() {
		var err error
		if lines, err = Append(lines, m); err != nil {
			t.Fatal(err)
		}
	}
	path := filepath.Join("testdata", "messages.jsonl")
	if *update {
		if err := os.WriteFile(path, lines, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(lines, want) {
		t.Errorf("the format has changed (go test -update, if that is meant):\n%s\nwant\n%s", lines, want)
	}
	messages := everyMessage()
	for i, line := range strings.SplitAfter(string(want), "\n")[:len(messages)] {
		got, err := Decode([]byte(line))
		if err != nil {
			t.Fatalf("line %d: %v", i+1, err)
		}
		if !reflect.DeepEqual(got, messages[i]) {
			t.Errorf("line %d is read as\n%+v\nwant\n%+v", i+1, got, messages[i])
		}
	}
}

// Counters arrive as they were, whatever there is of them.
func TestCountersSurvive(t *testing.T) {
	stats := engine.Stats{
		Elapsed: 1500 * time.Millisecond,
		Tasks:   []engine.TaskStats{{Worker: "w1", Operator: "count", Task: 2, Loop: 1, TuplesIn: 1 << 60, Position: wire.TimeMax}},
		Slabs:   slab.Stats{InUse: 1 << 40, Owners: []slab.OwnerStats{{Name: "count/table", InUse: 1 << 40}}},
	}
	for _, m := range []Message{&Ended{Stats: stats}, &Heartbeat{Jobs: []JobReport{{Stats: stats}}}} {
		line, err := Append(nil, m)
		if err != nil {
			t.Fatal(err)
		}
		if got, err := Decode(line); err != nil || !reflect.DeepEqual(got, m) {
			t.Errorf("%s is read as\n%+v, %v, want\n%+v", line, got, err, m)
		}
	}
}

func TestEveryTypeIsKnown(t *testing.T) {
	seen := map[string]bool{}
	for _, m := range everyMessage() {
		seen[Kind(m)] = true
		if got := newMessage(Kind(m)); reflect.TypeOf(got) != reflect.TypeOf(m) {
			t.Errorf("type %q makes a %T, want a %T", Kind(m), got, m)
		}
	}
	if len(seen) != 14 {
		t.Errorf("%d types are tried, want 14: %v", len(seen), seen)
	}
}

func TestEpochOf(t *testing.T) {
	for _, m := range everyMessage()[:14] {
		want := uint64(4)
		switch m.(type) {
		case *Register, *Heartbeat, *Deployed, *CaughtUp, *Ended, *PeerLost, *Profiled:
			want = 0
		}
		if got := EpochOf(m); got != want {
			t.Errorf("epoch of %q is %d, want %d", Kind(m), got, want)
		}
	}
}

func TestDecodeRefuses(t *testing.T) {
	tests := []struct{ name, line, want string }{
		{"nothing", "", "JSON object"},
		{"no JSON", "hello", "JSON object"},
		{"no object", `[1]`, "JSON object"},
		{"null", `null`, `unknown type ""`},
		{"two objects", `{"type":"ended"}{}`, "JSON object"},
		{"half an object", `{"type":"ended"`, "JSON object"},
		{"no type", `{"seq":1}`, `unknown type ""`},
		{"unknown type", `{"type":"hug"}`, `unknown type "hug"`},
		{"type of another kind", `{"type":7}`, "JSON object"},
		{"wrong member", `{"type":"heartbeat","seq":"x"}`, `message "heartbeat"`},
		{"negative epoch", `{"type":"ended","epoch":-1}`, `message "ended"`},
		{"too deep", `{"type":"ended","x":` + strings.Repeat("[", 20000) + strings.Repeat("]", 20000) + `}`, "depth"},
		{"too long", strings.Repeat(" ", LineBytesMax+1), "want at most"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			m, err := Decode([]byte(tt.line))
			if err == nil || !strings.Contains(err.Error(), tt.want) {
				t.Errorf("got %v, %v, want an error with %q", m, err, tt.want)
			}
		})
	}
}

func TestUnknownMembersAreIgnored(t *testing.T) {
	m, err := Decode([]byte(`{"mood":{"good":true},"type":"release","job":"j1","epoch":2}`))
	if want := (&Release{Job: "j1", Epoch: 2}); err != nil || !reflect.DeepEqual(m, want) {
		t.Errorf("got %+v, %v, want %+v", m, err, want)
	}
}

func TestAppendRefuses(t *testing.T) {
	tests := []struct {
		name string
		m    Message
		want string
	}{
		{"no JSON", &Ended{Results: []engine.Result{{Name: "x", Data: json.RawMessage(`{`)}}}, `message "ended"`},
		{"too long", &Profiled{Data: make([]byte, LineBytesMax*3/4)}, "want at most"},
	}
	for _, tt := range tests {
		dst, err := Append([]byte("before"), tt.m)
		if err == nil || !strings.Contains(err.Error(), tt.want) {
			t.Errorf("%s: got %v, want an error with %q", tt.name, err, tt.want)
		}
		if string(dst) != "before" {
			t.Errorf("%s: %d bytes are left in the buffer", tt.name, len(dst))
		}
	}
}

// What is read can be written, and then says the same.
func FuzzDecode(f *testing.F) {
	for _, m := range everyMessage() {
		line, err := Append(nil, m)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(line)
	}
	f.Add([]byte(`{"type":"deploy","spec":{"params": { "a" : "<" } }}`))
	f.Fuzz(func(t *testing.T, line []byte) {
		m, err := Decode(line)
		if err != nil {
			return
		}
		first, err := Append(nil, m)
		if err != nil {
			t.Fatalf("%q was read as %+v, which cannot be written: %v", line, m, err)
		}
		if bytes.IndexByte(first, '\n') != len(first)-1 {
			t.Fatalf("%q is not one line", first)
		}
		again, err := Decode(first)
		if err != nil {
			t.Fatalf("%q was written as %q, which cannot be read: %v", line, first, err)
		}
		second, err := Append(nil, again)
		if err != nil || !bytes.Equal(first, second) {
			t.Fatalf("%q became %q, then %q (%v)", line, first, second, err)
		}
	})
}
