package cli

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"

	"github.com/fullspate/spate/bench/linearroad"
	"github.com/fullspate/spate/bench/linearroad/format"
	"github.com/fullspate/spate/bench/linearroad/history"
	"github.com/fullspate/spate/bench/linearroad/validator"
	"github.com/fullspate/spate/cmd/spate/internal/report"
)

type validateCommand struct {
	Input   string `required:"" placeholder:"FILE" help:"Traffic that was run."`
	History string `placeholder:"FILE" help:"Toll history that was run with; none means no rows."`
	Results string `required:"" placeholder:"DIR" help:"Folder with the answers, as lr run wrote it."`
	Rules   string `placeholder:"paper|official" help:"How long a cleared accident stays in force (default: as in the run, or paper where there is no summary.json)."`
}

// Help shows examples.
func (validateCommand) Help() string {
	return `Works out every answer from the input alone and prints counts and the first differences with their context.
Whether answers came in time is checked if the folder's summary.json says at which pace they were made.
Exit code 3 if anything is wrong.

	spate lr validate --input traffic.dat --history history.csv --results results`
}

// Validate checks the flags.
func (c *validateCommand) Validate() error {
	faults := []error{needs("--input", c.Input), needs("--results", c.Results)}
	if c.Rules != "" {
		if _, err := validator.ParseRules(c.Rules); err != nil {
			faults = append(faults, fmt.Errorf("--rules: %w", err))
		}
	}
	return errors.Join(faults...)
}

// Run checks the answers.
func (c *validateCommand) Run(ctx context.Context, out *output) error {
	made, err := readSummary(c.Results)
	if err != nil {
		return err
	}
	if c.Rules != "" && made.Rules != "" && c.Rules != made.Rules {
		return usageError{fmt.Errorf("--rules is %s, but the answers in %s were made by %s rules", c.Rules, c.Results, made.Rules)}
	}
	rules, err := validator.ParseRules(cmp.Or(c.Rules, made.Rules, validator.Paper.String()))
	if err != nil {
		return fmt.Errorf("%s: %w", filepath.Join(c.Results, linearroad.SummaryFile), err)
	}
	if made.Partly {
		return fmt.Errorf("the run that wrote %s was interrupted, so its answers are not all there", c.Results)
	}
	tuples, skipped, err := c.readInput(ctx, out, made.Skipped > 0)
	if err != nil {
		return err
	}
	if skipped != made.Skipped {
		return fmt.Errorf("%s has %d bad lines, but the run skipped %d: it was another input", c.Input, skipped, made.Skipped)
	}
	answers, err := c.readAnswers(ctx, out)
	if err != nil {
		return err
	}
	rows, err := c.readHistory(ctx, out, tuples)
	if err != nil {
		return err
	}
	options := validator.Options{Rules: rules, Pace: made.Pace, History: rows}
	r, err := validator.Validate(tuples, answers, options)
	if err != nil {
		return fmt.Errorf("validating %s: %w", c.Results, err)
	}
	v := validationOf(r)
	v.Schema, v.Input, v.Results, v.Skipped = "spate.lr.validate/1", c.Input, c.Results, skipped
	err = out.result(v, func(w io.Writer) error {
		if skipped > 0 {
			fmt.Fprintf(w, "%s bad lines, skipped as in the run\n", report.Count(skipped))
		}
		_, err := r.WriteTo(w)
		return err
	})
	if err == nil && !r.Valid() {
		return errWrong
	}
	return err
}

// runSummary is what lr validate wants to know of the summary that lr run wrote.
type runSummary struct {
	Pace    float64 `json:"pace"`
	Rules   string  `json:"rules"`
	Skipped int64   `json:"skipped_lines"`
	Partly  bool    `json:"interrupted"`
}

// readSummary returns the summary of a folder of answers, and an empty one if there is none: answers may be another's.
func readSummary(dir string) (runSummary, error) {
	var s runSummary
	name := filepath.Join(dir, linearroad.SummaryFile)
	data, err := os.ReadFile(name)
	if errors.Is(err, os.ErrNotExist) {
		return s, nil
	}
	if err != nil {
		return s, err
	}
	if err := json.Unmarshal(data, &s); err != nil {
		return s, fmt.Errorf("%s: %w", name, err)
	}
	return s, nil
}

// readInput reads the input, without the bad lines if the run skipped those, and returns how many they are.
func (c *validateCommand) readInput(ctx context.Context, out *output, skipBad bool) (tuples []format.Tuple, skipped int64, err error) {
	err = readAll(ctx, out, c.Input, func(in io.Reader, name string) func() error {
		r := format.NewReader(in, format.ReaderConfig{File: name, SkipBad: skipBad})
		var t format.Tuple
		return func() error {
			err := r.Next(&t)
			if err == nil {
				tuples = append(tuples, t)
			}
			skipped = r.Skipped()
			return err
		}
	})
	return tuples, skipped, err
}

func (c *validateCommand) readAnswers(ctx context.Context, out *output) ([]format.Answer, error) {
	var answers []format.Answer
	for _, k := range []format.Type{format.Position, format.Accident, format.Balance, format.Expenditure} {
		name := filepath.Join(c.Results, format.AnswerFile(k))
		err := readAll(ctx, out, name, func(in io.Reader, name string) func() error {
			r := format.NewAnswerReader(in, name)
			var a format.Answer
			return func() error {
				err := r.Next(&a)
				if err == nil && a.Type != k {
					return &format.FieldError{File: name, Line: r.Line(), Field: "type", Value: fmt.Sprint(a.Type), Want: fmt.Sprint(k)}
				}
				if err == nil {
					answers = append(answers, a)
				}
				return err
			}
		})
		if err != nil {
			return nil, err
		}
	}
	return answers, nil
}

// readHistory keeps only the rows that the input asks for, which are few among the millions of a history.
func (c *validateCommand) readHistory(ctx context.Context, out *output, tuples []format.Tuple) (validator.History, error) {
	if c.History == "" {
		return nil, nil
	}
	type key struct {
		vid uint32
		day uint8
	}
	rows := map[key]*history.Row{}
	for i := range tuples {
		if t := &tuples[i]; t.Type == format.Expenditure {
			rows[key{t.VID, t.Day}] = nil
		}
	}
	err := readAll(ctx, out, c.History, func(in io.Reader, name string) func() error {
		r := history.NewReader(in, name)
		var row history.Row
		return func() error {
			if err := r.Next(&row); err != nil {
				return err
			}
			k := key{row.VID, row.Day}
			before, asked := rows[k]
			if before != nil {
				return history.Twice(name, r.Line(), row.VID, row.Day)
			}
			if asked {
				kept := row
				rows[k] = &kept
			}
			return nil
		}
	})
	return func(vid uint32, day uint8, xway uint16) (int64, bool) {
		row := rows[key{vid, day}]
		if row == nil || row.Xway != xway {
			return 0, false
		}
		return int64(row.Toll), true
	}, err
}

// readAll opens a file and calls the reader that open makes for it until its end, with progress.
func readAll(ctx context.Context, out *output, name string, open func(in io.Reader, name string) (next func() error)) error {
	f, size, err := openFile(name)
	if err != nil {
		return err
	}
	defer f.Close()
	bar := out.progress("read "+filepath.Base(name), size)
	defer bar.Stop()
	next := open(&countingReader{ctx: ctx, r: f, told: bar.Add}, name)
	for {
		if err := next(); err == io.EOF {
			return nil
		} else if err != nil {
			return err
		}
	}
}
