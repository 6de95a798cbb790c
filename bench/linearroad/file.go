package linearroad

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"time"

	"github.com/fullspate/spate/bench/linearroad/format"
	"github.com/fullspate/spate/bench/linearroad/query"
	"github.com/fullspate/spate/bench/measure"
	"github.com/fullspate/spate/engine"
)

// SummaryFile is the summary's name beside the answers.
const SummaryFile = "summary.json"

// Summary is what a run over files came to. Of a run that went on from checkpoints, counts and response times are those of all
// its parts together; seconds, rates, memory, allocations, processor time and checkpoints are of the last part.
type Summary struct {
	Schema  string  `json:"schema"` // spate.lr.run/1
	Input   string  `json:"input"`
	History string  `json:"history,omitempty"`
	Rules   string  `json:"rules"`
	Pace    float64 `json:"pace"` // 0: as fast as possible
	Loops   int     `json:"loops"`
	Workers int     `json:"workers"` // processes that ran the query, 0: the calling one
	Performance
	HistoryRows    int64   `json:"history_rows"`
	HistorySeconds float64 `json:"history_seconds"` // that loading it took, before second 0
	HistoryLate    float64 `json:"history_late_s"`  // by how much that was more than was planned, and the run behind its pace
	Skipped        int64   `json:"skipped_lines"`
	FirstSkipped   string  `json:"first_skipped,omitempty"` // what was wrong with the first of them
	Interrupted    bool    `json:"interrupted,omitempty"`   // the input was not read to its end
	ResumedAt      *int    `json:"resumed_at,omitempty"`    // second of the input at which the last part began; none: it is the only one
}

// RunFile answers the tuples of a file. The answers go to files in a directory, each in order of input, and so does the
// summary. If ctx ends the run, what was read by then is answered, and the summary of that is returned with the error.
func RunFile(ctx context.Context, cfg FileConfig) (*Summary, error) {
	s, err := runFile(ctx, cfg)
	if err != nil {
		return s, fmt.Errorf("linear road: %w", err)
	}
	return s, nil
}

func runFile(ctx context.Context, cfg FileConfig) (*Summary, error) {
	if err := cfg.Validate(); err != nil {
		return nil, err
	}
	params, rows, err := cfg.params()
	if err != nil {
		return nil, err
	}
	if err := cfg.identify(&params); err != nil {
		return nil, err
	}
	var resumed *int
	w := &measure.Watch{
		Operator: query.CalculatorID, Warm: params.lead(), Length: params.length(), Done: params.done(rows), Look: cfg.look,
		Started: func(s engine.Stats) { resumed = cfg.resumed(&params, s.Checkpoints) },
	}
	saved := cfg.Save.watch(ctx, w, params.lead())
	ended := w.Run(ctx, runnerOf(cfg.Runner), fileProgram(), params, cfg.Engine)
	interrupted := ended != nil && ctx.Err() != nil && errors.Is(ended, context.Cause(ctx))
	if ended != nil && !interrupted {
		return nil, ended
	}
	o, err := outcomeOf(w.Results())
	if err != nil {
		return nil, errors.Join(ended, err)
	}
	if resumed != nil && !interrupted {
		if err := o.reread(params.files()); err != nil {
			return nil, err
		}
	}
	part := w.Measured()
	s := &Summary{
		Schema: "spate.lr.run/1", Input: cfg.Input, History: cfg.History, Rules: cfg.Rules.String(), Pace: cfg.Engine.Pace,
		Loops: loops(cfg.Runner, cfg.Engine), Workers: part.Workers, Performance: performanceOf(&part, &o),
		HistoryRows: o.loaded.Rows, HistorySeconds: o.loaded.Seconds, HistoryLate: params.late(o.loaded.Seconds),
		Skipped: o.fed.Skipped, FirstSkipped: o.fed.First, Interrupted: interrupted, ResumedAt: resumed,
	}
	if resumed != nil || !interrupted { // what was measured may begin a little after the first
		s.Reports = o.fed.Reports
	}
	return s, errors.Join(ended, saved(), writeSummary(filepath.Join(cfg.Out, SummaryFile), s))
}

// identify makes the run's checkpoints and savepoints its own: who goes on from them must read the same files, at the same rules and pace,
// and write behind the same answers.
func (c *FileConfig) identify(p *FileParams) error {
	if c.Engine.CheckpointDir == "" && c.Engine.Savepoint == "" && c.Save.Dir == "" {
		return nil
	}
	same := *p
	if err := same.absolute(); err != nil {
		return err
	}
	key, err := json.Marshal(same)
	if err != nil {
		return err
	}
	for _, name := range []string{p.Input, p.History} {
		if name == "" {
			continue
		}
		info, err := os.Stat(name)
		if err != nil {
			return err
		}
		if !info.Mode().IsRegular() {
			return fmt.Errorf("%s is no regular file: a run with checkpoints may have to read it again, and a pipe is read once", name)
		}
		key = fmt.Appendf(key, " %d %d", info.Size(), info.ModTime().UnixNano())
	}
	c.Engine.CheckpointKey = string(key)
	return nil
}

