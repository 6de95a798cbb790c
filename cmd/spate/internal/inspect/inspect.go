package inspect

import (
	"cmp"
	"context"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/fullspate/spate/ft"
	"github.com/fullspate/spate/partition"
	"github.com/fullspate/spate/state"
	"github.com/fullspate/spate/wire"
)

// Config says what to look at.
type Config struct {
	Dir  string // of checkpoints, or a savepoint
	Task string // OPERATOR or OPERATOR/INDEX; empty for all
	Key  string // whose values are wanted, empty for none: a number, text, or bytes in hexadecimal after 0x
	Now  time.Time
}

// Result is what there is.
type Result struct {
	Dir      string    `json:"dir"`
	Kind     string    `json:"kind"` // checkpoints or savepoint
	Graph    string    `json:"graph,omitempty"`
	Created  time.Time `json:"created"`
	Position string    `json:"position,omitempty"` // of a savepoint
	Tasks    []Task    `json:"tasks"`
}

// Task is the newest checkpoint of a task.
type Task struct {
	Operator   string   `json:"operator"`
	Index      int      `json:"task"`
	First      ft.Hex   `json:"first"` // hash of its range
	Last       ft.Hex   `json:"last"`
	Position   string   `json:"position"`
	Generation uint64   `json:"generation,omitempty"`  // of a checkpoint
	Age        *float64 `json:"age_seconds,omitempty"` // since it was written, if that is known
	Splits     int      `json:"splits,omitempty"`
	MarkBytes  int64    `json:"mark_bytes,omitempty"`
	LogBytes   int64    `json:"log_bytes,omitempty"` // untrimmed output
	Tables     []Table  `json:"tables"`
}

// Table is a table of a task.
type Table struct {
	Name     string  `json:"name"`
	Records  int64   `json:"records"`
	Bytes    int64   `json:"bytes"`     // of its image
	RawBytes int64   `json:"raw_bytes"` // decompressed
	Heaviest []Part  `json:"heaviest,omitempty"`
	Values   []Value `json:"values,omitempty"` // of the key that was asked for
}

// Part is one of 64 equal parts of all hashes.
type Part struct {
	First   ft.Hex `json:"first"`
	Last    ft.Hex `json:"last"`
	Records int64  `json:"records"`
	Bytes   int64  `json:"bytes"` // decompressed
}

// Value is a record: Sub is its sub-key in a table that has those.
type Value struct {
	Sub   json.RawMessage `json:"sub,omitempty"`
	Value json.RawMessage `json:"value"`
}

const (
	partBits  = 6 // of a hash, which say what part it is in
	partsTold = 8 // the heaviest
)

// source is a directory that can be looked into.
type source struct {
	result Result
	job    ft.JobInfo
	ids    []ft.TaskID
	read   func(ctx context.Context, id ft.TaskID, t *Task) (*ft.Checkpoint, error)
}

// tries is how often a directory is looked into whose checkpoints are replaced meanwhile.
const tries = 10

// Look looks into a directory. The error says what is no directory of checkpoints, damaged, or not there.
func Look(ctx context.Context, cfg Config) (*Result, error) {
	for n := 1; ; n++ {
		r, err := look(ctx, cfg)
		if err == nil || n == tries || !errors.Is(err, errReplaced) {
			return r, err
		}
	}
}

// errReplaced is why a checkpoint is not there any more: the run has a newer one.
var errReplaced = errors.New("it was replaced while it was looked at")

func look(ctx context.Context, cfg Config) (*Result, error) {
	s, err := open(ctx, cfg)
	if err != nil {
		return nil, err
	}
	index := make(map[string]int)
	for _, id := range s.ids {
		i := index[id.Operator]
		index[id.Operator]++
		if cfg.Task != "" && cfg.Task != id.Operator && cfg.Task != fmt.Sprintf("%s/%d", id.Operator, i) {
			continue
		}
		t := Task{Operator: id.Operator, Index: i, First: ft.Hex(id.Range.First), Last: ft.Hex(id.Range.Last), Tables: []Table{}}
		c, err := s.read(ctx, id, &t)
		if err == nil {
			err = t.fill(c, &s.job, cfg.Key)
		}
		if err != nil {
			return nil, fmt.Errorf("%v: %w", id, err)
		}
		s.result.Tasks = append(s.result.Tasks, t)
	}
	if cfg.Task != "" && len(s.result.Tasks) == 0 {
		return nil, fmt.Errorf("%s has no task %q (there are %s)", cfg.Dir, cfg.Task, tasksOf(s.ids))
	}
	return &s.result, nil
}

// tasksOf lists operators with their number of tasks.
func tasksOf(ids []ft.TaskID) string {
	var list []string
	for i := 0; i < len(ids); {
		n := 1
		for i+n < len(ids) && ids[i+n].Operator == ids[i].Operator {
			n++
		}
		list = append(list, fmt.Sprintf("%s/0…%d", ids[i].Operator, n-1))
		i += n
	}
	return strings.Join(list, ", ")
}

// open finds out what a directory is of.
func open(ctx context.Context, cfg Config) (*source, error) {
	point, err := ft.OpenSavepoint(nil, cfg.Dir)
	if err == nil {
		return openSavepoint(point, cfg), nil
	}
	if !errors.Is(err, fs.ErrNotExist) {
		return nil, err
	}
	view, err := ft.ViewDir(ft.DirConfig{Path: cfg.Dir})
	if errors.Is(err, fs.ErrNotExist) {
		return nil, fmt.Errorf("%s is neither a directory of checkpoints, with a job.json, nor a savepoint, with a savepoint.json: %w", cfg.Dir, err)
	}
	if err != nil {
		return nil, err
	}
	return openView(ctx, view, cfg)
}

