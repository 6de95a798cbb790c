package journal_test

import (
	"errors"
	"fmt"
	"os"

	"github.com/fullspate/spate/engine/coordinator/journal"
)

// What was appended and synced is read again.
func Example() {
	dir, err := os.MkdirTemp("", "journal")
	if err != nil {
		fmt.Println(err)
		return
	}
	defer os.RemoveAll(dir)
	j, _, _, err := journal.Open(dir)
	if err != nil {
		fmt.Println(err)
		return
	}
	fmt.Println(errors.Join(j.Append([]byte(`{"job":"j1"}`)), j.Sync(), j.Close()))
	j, records, cut, err := journal.Open(dir)
	if err != nil {
		fmt.Println(err)
		return
	}
	fmt.Printf("%s, %d bytes cut\n", records, cut)
	fmt.Println(j.Close())
	// Output:
	// <nil>
	// [{"job":"j1"}], 0 bytes cut
	// <nil>
}
