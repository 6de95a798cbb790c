package traffic

import (
	"fmt"
	"io"
	"iter"
	"slices"

	"github.com/fullspate/spate/bench/linearroad/format"
)

// writeBytes is handed to the output at a time.
const writeBytes = 1 << 20

// WriteCSV writes the lines of all expressways, sorted by time. Within a second expressway follows expressway, each with its reports and
// then the requests that they bring, so that the tuples of an expressway and second are one run. It calls progress, unless nil, after
// each second with the number of the next, and returns how many lines it wrote. The error is the output's, wrapped.
func (t *Traffic) WriteCSV(out io.Writer, progress func(second int)) (lines int64, err error) {
	ways := make([]*Xway, t.cfg.Xways)
	for x := range ways {
		ways[x] = t.Xway(x)
	}
	tuples := make([]format.Tuple, 0, MaxPerSecond)
	buf := make([]byte, 0, writeBytes+writeBytes/4)
	for second := t.cfg.From; second < t.cfg.To; second++ {
		for _, w := range ways {
			tuples = w.Second(tuples[:0])
			for i := range tuples {
				buf = append(format.AppendTuple(buf, &tuples[i]), '\n')
				if len(buf) >= writeBytes {
					if _, err := out.Write(buf); err != nil {
						return lines, fmt.Errorf("write traffic: %w", err)
					}
					buf = buf[:0]
				}
			}
			lines += int64(len(tuples))
		}
		if progress != nil {
			progress(second + 1)
		}
	}
	if _, err := out.Write(buf); err != nil {
		return lines, fmt.Errorf("write traffic: %w", err)
	}
	return lines, nil
}

// VIDs yields the vids for which the traffic of expressway x may ask, each once and over all expressways no two alike: all that are at
// home there. After the last of an odd number of expressways it also yields the guests from beside it, who have no other home here.
func (t *Traffic) VIDs(x int) iter.Seq[uint32] {
	return func(yield func(uint32) bool) {
		cars := uint32(arrived(Seconds))
		home := uint32(x)<<VIDShift + vidFirst
		for c := range cars {
			if !yield(home + c) {
				return
			}
		}
		for _, vid := range t.scriptedVIDs(x) {
			if !yield(vid) {
				return
			}
		}
		if x^1 < t.cfg.Xways || t.cfg.Replicate {
			return
		}
		key := tripKey(t.cfg.Seed, x^1)
		for c := range cars {
			if _, again := t.plan.journey(key, int(c)); again.beside && !yield(uint32(x^1)<<VIDShift+vidFirst+c) {
				return
			}
		}
	}
}

// scriptedVIDs returns the vids of an expressway's script, each once.
func (t *Traffic) scriptedVIDs(x int) []uint32 {
	source, shift := x, uint32(0)
	if t.cfg.Replicate {
		source, shift = 0, uint32(x)<<VIDShift
	}
	var vids []uint32
	for _, s := range t.live(source).script {
		vids = append(vids, s.VID+shift)
	}
	slices.Sort(vids)
	return slices.Compact(vids)
}
