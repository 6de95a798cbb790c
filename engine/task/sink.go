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
		if sync := syncOf(t.writer); sync != nil {
			if err := sync(); err != nil {
				return err
			}
		}
		return t.writer.Close()
	case p.Worked:
		t.idle = false
	case !t.idle:
		t.idle = true
		return t.writer.Flush()
	}
	return nil
}

// syncOf is the writer's Sync, nil where its Commit does everything.
func syncOf(w SinkWriter) func() error {
	if s, ok := w.(Syncer); ok {
		return s.Sync
	}
	return nil
}
