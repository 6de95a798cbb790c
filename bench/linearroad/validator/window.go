package validator

import (
	"math"
	"slices"
	"sort"

	"github.com/HdrHistogram/hdrhistogram-go"

	"github.com/fullspate/spate/bench/linearroad/format"
)

// moment orders everything that happens: second<<32 | index in the window's input. Windows share no second, so that
// moments of different windows compare as well.
type moment uint64

// forever is later than every moment.
const forever moment = math.MaxUint64

func momentOf(time uint16, at uint32) moment { return moment(time)<<32 | moment(at) }

// silentEnd is the moment at which a vehicle has gone that was last heard of at time: only after everything that is
// said in that second, since a report then would still have been in time.
func silentEnd(time uint16) moment { return moment(time+gapMax)<<32 | math.MaxUint32 }

func (m moment) minute() int { return minuteOf(uint16(m >> 32)) }

// minuteOf is M(t), from 1.
func minuteOf(time uint16) int { return int(time)/60 + 1 }

// gapMax is how many seconds may lie between two reports of one trip.
const gapMax = 60

// run is one run of input lines that share a second: of a file, or of one expressway of generated traffic.
type run struct {
	first, n uint32 // lines
	xway     int32  // of generated traffic; −1 in a file
	time     uint16
}

// window is a stretch of whole minutes, its input, and what follows from it by columns.
type window struct {
	end  int // first second behind it; math.MaxInt for the last of an input
	in   []format.Tuple
	runs []run // cover in
	given

	road []item // the reports sorted by (xway, dir, vid), then input
	// reports are beside road: copies, since going through the input in order of the road misses the cache each time.
	reports []format.Tuple
	groups  []group // vehicles in road
	trips   []step  // beside road
	quotes  []quote // distinct answers to "what does it cost to enter this segment in this minute"
	dues    []due   // distinct balances asked for
	// ref is beside in: for a report that enters a segment on lane ≠ 4 the index of its quote, for a balance request
	// that of its due, else −1.
	ref       []int32
	charges   []charge   // sorted by (vid, input)
	accidents []accident // sorted by (xway, dir), then detection
}

// given is the answers to a window's input.
type given struct {
	answers   []format.Answer
	lanes     []int32 // ends in answers of the stretches that are each in order of input
	misplaced []int32 // answers that are known to be out of order against those of other windows, ascending
	answered  []int32 // beside answers: the input tuple it answers, −1 if it is Extra or Doubled
}

// past is what a window leaves for later ones: summaries, never input.
type past struct {
	vehicles []vehicle       // on a trip that may go on; sorted by key
	stops    []stop          // that may still matter to accidents
	minutes  []segmentMinute // of the last five minutes; sorted by key
	accounts []account       // everything charged before; sorted by vid
	recent   []charge        // charged in the last 60 s; sorted by (vid, moment)
}

// checker validates window after window. It belongs to one goroutine.
type checker struct {
	opt       Options
	elsewhere func(vid uint32) bool // nil: never
	online    bool                  // lines are counted in an expressway's second
	report    *Report
	w         window
	past      past
	found     faults

	// Scratch, kept for the next window.
	items, spare []item
	want, got    [Types][]item
	vehicles     []vehicle
	accounts     []account
	order        []placed
}

func newChecker(opt Options) *checker {
	if opt.FaultsMax == 0 {
		opt.FaultsMax = faultsKept
	}
	c := &checker{opt: opt, report: &Report{Rules: opt.Rules.String()}}
	c.found.max = opt.FaultsMax
	for t := range limits {
		c.report.Response[t].LimitMillis = limits[t]
		if opt.Pace > 0 {
			c.report.Response[t].histogram = hdrhistogram.New(1, responseMax, 3)
		}
	}
	return c
}

// check validates the window c.w, whose end, in, runs, answers and lanes are set, and moves what matters into the past.
func (c *checker) check() {
	c.report.Tuples += int64(len(c.w.in))
	c.sortRoad()
	c.followTrips()
	c.countMinutes()
	c.joinStops()
	c.quoteEntries()
	c.chargeEntries()
	c.askBalances()
	c.matchAnswers()
	c.checkOrder()
	c.explainFaults()
	c.forget()
}

// sortRoad sorts reports by vehicle and road, keeping the order of input for each, and finds the groups.
func (c *checker) sortRoad() {
	w := &c.w
	items := c.items[:0]
	w.ref = slices.Grow(w.ref[:0], len(w.in))[:len(w.in)]
	for i := range w.in {
		w.ref[i] = -1
		if t := &w.in[i]; t.Type == format.Position {
			items = append(items, item{roadKey(t), uint32(i)})
		}
	}
	c.report.Reports += int64(len(items))
	items, c.spare = sortItems(items, c.spare, 0)
	w.reports = slices.Grow(w.reports[:0], len(items))[:len(items)]
	for i := range items {
		w.reports[i] = w.in[items[i].at]
	}
	// The road keeps the sorted slice, and the slice that it had before becomes scratch.
	w.road, c.items = items, w.road[:0]
	w.groups = w.groups[:0]
	p := 0
	for i := 0; i < len(items); {
		g := group{key: items[i].key, first: int32(i), end: int32(groupEnd(items, i)), before: -1}
		for p < len(c.past.vehicles) && c.past.vehicles[p].key < g.key {
			p++
		}
		if p < len(c.past.vehicles) && c.past.vehicles[p].key == g.key {
			g.before = int32(p)
		}
		w.groups = append(w.groups, g)
		i = int(g.end)
	}
}

// forget moves to the past what later windows need of this one, and drops what they do not.
func (c *checker) forget() {
	c.keepVehicles()
	c.keepStops()
	c.keepMinutes()
	c.keepAccounts()
}

// due returns when input line i was due, in whole milliseconds since the start of the run (LINEAR_ROAD §2).
func (c *checker) due(i uint32) int64 {
	r := c.w.runs[c.runOf(i)]
	second := float64(int(r.time) - c.opt.From)
	var logical float64
	if r.xway < 0 {
		logical = 1000*second + float64(1000*uint64(i-r.first)/uint64(r.n))
	} else {
		share := float64(i-r.first) / float64(r.n)
		logical = math.Floor(1000 * (second + (float64(r.xway)+share)/float64(c.opt.Xways)))
	}
	return int64(math.Floor(logical / c.opt.Pace))
}

// runOf returns the index of the run that input line i belongs to.
func (c *checker) runOf(i uint32) int {
	runs := c.w.runs
	return sort.Search(len(runs), func(k int) bool { return runs[k].first > i }) - 1
}

// lineOf returns the number of input line i for people, from 1.
func (c *checker) lineOf(i uint32) int {
	if c.online {
		return int(i-c.w.runs[c.runOf(i)].first) + 1
	}
	return int(i) + 1
}
