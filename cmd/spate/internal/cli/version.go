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
		_, err := fmt.Fprintf(w, "spate %s\ncommit   %s\ngo       %s\nmachine  %s\n", o.Version, o.Commit, o.Go, o.Machine)
		return err
	})
}
