package look

import (
	"fmt"
	"io"
	"strings"
)

// Table is rows of text with a head. Columns whose head begins with a space hold numbers, which stand to the right.
type Table struct {
	Head []string
	Rows [][]string
}

func (t *Table) add(cells ...string) { t.Rows = append(t.Rows, cells) }

// Lines are the head and the rows, aligned.
func (t *Table) Lines() []string {
	all := append([][]string{t.Head}, t.Rows...)
	widths := make([]int, len(t.Head))
	for _, row := range all {
		for i, cell := range row {
			widths[i] = max(widths[i], len([]rune(strings.TrimSpace(cell))))
		}
	}
	lines := make([]string, len(all))
	for n, row := range all {
		cells := make([]string, len(row))
		for i, cell := range row {
			width := -widths[i]
			if strings.HasPrefix(t.Head[i], " ") {
				width = widths[i]
			}
			cells[i] = fmt.Sprintf("%*s", width, strings.TrimSpace(cell))
		}
		lines[n] = strings.TrimRight(strings.Join(cells, "  "), " ")
	}
	return lines
}

// Write prints the table with an empty line before it; nothing if it has no rows.
func (t *Table) Write(w io.Writer) error {
	if len(t.Rows) == 0 {
		return nil
	}
	_, err := fmt.Fprintf(w, "\n%s\n", strings.Join(t.Lines(), "\n"))
	return err
}
