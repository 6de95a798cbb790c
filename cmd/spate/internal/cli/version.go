package cli

import (
	"fmt"
	"io"

	"github.com/fullspate/spate/cmd/spate/internal/report"
)

type versionCommand struct{}

// Run prints where this program comes from.
func (versionCommand) Run(out *output) error {
	o := report.OriginOf("spate.version/1")
	return out.result(o, func(w io.Writer) error {
		fmt.Fprintln(w, "spate")
		o.Text(w)
		return nil
	})
}
