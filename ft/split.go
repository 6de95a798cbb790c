package ft

import (
	"fmt"

	"github.com/fullspate/spate/partition"
	"github.com/fullspate/spate/state"
)

// Split cuts a checkpoint, which must be a base, into those of the tasks that take over its range: ranges must tile it, in
// ascending order. The pieces share the checkpoint's memory where they can, have its position and its generation, so that
// the generations of a task ascend also where its range stays as it is.
//
// Tables are cut by key. Output that may still be asked for goes whole to the first piece; the logs of the others are empty,
// with the same trim point and frontier. No order is lost by that: all of that output is below the position, and all that
// any piece is yet to emit is not, so it is the first of everything by time; and among the channels that a consumer merges,
// the key range of the sender decides only between tuples of one time, which are therefore all from the logs or none of them.
//
// What splits have been read and what a sink has committed cannot be cut: with those there must be one range.
func (c *Checkpoint) Split(ranges []partition.Range) ([]*Checkpoint, error) {
	if c.Kind != state.Base {
		return nil, fmt.Errorf("splitting checkpoint %d of %v: it is a %v, must be folded to a base", c.Generation, c.Task(), c.Kind)
	}
	if err := partition.CheckTiling(c.Range, ranges); err != nil {
		return nil, fmt.Errorf("splitting checkpoint %d of %v: %w", c.Generation, c.Task(), err)
	}
	if n := len(ranges); n > 1 && (len(c.Splits) > 0 || len(c.Mark) > 0) {
		return nil, fmt.Errorf("splitting checkpoint %d of %v into %d: it has the state of %d splits and a mark of %d bytes, which cannot be cut",
			c.Generation, c.Task(), n, len(c.Splits), len(c.Mark))
	}
	pieces := make([]*Checkpoint, len(ranges))
	for i, r := range ranges {
		piece := *c
		piece.Range, piece.Tables = r, make([][]byte, len(c.Tables))
		if i > 0 {
			piece.Logs = withoutFrames(c.Logs)
		}
		pieces[i] = &piece
	}
	for t, image := range c.Tables {
		cut, err := state.SplitImage(image, ranges)
		if err != nil {
			return nil, fmt.Errorf("splitting checkpoint %d of %v: table %d: %w", c.Generation, c.Task(), t, err)
		}
		for i := range pieces {
			pieces[i].Tables[t] = cut[i]
		}
	}
	return pieces, nil
}

func withoutFrames(logs []LogImage) []LogImage {
	empty := make([]LogImage, len(logs))
	for i, l := range logs {
		empty[i] = LogImage{LogName: l.LogName, Trim: l.Trim, Frontier: l.Frontier}
	}
	return empty
}
