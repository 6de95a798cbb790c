package main

import (
	"bytes"
	"encoding/json"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
)

// genuine is real traffic with expected answers, kept beside the project.
const genuine = "../../../shared/linearroad"

// dense generates three minutes of one expressway, late enough for tolls and charges, and returns the file.
func dense(t *testing.T, args ...string) string {
	t.Helper()
	input := filepath.Join(t.TempDir(), "input.dat")
	spate(t, append(strings.Fields("lr generate --xways 1 --seed 11 --from 9000 --to 9180 --out "+input), args...)...).want(t, 0)
	return input
}

func TestGenuineTrafficIsAnsweredRight(t *testing.T) {
	if _, err := os.Stat(genuine); err != nil {
		t.Skipf("no genuine traffic to run: %v", err)
	}
	for _, tt := range []struct {
		name, history, rules string
		answers              [4]float64
	}{
		{"lr3h_first324s.dat", "lr3h_first324s.tolls.csv", "paper", [4]float64{9284, 272, 119, 18}},
		{"lr3h_first324s.dat", "lr3h_first324s.tolls.csv", "official", [4]float64{9284, 272, 119, 18}},
		{"fixture.dat", "fixture.tolls.csv", "paper", [4]float64{809, 52, 8, 3}},
		{"fixture.dat", "fixture.tolls.csv", "official", [4]float64{809, 58, 8, 3}},
	} {
		t.Run(tt.name+" "+tt.rules, func(t *testing.T) {
			input, history, out := filepath.Join(genuine, tt.name), filepath.Join(genuine, tt.history), t.TempDir()
			ran := spate(t, "lr", "run", "--json", "--input", input, "--history", history, "--rules", tt.rules, "--out", out)
			ran.want(t, 0)
			answers, _ := ran.object(t, "spate.lr.run/1")["answers"].(map[string]any)
			checked := spate(t, "lr", "validate", "--json", "--input", input, "--history", history, "--rules", tt.rules, "--results", out)
			checked.want(t, 0)
			o := checked.object(t, "spate.lr.validate/1")
			if o["valid"] != true || len(o["faults"].(map[string]any)) != 0 {
				t.Errorf("not valid: %s", checked.stdout)
			}
			for kind, want := range tt.answers {
				if got := answers[strconv.Itoa(kind)]; got != want {
					t.Errorf("%v answers of type %d, want %v", got, kind, want)
				}
			}
		})
	}
}

func TestRunIsTheSameAtAnyParallelism(t *testing.T) {
	input := dense(t, "--hostile")
	history := write(t, "history.csv", "1,1,0,7\n2,3,1,9\n")
	var first map[string][]byte
	for _, args := range []string{"--loops 1", "--loops 2", "--loops 2 --parallelism calculator=3,assessment=5,expenditure=2", "--loops 1 --pace 10000"} {
		out := t.TempDir()
		spate(t, append(strings.Fields("lr run --input "+input+" --history "+history+" --out "+out), strings.Fields(args)...)...).want(t, 0)
		got := answersOf(t, out)
		if first == nil {
			first = got
			spate(t, "lr", "validate", "--input", input, "--history", history, "--results", out).want(t, 0)
			continue
		}
		for name, lines := range got {
			if !bytes.Equal(lines, first[name]) {
				t.Errorf("%s: %s differs from that of the first run", args, name)
			}
		}
	}
}

// emitColumn is the place of emit in the lines of each file.
var emitColumn = map[string]int{"tolls.csv": 3, "accidents.csv": 2, "balances.csv": 2, "expenditures.csv": 2}

// answersOf returns the lines of all answers without emit.
func answersOf(t *testing.T, dir string) map[string][]byte {
	t.Helper()
	all := map[string][]byte{}
	for name, column := range emitColumn {
		data, err := os.ReadFile(filepath.Join(dir, name))
		if err != nil {
			t.Fatal(err)
		}
		var b bytes.Buffer
		for line := range strings.Lines(string(data)) {
			fields := strings.Split(line, ",")
			fields[column] = ""
			b.WriteString(strings.Join(fields, ","))
		}
		all[name] = b.Bytes()
	}
	return all
}

