package traffic

import (
	"github.com/fullspate/spate/bench/linearroad/format"
)

// tape is the traffic of expressway 0, kept to be replayed as that of any other. It never changes.
type tape struct {
	tuples []format.Tuple
	from   int   // the first second
	starts []int // index in tuples where each second begins, and one more
}

// record generates all of an expressway.
func record(w *Xway) *tape {
	tp := &tape{from: w.Time()}
	for !w.Done() {
		tp.starts = append(tp.starts, len(tp.tuples))
		tp.tuples = w.Second(tp.tuples)
	}
	tp.starts = append(tp.starts, len(tp.tuples))
	return tp
}

// second appends second t as of expressway x: vehicles and requests are numbered as expressway x numbers its own.
func (tp *tape) second(dst []format.Tuple, t int, x uint32) []format.Tuple {
	i := t - tp.from
	n := len(dst)
	dst = append(dst, tp.tuples[tp.starts[i]:tp.starts[i+1]]...)
	for k := range dst[n:] {
		d := &dst[n+k]
		d.VID += x << VIDShift
		if d.Type == format.Position {
			d.Xway = uint16(x)
			continue
		}
		d.QID += x * qidsPerXway
		if d.Xway != format.NoXway {
			d.Xway ^= uint16(x) // expressway 0, or 1 for a row of the history that is beside home
		}
	}
	return dst
}