// resumed returns the second of the input at which a run goes on, and tells of it; nil for one from the beginning.
func (c *FileConfig) resumed(p *FileParams, s engine.Checkpoints) *int {
	if s.Restored == 0 {
		return nil
	}
	second := int(max(time.Duration(s.From.Millis())*time.Millisecond-p.lead(), 0) / time.Second)
	if c.Resumed != nil {
		c.Resumed(second)
	}
	return &second
}

// look reports progress.
func (c *FileConfig) look(p Progress) {
	if c.Progress != nil {
		p.Run, p.Runs = 1, 1
		c.Progress(p)
	}
}

// loadPerRow is how much time a row of a history is given before second 0 of a run with a pace: a core takes 0.9 µs, and
// has other things to do.
const loadPerRow = 1500 * time.Nanosecond

// params looks at the files, makes the directory, and returns what every process has to know: among it, how long before the
// run's first second the history has to be loaded. With it comes the number of the history's rows.
func (c *FileConfig) params() (p FileParams, rows int64, err error) {
	p = FileParams{Input: c.Input, History: c.History, Out: c.Out, Rules: c.Rules, SkipBad: c.SkipBad, Pace: c.Engine.Pace}
	info, err := os.Stat(c.Input)
	if err != nil {
		return p, 0, fmt.Errorf("input: %w", err)
	}
	if info.IsDir() {
		return p, 0, fmt.Errorf("input: %s is a directory, want a file", c.Input)
	}
	if err := os.MkdirAll(c.Out, 0o755); err != nil {
		return p, 0, fmt.Errorf("directory for the answers: %w", err)
	}
	if c.History != "" {
		if rows, err = countLines(c.History); err != nil {
			return p, 0, fmt.Errorf("history: %w", err)
		}
		loading := time.Duration(float64(rows) * float64(loadPerRow) * p.Pace)
		p.Lead = int(max(loading, query.HistorySpan(rows))/time.Second) + 1
	}
	if !embedded(c.Runner) {
		err = p.absolute()
	}
	return p, rows, err
}

// done returns what says which part of the files has been read, by their bytes: that of the history by its rows, that of the
// input by its time.
func (p *FileParams) done(rows int64) func(s *engine.Stats, at time.Duration) float64 {
	history, input, length := size(p.History), size(p.Input), p.length()-p.lead()
	return func(s *engine.Stats, at time.Duration) float64 {
		if length <= 0 {
			return 0
		}
		read := input * max(float64(at-p.lead())/float64(length), 0)
		if rows > 0 {
			read += history * min(float64(tuplesOf(s, query.FeederID))/float64(rows), 1)
		}
		return read / (history + input)
	}
}

// tuplesOf is how many tuples an operator took in.
func tuplesOf(s *engine.Stats, operator string) (n uint64) {
	for i := range s.Tasks {
		if s.Tasks[i].Operator == operator {
			n += s.Tasks[i].TuplesIn
		}
	}
	return n
}

// size is the size of a file in bytes, 0 where there is none.
func size(path string) float64 {
	info, err := os.Stat(path)
	if err != nil {
		return 0
	}
	return float64(info.Size())
}

// late is by how many seconds second 0 was late, given the time that loading the history took.
func (p *FileParams) late(loading float64) float64 {
	if p.Pace == 0 {
		return 0
	}
	return max(loading-p.lead().Seconds()/p.Pace, 0)
}

// absolute makes names mean the same to processes in other directories.
func (p *FileParams) absolute() error {
	for _, name := range []*string{&p.Input, &p.History, &p.Out} {
		if *name == "" {
			continue
		}
		full, err := filepath.Abs(*name)
		if err != nil {
			return fmt.Errorf("%s: %w", *name, err)
		}
		*name = full
	}
	return nil
}

// length is the logical time at which the input ends, by its last line; 0 if that does not tell.
func (p *FileParams) length() time.Duration {
	info, err := os.Stat(p.Input)
	if err != nil || !info.Mode().IsRegular() { // a pipe is read once
		return 0
	}
	f, err := os.Open(p.Input)
	if err != nil {
		return 0
	}
	defer f.Close()
	const tail = 4 << 10 // more than any line that is right; the first may be cut, and is skipped then
	if _, err := f.Seek(max(info.Size()-tail, 0), io.SeekStart); err != nil {
		return 0
	}
	r := format.NewReader(f, format.ReaderConfig{File: p.Input, SkipBad: true})
	var last format.Tuple
	for n := 0; ; n++ {
		if err := r.Next(&last); err != nil && n == 0 {
			return 0
		} else if err != nil {
			return p.lead() + time.Duration(last.Time+1)*time.Second
		}
	}
}

// countLines counts the lines of a file.
func countLines(path string) (n int64, err error) {
	f, err := os.Open(path)
	if err != nil {
		return 0, err
	}
	defer f.Close()
	buf := make([]byte, 1<<20)
	for {
		got, err := f.Read(buf)
		n += int64(bytes.Count(buf[:got], []byte{'\n'}))
		if err == io.EOF {
			return n + 1, nil // the last one may lack a newline
		}
		if err != nil {
			return 0, err
		}
	}
}

func writeSummary(path string, s *Summary) error {
	text, err := json.MarshalIndent(s, "", "  ")
	if err != nil {
		return fmt.Errorf("summary: %w", err)
	}
	if err := os.WriteFile(path, append(text, '\n'), 0o644); err != nil {
		return fmt.Errorf("summary: %w", err)
	}
	return nil
}
