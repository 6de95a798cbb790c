package cli

import (
	"context"
	"errors"

	"github.com/fullspate/spate/bench/network"
)

// networkFlags are those of the benchmarks of package network.
type networkFlags struct {
	Repeat int    `default:"${repeat}" placeholder:"K" help:"Number of runs, for median and spread (default: ${repeat})."`
	Seed   uint64 `default:"${seed}" placeholder:"S" help:"Seed of the keys (default: ${seed})."`
	engineFlags
	profileFlags
}

// check is called with the name of the latency log, if there is one.
func (f *networkFlags) check(hdr string) error {
	return errors.Join(atLeast("--repeat", f.Repeat, 1), f.engineFlags.check(), f.checkProfiles(&f.profileFlags), distinct(nil, append(f.profileFlags.files(), hdrFiles(hdr)...)))
}

// benchmark returns what the flags say about a benchmark with an input of so many seconds.
func (f *networkFlags) benchmark(k network.Kind, seconds int) network.Config {
	c := network.Defaults(k)
	c.Input.Seed, c.Input.Seconds, c.Network, c.Repeat = f.Seed, seconds, f.Network, f.Repeat
	c.Warm = min(c.Warm, seconds/warmPart)
	c.Engine = f.config(&f.profileFlags, 0)
	if c.Workers = f.Workers; f.Join != "" {
		c.Workers = 2 // or more; if there is one, the cluster says that it cannot do with it
	}
	return c
}

// The number of tuples is spread over some seconds of input, of which there are at most a day's.
const (
	tuplesMin = 1000
	tuplesMax = 1_000_000_000_000
)

// unpaced returns what the flags say about a benchmark of a number of tuples that come as fast as they can.
func (f *networkFlags) unpaced(k network.Kind, tuples int) network.Config {
	seconds := network.Defaults(k).Input.Seconds
	rate := min(tuples/seconds, network.RateMax)
	c := f.benchmark(k, tuples/rate)
	c.Input.Rate = rate
	return c
}

// perform runs a benchmark and prints its result. hdr may be empty.
func (f *networkFlags) perform(ctx context.Context, out *output, c network.Config, hdr string) error {
	if err := c.Validate(); err != nil {
		return usageError{err}
	}
	log, err := createHDR(ctx, hdr)
	if err != nil {
		return err
	}
	r, err := f.run(ctx, out, c)
	if r == nil || len(r.Runs) == 0 {
		return finishHDR(log, err)
	}
	if log != nil {
		err = errors.Join(err, finishHDR(log, r.WriteHDR(log)))
	}
	result, fault := networkResultOf(r)
	if fault == nil {
		fault = out.result(result, result.text)
	}
	if err = errors.Join(err, fault); err == nil && !result.Valid {
		return errWrong
	}
	return err
}

// run runs a benchmark where the flags say.
func (f *networkFlags) run(ctx context.Context, out *output, c network.Config) (*network.Result, error) {
	at, err := f.open(ctx, out, f.loops(), 0)
	if err != nil {
		return nil, err
	}
	o, err := f.observe(out, "bench "+string(c.Kind), f.Pace)
	if err != nil {
		return nil, at.close(err)
	}
	c.Runner, c.Progress = at.runner, o.progress
	r, err := network.Run(ctx, c)
	return r, at.close(o.stop(err))
}

type hopCommand struct {
	Tuples     int  `default:"${hop_tuples}" placeholder:"N" help:"Tuples, or a few less (default: ${hop_tuples})."`
	NoBaseline bool `help:"Leave out the bare sender and the source alone."`
	networkFlags
}

// Help shows examples.
func (hopCommand) Help() string {
	return `One source sends tuples of 40 bytes to one sink in another process, which reads and checks every field, as fast as that goes. Beside
it runs a bare sender of 64 KiB buffers between the same processes, and the source with nothing behind it.

	spate bench hop --workers 2
	spate bench hop --workers 2 --network unix
	spate bench hop                                    # in one process, where tuples are handed over by reference`
}

// Validate checks the flags.
func (c *hopCommand) Validate() error {
	return errors.Join(within("--tuples", c.Tuples, tuplesMin, tuplesMax), c.check(""))
}

// Run runs the benchmark.
func (c *hopCommand) Run(ctx context.Context, out *output) error {
	config := c.unpaced(network.Hop, c.Tuples)
	config.NoBaseline = c.NoBaseline
	return c.perform(ctx, out, config, "")
}

type keyedCommand struct {
	Tuples     int  `default:"${keyed_tuples}" placeholder:"N" help:"Tuples besides one for each key, or a few less (default: ${keyed_tuples})."`
	Keys       int  `default:"${keyed_keys}" placeholder:"N" help:"Keys that are counted (default: ${keyed_keys})."`
	NoBaseline bool `help:"Leave out the source alone."`
	networkFlags
}

// Help shows examples.
func (keyedCommand) Help() string {
	return `Two source tasks with rates of 4 : 1 in one process send tuples to two tasks in another, which count them by key; the sum of all
counts is checked.

	spate bench keyed --workers 2
	spate bench keyed --workers 2 --keys 10000000`
}

// Validate checks the flags.
func (c *keyedCommand) Validate() error {
	return errors.Join(within("--tuples", c.Tuples, tuplesMin, tuplesMax), atLeast("--keys", c.Keys, 1), c.check(""))
}

// Run runs the benchmark.
func (c *keyedCommand) Run(ctx context.Context, out *output) error {
	config := c.unpaced(network.Keyed, c.Tuples)
	config.Input.Keys, config.NoBaseline = c.Keys, c.NoBaseline
	return c.perform(ctx, out, config, "")
}

type hopsCommand struct {
	Rate    int    `default:"${hops_rate}" placeholder:"N" help:"Tuples per second of input (default: ${hops_rate})."`
	Seconds int    `default:"${hops_seconds}" placeholder:"N" help:"Seconds of input (default: ${hops_seconds})."`
	Keys    int    `default:"${hops_keys}" placeholder:"N" help:"Keys that occur (default: ${hops_keys})."`
	HDR     string `name:"hdr" placeholder:"FILE" help:"Write the response times as an HdrHistogram log."`
	networkFlags
}

// Help shows examples.
func (hopsCommand) Help() string {
	return `Two source tasks with rates of 4 : 1, and three operators of two tasks behind each other, each in the other process than the one before:
how long a tuple takes from the time at which it is due to the last of them, in real time if --pace does not say otherwise.
From the second hop on there are channels that never carry a tuple, whose frontiers all tuples wait for.

	spate bench hops --workers 2
	spate bench hops --workers 2 --network unix --rate 1000 --hdr hops.hdr`
}

// Validate checks the flags.
func (c *hopsCommand) Validate() error {
	return errors.Join(within("--rate", c.Rate, 5, network.RateMax), atLeast("--seconds", c.Seconds, 1), atLeast("--keys", c.Keys, 1), c.check(c.HDR))
}

// Run runs the benchmark.
func (c *hopsCommand) Run(ctx context.Context, out *output) error {
	if c.Pace == 0 {
		c.Pace = 1
	}
	config := c.benchmark(network.Hops, c.Seconds)
	config.Input.Rate, config.Input.Keys = c.Rate, c.Keys
	return c.perform(ctx, out, config, c.HDR)
}
