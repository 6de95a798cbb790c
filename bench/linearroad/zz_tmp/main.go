package main

import (
	"context"
	"encoding/json"
	"flag"
	"fmt"
	"os"
	"runtime/pprof"

	"github.com/fullspate/spate/bench/linearroad"
)

func main() {
	cfg := linearroad.Defaults()
	cpu := flag.String("cpu", "", "")
	flag.IntVar(&cfg.Xways, "x", 50, "")
	flag.IntVar(&cfg.From, "from", 9000, "")
	flag.IntVar(&cfg.To, "to", 9600, "")
	flag.IntVar(&cfg.Warm, "warm", 360, "")
	flag.IntVar(&cfg.Repeat, "r", 1, "")
	flag.IntVar(&cfg.Engine.Loops, "l", 0, "")
	flag.Float64Var(&cfg.Engine.Pace, "pace", 0, "")
	flag.BoolVar(&cfg.NoValidation, "nv", false, "")
	flag.BoolVar(&cfg.Replicate, "rep", false, "")
	q := flag.Bool("q", false, "")
	flag.Parse()
	if *cpu != "" {
		f, _ := os.Create(*cpu)
		pprof.StartCPUProfile(f)
		defer pprof.StopCPUProfile()
	}
	if !*q {
		cfg.Progress = func(p linearroad.Progress) {
			fmt.Fprintf(os.Stderr, "\r%.1f%% %d %.2fM %v    ", 100*p.Fraction, p.Reports, p.ReportsPerS/1e6, p.Warming)
		}
	}
	r, err := linearroad.Run(context.Background(), cfg)
	if err != nil {
		fmt.Println(err)
		os.Exit(1)
	}
	for i := range r.Runs {
		b, _ := json.Marshal(r.Runs[i])
		fmt.Println(string(b))
		if v := r.Validations[i]; v != nil && !v.Valid() {
			fmt.Println(v)
		}
	}
}
