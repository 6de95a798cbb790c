package cli

import (
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"text/tabwriter"
	"time"

	"github.com/fullspate/spate/bench/linearroad"
	"github.com/fullspate/spate/cmd/spate/internal/report"
	"github.com/fullspate/spate/engine"
	"github.com/fullspate/spate/ft"
)

// savepointFlags say whether a savepoint is taken of a run in this process, and whether it starts from one.
type savepointFlags struct {
	Savepoint     string `placeholder:"DIR" group:"Checkpoints" help:"Write a savepoint into a folder that is not there yet; the run goes on."`
	SavepointAt   *int   `placeholder:"SECOND" group:"Checkpoints" help:"Second of the input at which it is taken, or as soon after as it can be."`
	FromSavepoint string `placeholder:"DIR" group:"Checkpoints" help:"Start from a savepoint of a run over the same files, with any --loops and --parallelism; what the answers' files hold beyond it is cut off."`

	taken *engine.SavepointInfo // once there is one
}

// check is called with where the query runs.
func (f *savepointFlags) check(where *whereFlags) error {
	var faults []error
	if (f.Savepoint == "") != (f.SavepointAt == nil) {
		faults = append(faults, errors.New("--savepoint and --savepoint-at belong together: want both or none"))
	}
	if f.SavepointAt != nil {
		faults = append(faults, atLeast("--savepoint-at", *f.SavepointAt, 0))
	}
	if (f.Savepoint != "" || f.FromSavepoint != "") && (where.Workers > 0 || where.Join != "") {
		faults = append(faults, errors.New("savepoints are of runs in this process: want neither --workers nor --join with --savepoint and --from-savepoint"))
	}
	return errors.Join(faults...)
}

// configure has the run take a savepoint, and start from one.
func (f *savepointFlags) configure(c *linearroad.FileConfig) {
	c.Engine.Savepoint = f.FromSavepoint
	if f.Savepoint == "" {
		return
	}
	c.Save = linearroad.Save{Dir: f.Savepoint, Second: *f.SavepointAt, Taken: func(i engine.SavepointInfo) { f.taken = &i }}
}

// write prints what was taken.
func (f *savepointFlags) write(w io.Writer) {
	if f.taken != nil {
		fmt.Fprintf(w, "savepoint    %s, %s, %s\n", f.Savepoint, report.Plural(len(f.taken.Tasks), "task"), report.Bytes(f.taken.Bytes))
	}
}

type savepointCommand struct {
	List    savepointListCommand    `cmd:"" help:"Say what savepoints there are."`
	Inspect savepointInspectCommand `cmd:"" help:"Say what is in a savepoint."`
}

type savepointListCommand struct {
	Dirs []string `arg:"" name:"dir" help:"Savepoints, and folders with savepoints in them."`
}

// Help shows examples.
func (savepointListCommand) Help() string {
	return `Lists savepoints: when they were made, of what graph, at what time of the input, and how large they are.

	spate savepoint list savepoints
	spate savepoint list savepoints/monday savepoints/tuesday --json`
}

// savepointRow is a savepoint in a list.
type savepointRow struct {
	Dir         string    `json:"dir"`
	Created     time.Time `json:"created"`
	Graph       string    `json:"graph"`
	Fingerprint ft.Hex    `json:"fingerprint"`
	Position    string    `json:"position"`
	Tasks       int       `json:"tasks"`
	Bytes       int64     `json:"bytes"`
}

// Run prints the list.
func (c *savepointListCommand) Run(out *output) error {
	rows := []savepointRow{}
	var faults []error
	for _, dir := range c.Dirs {
		found, err := savepointsIn(dir)
		if err == nil && len(found) == 0 {
			err = fmt.Errorf("%s is no savepoint, and has none in it", dir)
		}
		rows, faults = append(rows, found...), append(faults, err)
	}
	printed := out.result(map[string]any{"schema": "spate.savepoints/1", "savepoints": rows}, func(w io.Writer) error {
		tw := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
		for _, r := range rows {
			fmt.Fprintf(tw, "%s\t%s\t%s\tat %s\t%s\t%s\n", r.Dir, r.Created.UTC().Format(time.RFC3339), r.Graph, r.Position,
				report.Plural(r.Tasks, "task"), report.Bytes(r.Bytes))
		}
		return tw.Flush()
	})
	return errors.Join(append(faults, printed)...)
}