func openSavepoint(point *ft.Savepoint, cfg Config) *source {
	info := point.Info()
	s := &source{job: info.Job, result: Result{Dir: cfg.Dir, Kind: "savepoint", Graph: info.Job.Graph, Created: info.Created, Position: info.At}}
	for _, t := range info.Tasks {
		s.ids = append(s.ids, t.ID())
	}
	age := cfg.Now.Sub(info.Created).Seconds()
	s.read = func(_ context.Context, id ft.TaskID, t *Task) (*ft.Checkpoint, error) {
		t.Age = &age
		return point.ReadTask(id)
	}
	return s
}

func openView(ctx context.Context, view *ft.View, cfg Config) (s *source, err error) {
	job := view.Job()
	s = &source{job: job, result: Result{Dir: cfg.Dir, Kind: "checkpoints", Graph: job.Graph, Created: view.Created()}}
	if s.ids, err = view.Tasks(ctx); err != nil {
		return nil, err
	}
	s.read = func(ctx context.Context, id ft.TaskID, t *Task) (*ft.Checkpoint, error) {
		infos, err := view.Generations(ctx, id)
		if err != nil || len(infos) == 0 {
			return nil, errors.Join(err, errReplaced)
		}
		t.Generation = infos[0].Generation
		if at := view.Written(id, t.Generation); !at.IsZero() {
			age := cfg.Now.Sub(at).Seconds()
			t.Age = &age
		}
		c, err := view.Get(ctx, id, t.Generation)
		if errors.Is(err, fs.ErrNotExist) || errors.Is(err, ft.ErrNotFound) {
			return nil, fmt.Errorf("%w: %w", errReplaced, err)
		}
		return c, err
	}
	return s, nil
}

// fill says what there is in a checkpoint.
func (t *Task) fill(c *ft.Checkpoint, job *ft.JobInfo, key string) error {
	t.Position, t.Splits, t.MarkBytes = c.Position.String(), len(c.Splits), int64(len(c.Mark))
	for _, l := range c.Logs {
		t.LogBytes += int64(len(l.Frames))
	}
	operator, _ := job.Operator(c.Operator)
	for i, image := range c.Tables {
		schema := ft.SchemaInfo{Name: fmt.Sprintf("table %d", i)}
		if i < len(operator.Tables) {
			schema = operator.Tables[i]
		}
		table, err := lookAt(image, c.Range, &schema, key)
		if err != nil {
			return fmt.Errorf("table %q: %w", schema.Name, err)
		}
		t.Tables = append(t.Tables, table)
	}
	return nil
}

func lookAt(image []byte, r partition.Range, schema *ft.SchemaInfo, key string) (Table, error) {
	info, err := state.Inspect(image)
	if err != nil {
		return Table{}, err
	}
	t := Table{Name: schema.Name, Records: info.Records, Bytes: int64(len(image)), RawBytes: info.RawBytes}
	if t.Heaviest, err = weigh(image, r); err != nil || key == "" {
		return t, err
	}
	t.Values, err = valuesOf(image, &info.Schema, schema, key)
	return t, err
}

// weigh finds the parts of the hashes that have most, heaviest first.
func weigh(image []byte, r partition.Range) ([]Part, error) {
	const shift = 64 - partBits
	var all [1 << partBits]Part
	for rec, err := range state.Records(image, r) {
		if err != nil {
			return nil, err
		}
		p := &all[rec.Key.H1>>shift]
		p.Records++
		p.Bytes += int64(rec.Bytes)
	}
	for i := range all {
		all[i].First = ft.Hex(uint64(i) << shift)
		all[i].Last = all[i].First | (1<<shift - 1)
	}
	list := slices.DeleteFunc(all[:], func(p Part) bool { return p.Records == 0 })
	slices.SortStableFunc(list, func(a, b Part) int { return cmp.Compare(b.Bytes, a.Bytes) })
	return slices.Clone(list[:min(len(list), partsTold)]), nil
}

// valuesOf returns what a key has in a table.
func valuesOf(image []byte, kinds *state.Schema, schema *ft.SchemaInfo, key string) (list []Value, err error) {
	want, hash, ok := parseKey(key, kinds.Key)
	if !ok {
		return nil, nil // there is no such key in a table of numbers
	}
	for rec, err := range state.Records(image, partition.Range{First: hash, Last: hash}) {
		if err != nil {
			return nil, err
		}
		if kinds.Key == state.Bytes && string(rec.Key.Key) != want {
			continue
		}
		v := Value{}
		switch kinds.Sub {
		case state.Uint64:
			v.Sub = json.RawMessage(strconv.FormatUint(partition.UnhashUint64(rec.Key.H2), 10))
		case state.Bytes:
			v.Sub = wire.AppendText(nil, rec.Key.Sub)
		}
		if v.Value, err = valueOf(rec.Value, kinds, schema); err != nil {
			return nil, err
		}
		list = append(list, v)
	}
	return list, nil
}

// valueOf is a value as JSON: by its fields if they are known, and else its bytes.
func valueOf(value []byte, kinds *state.Schema, schema *ft.SchemaInfo) (json.RawMessage, error) {
	if kinds.ValueSize == 0 || schema.Fields == "" {
		return wire.AppendText(nil, value), nil
	}
	return wire.AppendJSON(nil, schema.Fields, value)
}

// parseKey returns a key's bytes and its hash.
func parseKey(key string, kind state.KeyKind) (want string, hash uint64, ok bool) {
	if kind == state.Uint64 {
		n, err := strconv.ParseUint(key, 0, 64)
		return "", partition.HashUint64(n), err == nil
	}
	want = key
	if digits, is := strings.CutPrefix(key, "0x"); is {
		if b, err := hex.DecodeString(digits); err == nil {
			want = string(b)
		}
	}
	return want, partition.HashString(want), true
}
