package main

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// TestNetworkBenchmarks runs the benchmarks of the network in one process.
func TestNetworkBenchmarks(t *testing.T) {
	hdr := filepath.Join(t.TempDir(), "hops.hdr")
	for args, want := range map[string]struct{ schema, parts, members string }{
		"bench hop --tuples 100000":                                        {"spate.bench.hop/1", "bare sender,source,throughput", "bare_bytes_per_s source_tuples_per_s"},
		"bench keyed --tuples 50000 --keys 700":                            {"spate.bench.keyed/1", "source,700 keys", "source_tuples_per_s"},
		"bench hops --rate 1000 --seconds 6 --pace 60 --hdr " + hdr:        {"spate.bench.hops/1", "arrivals,p99.9", "response_ms"},
		"bench hop --tuples 100000 --no-baseline --parallelism arrivals=1": {"spate.bench.hop/1", "throughput", "tuples_per_s"},
	} {
		text := spate(t, strings.Fields(args+" --repeat 1")...)
		text.want(t, 0)
		for _, part := range append(strings.Split(want.parts, ","), "every tuple", "ns per tuple", "not a rating") {
			if !strings.Contains(text.stdout, part) {
				t.Errorf("%s: the report lacks %q:\n%s", args, part, text.stdout)
			}
		}
		ran := spate(t, strings.Fields(args+" --repeat 2 --json")...)
		ran.want(t, 0)
		o := ran.object(t, want.schema)
		for _, name := range strings.Fields(want.members + " version input pace loops workers network crossings tuples seconds tuples_per_s valid cpu_ns_per_tuple spread runs") {
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
	if log, err := os.ReadFile(hdr); err != nil || strings.Count(string(log), "Tag=hops,") != 2 {
		t.Errorf("latency log %q, %v", log, err)
	}
}

func TestNetworkUsage(t *testing.T) {
	for args, part := range map[string]string{
		"hop --tuples 999":                "--tuples",
		"hop --parallelism counter=1":     "counter",
		"hop --repeat 0":                  "--repeat",
		"keyed --keys 0":                  "--keys",
		"keyed --keys 100000001":          "100000001",
		"hops --rate 4":                   "--rate",
		"hops --seconds 0":                "--seconds",
		"hops --seconds 5 --hdr /no/such": "/no/such",
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

// TestNetworkBenchmarksOnWorkers runs them on two processes, where every hop crosses.
func TestNetworkBenchmarksOnWorkers(t *testing.T) {
	for args, crossings := range map[string]float64{
		"bench hop --tuples 100000":                              1,
		"bench hop --tuples 100000 --network unix":               1,
		"bench keyed --tuples 50000 --keys 700 --network unix":   1,
		"bench hops --rate 1000 --seconds 6 --pace 30 --loops 2": 3,
	} {
		ran := spate(t, strings.Fields(args+" --workers 2 --repeat 1 --json")...)
		ran.want(t, 0)
		o := ran.object(t, "spate.bench."+strings.Fields(args)[1]+"/1")
		if o["valid"] != true || o["workers"] != 2.0 || o["crossings"] != crossings {
			t.Errorf("%s: valid %v, %v workers, %v crossings, want true, 2 and %v", args, o["valid"], o["workers"], o["crossings"], crossings)
		}
		if bare, _ := o["of_bare"].(float64); (bare > 0) != strings.Contains(args, "hop ") {
			t.Errorf("%s: it is %v of the bare sender", args, o["of_bare"])
		}
	}
}
