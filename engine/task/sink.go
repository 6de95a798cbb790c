package task

import (
	"bytes"
	"sync"

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
		if sync := t.syncOf(); sync != nil {
			if err := sync(); err != nil {
				return err
			}
		}
		t.syncs.mu.Lock() // nobody is at it any more
		defer t.syncs.mu.Unlock()
		t.syncs.over = true
		return t.writer.Close()
	case p.Worked:
		t.idle = false
	case !t.idle:
		t.idle = true
		return t.writer.Flush()
	}
	return nil
}

// syncs keeps a writer's Sync, which is called on other goroutines, apart from others and from its Close.
type syncs struct {
	mu   sync.Mutex
	over bool // the writer has made its last commit durable, and is closed
}

// syncOf is the writer's Sync, which any goroutine may call; nil where its Commit does everything.
func (t *Task) syncOf() func() error {
	w, ok := t.writer.(Syncer)
	if !ok {
		return nil
	}
	return func() error {
		t.syncs.mu.Lock()
		defer t.syncs.mu.Unlock()
		if t.syncs.over {
			return nil
		}
		return w.Sync()
	}
}

// Leaver is a SinkWriter that wants to know when a task elsewhere goes on from its last mark.
type Leaver interface{ Leave() }

// Abdicate tells the sink's writer, if there is one, that another task goes on in this one's place.
func (t *Task) Abdicate() {
	if w, ok := t.writer.(Leaver); ok {
		w.Leave()
	}
}
