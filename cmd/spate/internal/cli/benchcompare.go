package cli

import "github.com/fullspate/spate/cmd/spate/internal/report"

type compareCommand struct {
	A string `arg:"" name:"a.json" help:"Result to compare with."`
	B string `arg:"" name:"b.json" help:"Result to compare."`
}

// Help shows examples.
func (compareCommand) Help() string {
	return `Prints each measure of both results, with half the spread of its repeats, and the ratio of B to A.
A difference counts only if no run of one lies among the runs of the other.

	spate bench lr --repeat 5 --json > before.json
	spate bench lr --repeat 5 --json > after.json
	spate bench compare before.json after.json`
}

// Run compares two results.
func (c *compareCommand) Run(out *output) error {
	a, err := report.ReadFile(c.A)
	if err != nil {
		return err
	}
	b, err := report.ReadFile(c.B)
	if err != nil {
		return err
	}
	comparison, err := report.Compare(a, b)
	if err != nil {
		return err
	}
	return out.result(comparison, comparison.Text)
}
