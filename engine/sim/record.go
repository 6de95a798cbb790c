package sim

import (
	"encoding/binary"
	"fmt"
	"slices"

	"github.com/fullspate/spate/engine/graph"
	"github.com/fullspate/spate/engine/task"
	"github.com/fullspate/spate/wire"
)

// recorder stands in for a graph's sinks. It keeps what they are given as a file would: across the loss of a task, until
// Restore cuts off what was written after the mark. As with files, a writer that takes over from one that is not dead goes on in
// a copy of its own, and one that begins without a mark begins anew. One that was made by an order older than that of whom it
// would take over from is in nobody's way.
type recorder struct {
	epoch uint64 // of the order by which tasks are being made
	ids   []string
	parts map[string]map[int]*part
}

// part is what one task of a sink has to do.
type part struct {
	writer *recordWriter // that took over last; nil for none
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
		w := &recordWriter{part: p, epoch: rec.epoch}
		h := task.Handler{}
		if size > 0 {
			h.Fixed = func(c *task.Ctx, v task.Ptr) { w.add(c, payloadAt(v, size)) }
		} else {
			h.Bytes = func(c *task.Ctx, v []byte) { w.add(c, v) }
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
			h.Fixed = func(c *task.Ctx, v task.Ptr) { w.add(c, payloadAt(v, size)); own.Fixed(c, v) }
		} else {
			h.Bytes = func(c *task.Ctx, v []byte) { w.add(c, v); own.Bytes(c, v) }
		}
		return w, h, nil
	}
}

// results are those of all tasks of each sink, in order.
func (rec *recorder) results() Results {
	all := Results{}
	for _, id := range rec.ids {
		var list []Result
		for i := range len(rec.parts[id]) {
			list = append(list, rec.parts[id][i].committed()...)
		}
		order(list)
		all[id] = list
	}
	return all
}

// committed are the results by whoever took over last.
func (p *part) committed() []Result {
	if p == nil || p.writer == nil {
		return nil
	}
	return p.writer.results
}

// recordWriter is one task's writer; own is the graph's, if that is written to as well.
type recordWriter struct {
	part    *part
	epoch   uint64
	begun   bool
	results []Result
	room    []byte // that payloads are copied into
	own     task.SinkWriter
}

// begin takes over without what was written before, unless Restore has come first.
func (w *recordWriter) begin() {
	if !w.begun {
		w.takeOver()
	}
}

func (w *recordWriter) takeOver() {
	w.begun = true
	if p := w.part; p.writer == nil || p.writer.epoch <= w.epoch {
		p.writer = w
	}
}

func (w *recordWriter) add(c *task.Ctx, payload []byte) {
	w.begin()
	start := len(w.room)
	w.room = append(w.room, payload...)
	w.results = append(w.results, Result{c.Time(), c.Hash(), w.room[start:len(w.room):len(w.room)]})
}

func (w *recordWriter) Commit(position wire.Time) ([]byte, error) {
	w.begin()
	if n := len(w.results); n > 0 && w.results[n-1].Time >= position {
		return nil, fmt.Errorf("a result at %v was written before the commit at %v", w.results[n-1].Time, position)
	}
	mark := binary.LittleEndian.AppendUint64(nil, uint64(len(w.results)))
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
	n, before := binary.LittleEndian.Uint64(mark), w.part.committed()
	if n > uint64(len(before)) {
		return fmt.Errorf("%d results were committed, but there are %d", n, len(before))
	}
	w.results = slices.Clone(before[:n])
	w.takeOver()
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