func TestRunResult(t *testing.T) {
	input := dense(t)
	out := filepath.Join(t.TempDir(), "new", "results")
	ran := spate(t, "lr", "run", "--json", "--input", input, "--out", out, "--memory", "1GiB")
	ran.want(t, 0)
	o := ran.object(t, "spate.lr.run/1")
	for _, name := range []string{"reports", "reports_per_s", "seconds", "tolls_above_zero", "charges", "unanswered_type4", "rss_bytes"} {
		if n, _ := o[name].(float64); n <= 0 {
			t.Errorf("%s is %v, want more than 0", name, o[name])
		}
	}
	kept, err := os.ReadFile(filepath.Join(out, "summary.json"))
	if err != nil {
		t.Fatal(err)
	}
	var summary map[string]any
	if err := json.Unmarshal(kept, &summary); err != nil || summary["reports"] != o["reports"] {
		t.Errorf("summary.json is not the result: %v, %s", err, kept)
	}
	history := write(t, "history.csv", "1,1,0,7\n2,3,1,9\n")
	text := spate(t, "lr", "run", "--input", input, "--history", history, "--out", out, "--pace", "10000")
	text.want(t, 0)
	for _, part := range []string{"history      2 rows in", "position reports", "toll notifications", "unanswered", "p99.9", out} {
		if !strings.Contains(text.stdout, part) {
			t.Errorf("the report lacks %q:\n%s", part, text.stdout)
		}
	}
}

func TestWrongAnswersAreFound(t *testing.T) {
	input := dense(t)
	out := t.TempDir()
	spate(t, "lr", "run", "--input", input, "--out", out).want(t, 0)
	tolls := filepath.Join(out, "tolls.csv")
	data, err := os.ReadFile(tolls)
	if err != nil {
		t.Fatal(err)
	}
	lines := strings.SplitAfter(string(data), "\n")
	fields := strings.Split(strings.TrimSpace(lines[100]), ",")
	fields[5] = "77"
	lines[100] = strings.Join(fields, ",") + "\n"
	lines = append(lines[:200:200], lines[201:]...)
	if err := os.WriteFile(tolls, []byte(strings.Join(lines, "")), 0o666); err != nil {
		t.Fatal(err)
	}
	text := spate(t, "lr", "validate", "--input", input, "--results", out)
	text.want(t, 3, "wrong")
	for _, part := range []string{"type 0 wrong: 1", "type 0 missing: 1", "toll is 77"} {
		if !strings.Contains(text.stdout, part) {
			t.Errorf("the report lacks %q:\n%s", part, text.stdout)
		}
	}
	found := spate(t, "lr", "validate", "--json", "--input", input, "--results", out)
	found.want(t, 3)
	o := found.object(t, "spate.lr.validate/1")
	if first, _ := o["first"].([]any); o["valid"] != false || len(first) != 2 {
		t.Errorf("valid %v, first %v", o["valid"], o["first"])
	}
}

