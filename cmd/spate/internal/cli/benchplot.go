package cli

import (
	"fmt"
	"os"

	"github.com/fullspate/spate/cmd/spate/internal/figure"
	"github.com/fullspate/spate/cmd/spate/internal/report"
)

type plotCommand struct {
	Out     string   `required:"" placeholder:"FILE" help:"Where to write the picture, an SVG."`
	Results []string `arg:"" name:"result.json" help:"Results of bench lr at different load factors."`
}

// Help shows an example.
func (plotCommand) Help() string {
	return `Draws the throughput of Linear Road over the load factor.

	for n in 10 50 350; do spate bench lr --xways $n --json > lr-$n.json; done
	spate bench plot --out lr.svg lr-*.json`
}

// Validate checks the flags.
func (c *plotCommand) Validate() error {
	var read []named
	for _, name := range c.Results {
		read = append(read, named{"a result", name})
	}
	return distinct(read, []named{{"--out", c.Out}})
}

// Run draws the picture.
func (c *plotCommand) Run() error {
	var results []*report.Result
	for _, name := range c.Results {
		r, err := report.ReadFile(name)
		if err != nil {
			return err
		}
		results = append(results, r)
	}
	svg, err := figure.Throughput(results)
	if err != nil {
		return fmt.Errorf("figure: %w", err)
	}
	return os.WriteFile(c.Out, svg, 0o644)
}
