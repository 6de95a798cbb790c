package sim

import (
	"encoding/binary"
	"fmt"

	"github.com/fullspate/spate/engine/graph"
	"github.com/fullspate/spate/engine/task"
	"github.com/fullspate/spate/wire"
)

// recorder stands in for a graph's sinks. It keeps what they are given as a file would: across the loss of a task, until
// Restore cuts off what was written after the mark.
type recorder struct {
	ids   []string
	parts map[string]map[int]*part
}

type part struct {
	results []Result
	room    []byte // that payloads are copied into
}

// record replaces the sinks of a graph.
func record(g *graph.Graph, real bool) *recorder {
	rec := &recorder{parts: map[string]map[int]*part{}}
	for _, op := range g.Operators {
		if op.Kind != task.Sink {
			continue
		}
		rec.ids = append(rec.ids, op.ID)
		rec.parts[op.ID] = map[int]*part{}
		op.Writing = &task.SinkSpec{Open: rec.opener(op, op.Writing.Open, real)}
	}
	return rec
}

type openSink = func(task.SinkPart) (task.SinkWriter, task.Handler, error)

func (rec *recorder) opener(op *graph.Operator, open openSink, real bool) openSink {
	id, size := op.ID, op.Ports[0].PayloadSize
	return func(sp task.SinkPart) (task.SinkWriter, task.Handler, error) {
		p := rec.parts[id][sp.Index]
		if p == nil {
			p = &part{}
			rec.parts[id][sp.Index] = p
		}
		w := &recordWriter{part: p}
		h := task.Handler{}
		if size > 0 {
			h.Fixed = func(c *task.Ctx, v task.Ptr) { p.add(c, payloadAt(v, size)) }
		} else {
			h.Bytes = func(c *task.Ctx, v []byte) { p.add(c, v) }
		}
		if !real {
			return w, h, nil
		}
		var own task.Handler
		var err error
		if w.own, own, err = open(sp); err != nil {
			return nil, h, err
		}
		if size > 0 {
			h.Fixed = func(c *task.Ctx, v task.Ptr) { p.add(c, payloadAt(v, size)); own.Fixed(c, v) }
		} else {
			h.Bytes = func(c *task.Ctx, v []byte) { p.add(c, v); own.Bytes(c, v) }
		}
		return w, h, nil
	}
}

func (p *part) add(c *task.Ctx, payload []byte) {
	start := len(p.room)
	p.room = append(p.room, payload...)
	p.results = append(p.results, Result{c.Time(), c.Hash(), p.room[start:len(p.room):len(p.room)]})
}

// results are those of all tasks of each sink, in order.
func (rec *recorder) results() Results {
	all := Results{}
	for _, id := range rec.ids {
		var list []Result
		for i := range len(rec.parts[id]) {
			list = append(list, rec.parts[id][i].results...)
		}
		order(list)
		all[id] = list
	}
	return all
}

// recordWriter is one task's writer; own is the graph's, if that is written to as well.
type recordWriter struct {
	part *part
	own  task.SinkWriter
}

func (w *recordWriter) Commit(position wire.Time) ([]byte, error) {
	if n := len(w.part.results); n > 0 && w.part.results[n-1].Time >= position {
		return nil, fmt.Errorf("a result at %v was written before the commit at %v", w.part.results[n-1].Time, position)
	}
	mark := binary.LittleEndian.AppendUint64(nil, uint64(len(w.part.results)))
	if w.own == nil {
		return mark, nil
	}
	own, err := w.own.Commit(position)
	return append(mark, own...), err
}

func (w *recordWriter) Restore(mark []byte) error {
	if len(mark) < 8 {
		return fmt.Errorf("restored with a mark of %d bytes", len(mark))
	}
	n := binary.LittleEndian.Uint64(mark)
	if n > uint64(len(w.part.results)) {
		return fmt.Errorf("%d results were committed, but there are %d", n, len(w.part.results))
	}
	w.part.results = w.part.results[:n]
	if w.own == nil {
		return nil
	}
	return w.own.Restore(mark[8:])
}

func (w *recordWriter) Flush() error {
	if w.own == nil {
		return nil
	}
	return w.own.Flush()
}

func (w *recordWriter) Close() error {
	if w.own == nil {
		return nil
	}
	return w.own.Close()
}