func TestRunFails(t *testing.T) {
	dir := t.TempDir()
	good := write(t, "good.dat", "0,0,1,30,0,0,0,5,27000,-1,-1,-1,-1,-1,-1\n")
	short := write(t, "short.dat", "0,0,1,30,0,0,0,5,27000,-1,-1,-1,-1,-1,-1\n0,1,2\n")
	fast := write(t, "fast.dat", "0,0,1,130,0,0,0,5,27000,-1,-1,-1,-1,-1,-1\n")
	back := write(t, "back.dat", "0,5,1,30,0,0,0,5,27000,-1,-1,-1,-1,-1,-1\n0,4,2,30,0,0,0,5,27000,-1,-1,-1,-1,-1,-1\n")
	history := write(t, "history.csv", "1,2,x,4\n")
	full := filepath.Join(dir, "full")
	if err := os.Mkdir(full, 0o777); err != nil {
		t.Fatal(err)
	}
	if err := os.Symlink("/dev/full", filepath.Join(full, "tolls.csv")); err != nil {
		t.Fatal(err)
	}
	self := t.TempDir()
	if err := os.Symlink(good, filepath.Join(self, "tolls.csv")); err != nil {
		t.Fatal(err)
	}
	out := filepath.Join(dir, "out")
	tests := []struct {
		args   string
		code   int
		stderr []string
	}{
		{"--input missing.dat --out " + out, 1, []string{"missing.dat"}},
		{"--input " + dir + " --out " + out, 1, []string{dir}},
		{"--input " + short + " --out " + out, 1, []string{short + ":2", "15 comma separated"}},
		{"--input " + fast + " --out " + out, 1, []string{fast + ":1", "spd", "130"}},
		{"--input " + back + " --out " + out, 1, []string{back + ":2", "time"}},
		{"--input " + good + " --history missing.csv --out " + out, 1, []string{"missing.csv"}},
		{"--input " + good + " --history " + history + " --out " + out, 1, []string{history + ":1", "xway"}},
		{"--input " + good + " --out " + good, 1, []string{good}},
		{"--input " + good + " --out " + full, 1, []string{"tolls.csv", "no space left"}},
		{"--input " + good + " --memory 4KiB --out " + out, 1, []string{"memory budget"}},
		{"--input " + good + " --cpuprofile " + dir + " --out " + out, 1, []string{dir}},
		{"--input " + good + " --pprof nowhere --out " + out, 1, []string{"nowhere"}},
		{"--input " + good + " --out " + self, 2, []string{"overwritten"}},
		{"--input " + good + " --loops 0 --out " + out, 2, []string{"--loops"}},
		{"--input " + good + " --loops 1000 --out " + out, 2, []string{"--loops"}},
		{"--input " + good + " --pace NaN --out " + out, 2, []string{"--pace"}},
		{"--input " + good + " --pace=-1 --out " + out, 2, []string{"--pace"}},
		{"--input " + good + " --memory 4KB --out " + out, 2, []string{"--memory"}},
		{"--input " + good + " --memory=-4 --out " + out, 2, []string{"--memory"}},
		{"--input " + good + " --parallelism calculator=0 --out " + out, 2, []string{"--parallelism calculator"}},
		{"--input " + good + " --parallelism calculator --out " + out, 2, []string{"--parallelism"}},
		{"--input " + good + " --parallelism calc=2 --out " + out, 2, []string{"calc"}},
		{"--input " + good + " --parallelism tolls=2 --out " + out, 2, []string{"tolls"}},
	}
	for _, tt := range tests {
		got := spate(t, append([]string{"lr", "run"}, strings.Fields(tt.args)...)...)
		if got.code != tt.code || got.stdout != "" {
			t.Errorf("lr run %s: exit code %d, want %d\n%s%s", tt.args, got.code, tt.code, got.stdout, got.stderr)
		}
		for _, part := range tt.stderr {
			if !strings.Contains(got.stderr, part) {
				t.Errorf("lr run %s: standard error lacks %q:\n%s", tt.args, part, got.stderr)
			}
		}
	}
	if left, err := os.ReadFile(good); err != nil || len(left) == 0 {
		t.Errorf("the input was overwritten: %q, %v", left, err)
	}
}

func TestSkipBad(t *testing.T) {
	input := write(t, "input.dat", "0,0,1,30,0,0,0,5,27000,-1,-1,-1,-1,-1,-1\nnonsense\n0,30,1,30,0,1,0,6,32000,-1,-1,-1,-1,-1,-1\n")
	out := t.TempDir()
	text := spate(t, "lr", "run", "--input", input, "--out", out, "--skip-bad")
	text.want(t, 0)
	if !strings.Contains(text.stdout, "skipped") || !strings.Contains(text.stdout, input+":2") {
		t.Errorf("the report does not name the skipped line:\n%s", text.stdout)
	}
	spate(t, "lr", "validate", "--input", input, "--results", out).want(t, 0)
	other := write(t, "other.dat", "nonsense\nnonsense\n")
	spate(t, "lr", "validate", "--input", other, "--results", out).want(t, 1, "another input")
}

// TestSkipBadKeepsWhatFollows has one line with a time that is too late.
func TestSkipBadKeepsWhatFollows(t *testing.T) {
	traffic, err := os.ReadFile(dense(t))
	if err != nil {
		t.Fatal(err)
	}
	lines := strings.SplitAfter(string(traffic), "\n")
	const at = 1000
	input := write(t, "input.dat", strings.Join(lines[:at], "")+"0,10000,1,30,0,0,0,5,27000,-1,-1,-1,-1,-1,-1\n"+strings.Join(lines[at:], ""))
	out := t.TempDir()
	ran := spate(t, "lr", "run", "--json", "--input", input, "--out", out, "--skip-bad")
	ran.want(t, 0)
	o := ran.object(t, "spate.lr.run/1")
	if first, _ := o["first_skipped"].(string); o["skipped_lines"] != float64(1) || !strings.HasPrefix(first, input+":1001") {
		t.Errorf("skipped %v, the first: %s", o["skipped_lines"], first)
	}
	spate(t, "lr", "validate", "--input", input, "--results", out).want(t, 0)
}