// savepointsIn returns the savepoint that a folder is, or those in it.
func savepointsIn(dir string) (rows []savepointRow, err error) {
	if s, err := ft.OpenSavepoint(nil, dir); err == nil {
		return []savepointRow{rowOf(s)}, nil
	} else if !errors.Is(err, os.ErrNotExist) {
		return nil, err
	}
	names, err := ft.System.ReadDir(dir)
	if err != nil {
		return nil, err
	}
	var faults []error
	for _, n := range names {
		s, err := ft.OpenSavepoint(nil, filepath.Join(dir, n))
		switch {
		case err == nil:
			rows = append(rows, rowOf(s))
		case filepath.Ext(n) != ".new" && isSavepoint(filepath.Join(dir, n)): // but it is damaged
			faults = append(faults, err)
		}
	}
	return rows, errors.Join(faults...)
}

// isSavepoint says whether a folder says that it is one.
func isSavepoint(dir string) bool {
	_, err := os.Stat(filepath.Join(dir, "savepoint.json"))
	return err == nil
}

func rowOf(s *ft.Savepoint) savepointRow {
	i := s.Info()
	return savepointRow{s.Path(), i.Created, i.Job.Graph, i.Job.Fingerprint, i.At, len(i.Tasks), i.Bytes}
}

type savepointInspectCommand struct {
	Dir string `arg:"" help:"The savepoint."`
}

// Help shows examples.
func (savepointInspectCommand) Help() string {
	return `Says what a savepoint says about itself: its graph, operators, tables with the fields of their values, and tasks. Every file is
read through and compared with that. What is in the tables is for spate state inspect to say.

	spate savepoint inspect savepoints/monday`
}

// Run prints it.
func (c *savepointInspectCommand) Run(out *output) error {
	s, err := ft.OpenSavepoint(nil, c.Dir)
	if err != nil {
		return err
	}
	info := s.Info()
	for _, o := range info.Job.Operators {
		if _, err := s.Read(o.ID); err != nil {
			return err
		}
	}
	return out.result(info, func(w io.Writer) error { return writeSavepoint(w, c.Dir, &info) })
}

func writeSavepoint(w io.Writer, dir string, i *ft.SavepointInfo) error {
	fmt.Fprintf(w, "%s: savepoint of graph %q (%v), made %s, at %s, %s\n", dir, i.Job.Graph, i.Job.Fingerprint,
		i.Created.UTC().Format(time.RFC3339), i.At, report.Bytes(i.Bytes))
	for _, o := range i.Job.Operators {
		n := i.Parallelism(o.ID)
		where := report.Plural(n, "task")
		if n == 0 {
			where = "fused"
		}
		fmt.Fprintf(w, "\n%s  %s, key %s, %s\n", o.ID, o.Kind, o.Key, where)
		for _, t := range o.Tables {
			fmt.Fprintf(w, "  table %q  key %s, sub-key %s, %s, schema %v\n", t.Name, t.Key, t.Sub, valuesOf(&t), t.Fingerprint)
		}
		for _, t := range i.Tasks {
			if t.Operator == o.ID {
				fmt.Fprintf(w, "  %v-%v  %s records, %s\n", t.First, t.Last, report.Count(t.Records), report.Bytes(t.Bytes))
			}
		}
	}
	return nil
}

// valuesOf describes the values of a table.
func valuesOf(t *ft.SchemaInfo) string {
	if t.ValueSize == 0 {
		return "values of variable size"
	}
	return fmt.Sprintf("values of %d bytes %s", t.ValueSize, t.Fields)
}
