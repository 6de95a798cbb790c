package validator

import (
	"cmp"
	"math"
	"math/big"
	"math/bits"
	"slices"
	"sort"

	"github.com/fullspate/spate/bench/linearroad/format"
)

// speedUnit is how many units of AVGV make one mph: divisible by 1…10.
const speedUnit = 2520

// minutesBack is how many minutes LAV looks back.
const minutesBack = 5

// segmentKey is a segment in a minute: xway (12 bits) | dir (1) | seg (7) | minute (8). Consecutive minutes of a
// segment are consecutive keys.
func segmentKey(xway uint16, dir, seg uint8, minute int) uint64 {
	return uint64(xway)<<16 | uint64(dir)<<15 | uint64(seg)<<8 | uint64(minute)
}

func segmentKeyOf(t *format.Tuple) uint64 {
	return segmentKey(t.Xway, t.Dir, t.Seg, minuteOf(t.Time))
}

// keyMinute returns the minute in a segmentKey.
func keyMinute(key uint64) int { return int(key & 0xff) }

// segmentMinute is the statistics of a segment in one minute.
type segmentMinute struct {
	key      uint64 // segmentKey
	speeds   uint64 // sum of AVGV over its vehicles, in units
	vehicles uint64 // NOV
}

// countMinutes computes the statistics of the window's minutes by sorting speeds by (segment, minute, vid).
func (c *checker) countMinutes() {
	w := &c.w
	items := c.items[:0]
	for i := range w.reports {
		t := &w.reports[i]
		items = append(items, item{segmentKeyOf(t)<<32 | uint64(t.VID), uint32(t.Speed)})
	}
	// On each road, reports are in order of vid already, and the sort keeps that.
	items, c.spare = sortItems(items, c.spare, 32)
	c.items = items
	rows := c.past.minutes
	old := len(rows)
	for i := 0; i < len(items); {
		end := groupEnd(items, i)
		sum, n := uint64(0), uint64(end-i)
		key := items[i].key >> 32
		for ; i < end; i++ {
			sum += uint64(items[i].at)
		}
		if last := len(rows) - 1; last < old || rows[last].key != key {
			rows = append(rows, segmentMinute{key: key})
		}
		row := &rows[len(rows)-1]
		row.speeds += speedUnit * sum / n
		row.vehicles++
	}
	if old > 0 {
		slices.SortFunc(rows, func(a, b segmentMinute) int { return cmp.Compare(a.key, b.key) })
	}
	c.past.minutes = rows
}

// keepMinutes drops the statistics that no later minute looks back to.
func (c *checker) keepMinutes() {
	if c.w.end == math.MaxInt {
		return
	}
	oldest := c.w.end/60 + 1 - minutesBack
	c.past.minutes = slices.DeleteFunc(c.past.minutes, func(r segmentMinute) bool { return keyMinute(r.key) < oldest })
}

// minutesBefore returns the statistics of the five minutes before the minute of a segmentKey, oldest first; minutes
// without reports are absent.
func (c *checker) minutesBefore(key uint64) []segmentMinute {
	rows := c.past.minutes
	oldest := key - uint64(min(minutesBack, keyMinute(key)))
	first := sort.Search(len(rows), func(i int) bool { return rows[i].key >= oldest })
	end := first
	for end < len(rows) && rows[end].key < key {
		end++
	}
	return rows[first:end]
}

// latestAverage returns the LAV that follows from the given minutes, as it is printed (−1 if there are none), and
// whether it is 40 mph or more before it is cut off.
//
// It is the mean of up to five fractions speeds/vehicles. Whole parts are summed by themselves. Of the sum of the rest
// only its whole part matters, because ⌊(a+f)/n⌋ = ⌊(a+⌊f⌋)/n⌋ and a+f ≥ b ⇔ a+⌊f⌋ ≥ b for whole numbers a, b, n.
func latestAverage(minutes []segmentMinute) (printed int16, free bool) {
	if len(minutes) == 0 {
		return -1, false
	}
	whole := uint64(0)
	for _, m := range minutes {
		whole += m.speeds / m.vehicles
	}
	whole += wholeOfRests(minutes)
	n := uint64(len(minutes)) * speedUnit
	return int16(whole / n), whole >= freeSpeed*n
}

// wholeOfRests returns the whole part of the sum of (speeds mod vehicles) / vehicles over up to five minutes. The
// common denominator fits into a word up to 5,000 vehicles a minute; beyond, big numbers take over.
func wholeOfRests(minutes []segmentMinute) uint64 {
	numerator, denominator := uint64(0), uint64(1)
	for _, m := range minutes {
		rest := m.speeds % m.vehicles
		hi, product := bits.Mul64(denominator, m.vehicles)
		// numerator < 5·denominator throughout, so this bound keeps all three products in a word.
		if hi != 0 || product > math.MaxUint64/(2*minutesBack) {
			return wholeOfRestsBig(minutes)
		}
		numerator = numerator*m.vehicles + rest*denominator
		denominator = product
	}
	return numerator / denominator
}

func wholeOfRestsBig(minutes []segmentMinute) uint64 {
	sum := new(big.Rat)
	for _, m := range minutes {
		rest := new(big.Int).SetUint64(m.speeds % m.vehicles)
		sum.Add(sum, new(big.Rat).SetFrac(rest, new(big.Int).SetUint64(m.vehicles)))
	}
	return new(big.Int).Quo(sum.Num(), sum.Denom()).Uint64()
}