func TestValidateFails(t *testing.T) {
	input := write(t, "input.dat", "0,0,1,30,0,0,0,5,27000,-1,-1,-1,-1,-1,-1\n3,5,1,-1,0,-1,-1,-1,-1,9,-1,-1,-1,-1,7\n")
	out := t.TempDir()
	spate(t, "lr", "run", "--input", input, "--out", out, "--rules", "official").want(t, 0)
	spate(t, "lr", "validate", "--input", input, "--results", out, "--rules", "paper").want(t, 2, "official")
	spate(t, "lr", "validate", "--input", input, "--results", out, "--rules", "other").want(t, 2, "--rules", "other")
	spate(t, "lr", "validate", "--input", input, "--results", out).want(t, 0) // by the rules of the run
	spate(t, "lr", "validate", "--input", "missing.dat", "--results", out, "--rules", "official").want(t, 1, "missing.dat")
	spate(t, "lr", "validate", "--input", input, "--results", t.TempDir()).want(t, 1, "tolls.csv")
	twice := write(t, "twice.csv", "1,7,0,5\n1,7,1,6\n")
	spate(t, "lr", "run", "--input", input, "--out", t.TempDir(), "--history", twice).want(t, 1, twice+":2", "day")
	spate(t, "lr", "validate", "--input", input, "--results", out, "--rules", "official", "--history", twice).want(t, 1, twice+":2", "day")
	tolls := filepath.Join(out, "tolls.csv")
	if err := os.WriteFile(tolls, []byte("0,1,0,0,-1\n"), 0o666); err != nil {
		t.Fatal(err)
	}
	spate(t, "lr", "validate", "--input", input, "--results", out, "--rules", "official").want(t, 1, tolls+":1")
	if err := os.WriteFile(tolls, []byte("3,5,5,9,0\n"), 0o666); err != nil {
		t.Fatal(err)
	}
	spate(t, "lr", "validate", "--input", input, "--results", out, "--rules", "official").want(t, 1, tolls+":1", "type")
	if err := os.WriteFile(filepath.Join(out, "summary.json"), []byte("{"), 0o666); err != nil {
		t.Fatal(err)
	}
	spate(t, "lr", "validate", "--input", input, "--results", out).want(t, 1, "summary.json")
}

func TestInterruptedRun(t *testing.T) {
	input := filepath.Join(t.TempDir(), "input.dat")
	spate(t, strings.Fields("lr generate --xways 1 --seed 11 --to 120 --out "+input)...).want(t, 0)
	out := t.TempDir()
	trace := filepath.Join(t.TempDir(), "run.trace")
	c := process(t, "lr", "run", "--json", "--input", input, "--out", out, "--pace", "10", "--trace", trace)
	tolls := filepath.Join(out, "tolls.csv")
	got := interrupt(t, c, syscall.SIGTERM, func() bool { return exists(tolls) })
	got.want(t, 1, "interrupted")
	if o := got.object(t, "spate.lr.run/1"); o["interrupted"] != true {
		t.Errorf("the result does not say that the run was interrupted:\n%s", got.stdout)
	}
	if !exists(trace) {
		t.Error("there is no trace of the interrupted run")
	}
	spate(t, "lr", "validate", "--input", input, "--results", out).want(t, 1, "interrupted")
}

func TestBenchLinear(t *testing.T) {
	args := strings.Fields("bench lr --xways 2 --from 9000 --to 9060 --repeat 2 --seed 3 --parallelism calculator=2")
	text := spate(t, args...)
	text.want(t, 0)
	for _, part := range []string{"2 expressways", "not a rating", "reports/s", "±", "toll notifications", "every answer right", "vehicles", "per report"} {
		if !strings.Contains(text.stdout, part) {
			t.Errorf("the report lacks %q:\n%s", part, text.stdout)
		}
	}
	ran := spate(t, append(args, "--json")...)
	ran.want(t, 0)
	o := ran.object(t, "spate.bench.lr/1")
	for _, name := range strings.Fields("schema version commit go machine seed xways pace loops reports seconds reports_per_s answers tolls_above_zero " +
		"accidents charges unanswered_type4 validated_xways valid state_bytes rss_bytes allocs_per_report response_ms workers link_bytes_per_report from to warm parallelism spread runs") {
		if _, ok := o[name]; !ok {
			t.Errorf("the result lacks %s", name)
		}
	}
	if runs, _ := o["runs"].([]any); o["valid"] != true || len(runs) != 2 || o["validated_xways"] != float64(2) {
		t.Errorf("valid %v, %d runs, %v expressways validated", o["valid"], len(runs), o["validated_xways"])
	}
	a := write(t, "a.json", ran.stdout)
	compared := spate(t, "bench", "compare", "--json", a, a)
	compared.want(t, 0)
	c := compared.object(t, "spate.compare/1")
	if warnings, _ := c["warnings"].([]any); len(warnings) != 0 || len(c["rows"].([]any)) < 10 {
		t.Errorf("comparing a result with itself: %s", compared.stdout)
	}
}

