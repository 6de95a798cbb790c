package ft

import (
	"bytes"
	"fmt"
	"slices"

	"github.com/fullspate/spate/state"
)

// foldEncoded makes one complete checkpoint of a base and those that follow it, in order. It may share their memory.
func foldEncoded(encoded [][]byte) (*Checkpoint, error) {
	line, infos := make([]*Checkpoint, len(encoded)), make([]Info, len(encoded))
	for n, e := range encoded {
		var err error
		if line[n], infos[n], err = decode(e); err != nil {
			return nil, err
		}
	}
	folded := *line[len(line)-1] // of which everything but tables is complete
	folded.Kind, folded.Follows = state.Base, 0
	folded.Tables = make([][]byte, len(folded.Tables))
	for n := range folded.Tables {
		table, err := foldTable(tableLine(line, infos, n))
		if err != nil {
			return nil, fmt.Errorf("table %d of checkpoint %d of %v: %w", n, folded.Generation, folded.Task(), err)
		}
		folded.Tables[n] = table
	}
	return &folded, nil
}

// tableLine is what a table is folded from: its last base in the line, and the deltas after that.
func tableLine(line []*Checkpoint, infos []Info, n int) (images [][]byte) {
	for i, c := range slices.Backward(line) {
		images = append(images, c.Tables[n])
		if infos[i].Tables[n].Kind == state.Base {
			break
		}
	}
	slices.Reverse(images)
	return images
}

func foldTable(images [][]byte) ([]byte, error) {
	if len(images) == 1 {
		return images[0], nil
	}
	var b bytes.Buffer
	b.Grow(len(images[0]))
	if _, err := state.Fold(&b, state.S2, images[0], images[1:]...); err != nil {
		return nil, fmt.Errorf("folding %d deltas: %w", len(images)-1, err)
	}
	return b.Bytes(), nil
}
