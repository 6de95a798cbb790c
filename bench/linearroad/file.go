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
	"github.com/fullspate/spate/engine"
)

// SummaryFile is the summary's name beside the answers.
const SummaryFile = "summary.json"

// Summary is what a run over files came to.
type Summary struct {
	Schema  string  `json:"schema"` // spate.lr.run/1
	Input   string  `json:"input"`
	History string  `json:"history,omitempty"`
	Rules   string  `json:"rules"`
	Pace    float64 `json:"pace"` // 0: as fast as possible
	Loops   int     `json:"loops"`
	Performance
	Skipped      int64  `json:"skipped_lines"`
	FirstSkipped string `json:"first_skipped,omitempty"` // what was wrong with the first of them
	Interrupted  bool   `json:"interrupted,omitempty"`   // the input was not read to its end
}

// RunFile answers the tuples of a file. The answers go to files in a directory, each in order of input, and so does the
// summary. If ctx ends the run, what was read by then is answered, and the summary of that is returned with the error.
func RunFile(ctx context.Context, cfg FileConfig) (*Summary, error) {
	if err := cfg.Validate(); err != nil {
		return nil, fmt.Errorf("linear road: %w", err)
	}
	r := &fileRun{cfg: cfg}
	if err := r.prepare(); err != nil {
		return nil, fmt.Errorf("linear road: %w", err)
	}
	w, err := r.start(ctx)
	if err != nil {
		return nil, fmt.Errorf("linear road: %w", err)
	}
	ended := w.follow()
	interrupted := ended != nil && ctx.Err() != nil && errors.Is(ended, context.Cause(ctx))
	if ended != nil && !interrupted {
		return nil, fmt.Errorf("linear road: %w", ended)
	}
	s := r.summary(w)
	s.Interrupted = interrupted
	if err := errors.Join(ended, writeSummary(filepath.Join(cfg.Out, SummaryFile), s)); err != nil {
		return s, fmt.Errorf("linear road: %w", err)
	}
	return s, nil
}

// fileRun is a run over files.
type fileRun struct {
	cfg       FileConfig
	input     query.FileInput
	inputSize int64
	lead      time.Duration // logical time that loading the history takes: the logical time of second 0
	wallLead  time.Duration // the same as wall time
	meters    meters
	tally     tally
}

// loadPerRow is how much time a row of a history is given before the run begins: some times what it takes.
const loadPerRow = 3 * time.Microsecond

// prepare looks at the files and finds out how long before the run's first second the history has to be loaded.
func (r *fileRun) prepare() error {
	info, err := os.Stat(r.cfg.Input)
	if err != nil {
		return fmt.Errorf("input: %w", err)
	}
	if info.IsDir() {
		return fmt.Errorf("input: %s is a directory, want a file", r.cfg.Input)
	}
	r.inputSize = info.Size()
	if err := os.MkdirAll(r.cfg.Out, 0o755); err != nil {
		return fmt.Errorf("directory for the answers: %w", err)
	}
	if r.cfg.History != "" {
		rows, err := countLines(r.cfg.History)
		if err != nil {
			return fmt.Errorf("history: %w", err)
		}
		pace := r.cfg.Engine.Pace
		loading := time.Duration(float64(rows) * float64(loadPerRow) * pace)
		r.lead = max(loading, query.HistorySpan(rows)).Truncate(time.Second) + time.Second
		if pace > 0 {
			r.wallLead = time.Duration(float64(r.lead) / pace)
		}
	}
	r.input.Path, r.input.SkipBad, r.input.Origin = r.cfg.Input, r.cfg.SkipBad, r.lead
	r.meters = meters{pace: r.cfg.Engine.Pace}
	return nil
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

// start builds the graph and starts the job.
func (r *fileRun) start(ctx context.Context) (*watch, error) {
	g := engine.NewGraph("linearroad")
	cfg := query.Config{Rules: r.cfg.Rules, Origin: r.lead}
	tuples := r.input.Source(g)
	if r.cfg.History != "" {
		rows := query.HistoryFile(g, r.cfg.History)
		cfg.Loaded = &rows
	}
	s := query.Build(g, tuples, cfg)
	store(r, g, TollsID, s.Tolls, format.Position,
		func(n *query.Notice) bool { return n.Excess != 0 }, (*query.Notice).Answer)
	store(r, g, AlertsID, s.Alerts, format.Accident,
		func(*query.Notice) bool { return false }, (*query.Notice).AlertAnswer)
	store(r, g, BalancesID, s.Balances, format.Balance,
		func(a *query.BalanceAnswer) bool { return a.Balance > 0 }, (*query.BalanceAnswer).Answer)
	store(r, g, ExpendituresID, s.Expenditures, format.Expenditure,
		func(e *query.ExpenditureAnswer) bool { return e.Toll > 0 }, (*query.ExpenditureAnswer).Answer)
	r.tally.attach(g, s)

	job, err := engine.Start(ctx, g, r.cfg.Engine)
	if err != nil {
		return nil, err
	}
	return &watch{job: job, look: r.look}, nil
}

// store adds a sink that writes answers to the file of their type.
func store[T any](r *fileRun, g *engine.Graph, id string, in engine.Stream[T], kind format.Type, above func(*T) bool, answer func(*T) format.Answer) {
	m := r.meters.add(kind)
	path := filepath.Join(r.cfg.Out, format.AnswerFile(kind))
	engine.FileSink(g, id, in, path, func(dst []byte, c *engine.Ctx, v *T) []byte {
		m.count(c, above(v))
		a := answer(v)
		a.Emit = (c.Elapsed() - r.wallLead).Milliseconds()
		return append(format.AppendAnswer(dst, &a), '\n')
	})
}

// look reports progress.
func (r *fileRun) look(s engine.Stats, w *watch) {
	if r.cfg.Progress == nil {
		return
	}
	done := 1.0
	if r.inputSize > 0 {
		done = float64(r.input.BytesRead()) / float64(r.inputSize)
	}
	r.cfg.Progress(Progress{
		Fraction: min(done, 1), Reports: w.last.reports, ReportsPerS: w.rate, Run: 1, Runs: 1, Moved: moved(s), Slabs: s.Slabs,
	})
}

func (r *fileRun) summary(w *watch) *Summary {
	s := &Summary{
		Schema: "spate.lr.run/1", Input: r.cfg.Input, History: r.cfg.History, Rules: r.cfg.Rules.String(),
		Pace: r.cfg.Engine.Pace, Loops: loops(r.cfg.Engine),
	}
	w.finish(&s.Performance)
	s.count(&r.meters, &r.tally)
	s.respond(r.meters.histograms())
	var first *format.FieldError
	if s.Skipped, first = r.input.Skipped(); first != nil {
		s.FirstSkipped = first.Error()
	}
	return s
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