func TestBenchLinearWithPaceAndProfiles(t *testing.T) {
	dir := t.TempDir()
	hdr, cpu, mem := filepath.Join(dir, "hdr"), filepath.Join(dir, "cpu"), filepath.Join(dir, "mem")
	ran := spate(t, "bench", "lr", "--json", "--xways", "1", "--from", "2h", "--to", "7230", "--pace", "30", "--repeat", "1",
		"--hdr", hdr, "--cpuprofile", cpu, "--memprofile", mem)
	ran.want(t, 0)
	times, _ := ran.object(t, "spate.bench.lr/1")["response_ms"].(map[string]any)
	quantiles, _ := times["0"].(map[string]any)
	for _, q := range []string{"p50", "p95", "p99", "p999", "max"} {
		if n, _ := quantiles[q].(float64); n <= 0 {
			t.Errorf("response time %s is %v", q, quantiles[q])
		}
	}
	log, err := os.ReadFile(hdr)
	if err != nil || !strings.Contains(string(log), "Tag=type0") {
		t.Errorf("latency log %q, %v", log, err)
	}
	for _, name := range []string{cpu, mem} {
		if info, err := os.Stat(name); err != nil || info.Size() == 0 {
			t.Errorf("profile %s: %v", name, err)
		}
	}
}

func TestSmallBenchmarks(t *testing.T) {
	for args, schema := range map[string]string{
		"bench wordcount --rate 100 --seconds 40 --vocabulary 500 --repeat 2": "spate.bench.wordcount/1",
		"bench topk --rate 1000 --seconds 40 --k 3 --repeat 2":                "spate.bench.topk/1",
	} {
		text := spate(t, strings.Fields(args)...)
		text.want(t, 0)
		for _, part := range []string{"tuples/s", "not a rating", "all right", "per tuple"} {
			if !strings.Contains(text.stdout, part) {
				t.Errorf("%s: the report lacks %q:\n%s", args, part, text.stdout)
			}
		}
		ran := spate(t, strings.Fields(args+" --json --loops 1")...)
		ran.want(t, 0)
		o := ran.object(t, schema)
		for _, name := range strings.Fields("version commit go machine seed input pace loops tuples seconds tuples_per_s answers valid state_bytes rss_bytes allocs_per_tuple spread runs checks") {
			if _, ok := o[name]; !ok {
				t.Errorf("%s: the result lacks %s", args, name)
			}
		}
		if runs, _ := o["runs"].([]any); o["valid"] != true || len(runs) != 2 {
			t.Errorf("%s: valid %v, %d runs", args, o["valid"], len(runs))
		}
		a := write(t, "a.json", ran.stdout)
		spate(t, "bench", "compare", a, a).want(t, 0)
	}
}

func TestBenchUsage(t *testing.T) {
	for args, part := range map[string]string{
		"lr --hdr x":                        "--pace",
		"lr --repeat 0":                     "--repeat",
		"lr --xways 0":                      "--xways",
		"lr --from 3h":                      "--from",
		"lr --loops two":                    "--loops",
		"lr --parallelism nobody=1":         "nobody",
		"lr --pace 1 --hdr /no/such":        "/no/such",
		"wordcount --rate 0":                "--rate",
		"wordcount --hdr x":                 "--pace",
		"wordcount --vocabulary 1000000000": "1000000000",
		"topk --k 5000":                     "--k is 5000, want 1…32",
		"topk --seconds=-1":                 "--seconds",
		"topk --parallelism nobody=2":       "nobody",
	} {
		got := spate(t, strings.Fields("bench "+args)...)
		want := 2
		if part == "/no/such" {
			want = 1
		}
		if got.code != want || !strings.Contains(got.stderr, part) {
			t.Errorf("bench %s: exit code %d, want %d and %q\n%s", args, got.code, want, part, got.stderr)
		}
	}
}
