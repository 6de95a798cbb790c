package task

import (
	"bytes"

	"github.com/fullspate/spate/wire"
)

// finishSink lets a sink hand on what it has buffered when it has nothing else to do, and makes its last commit.
func (t *Task) finishSink(p Progress) error {
	switch {
	case t.pos == wire.TimeMax && !t.closed:
		t.closed = true
		mark, err := t.writer.Commit(t.pos)
		if err != nil {
			return err
		}
		t.mark = bytes.Clone(mark)
		return t.writer.Close()
	case p.Worked:
		t.idle = false
	case !t.idle:
		t.idle = true
		return t.writer.Flush()
	}
	return nil
}
