package validator

import (
	"cmp"
	"math"
	"slices"
	"sort"

	"github.com/fullspate/spate/bench/linearroad/format"
)

const (
	freeSpeed     = 40 // mph of LAV from which a segment is free
	freeVehicles  = 50 // vehicles up to which a segment is free
	balanceWindow = 60 // seconds before a request for whose balances an answer may give
)

// quote is what every vehicle is told that enters one segment in one minute.
type quote struct {
	key   uint64 // segmentKey
	toll  int64
	lav   int16
	alert int16 // the segment of the nearest accident in scope, −1 if there is none
}

// quoteEntries computes each quote once, by sorting entries by segment and minute, and points the entries to it.
func (c *checker) quoteEntries() {
	w := &c.w
	items := c.items[:0]
	for i, s := range w.trips {
		if t := &w.reports[i]; s.entered && t.Lane != format.LaneExit {
			items = append(items, item{segmentKeyOf(t), w.road[i].at})
		}
	}
	items, c.spare = sortItems(items, c.spare, 0)
	c.items = items
	w.quotes = w.quotes[:0]
	for i := 0; i < len(items); {
		end := groupEnd(items, i)
		q := c.quote(&w.in[items[i].at])
		n := int64(end - i)
		for ; i < end; i++ {
			w.ref[items[i].at] = int32(len(w.quotes))
		}
		w.quotes = append(w.quotes, q)
		if q.toll > 0 {
			c.report.Occurred.TollsAboveZero += n
		}
		if q.alert >= 0 {
			c.report.Occurred.Alerts += n
		}
	}
}

// quote returns what a vehicle is told that enters t's segment in t's minute.
func (c *checker) quote(t *format.Tuple) quote {
	q := quote{key: segmentKeyOf(t), alert: -1}
	minute := minuteOf(t.Time)
	nearest := scopeSegments + 1
	for _, a := range c.w.onRoad(uint64(t.Xway)<<1 | uint64(t.Dir)) {
		if d, in := ahead(t.Dir, t.Seg, a.segment()); in && d < nearest && a.from <= minute && minute <= a.to {
			nearest, q.alert = d, int16(a.segment())
		}
	}
	rows := c.minutesBefore(q.key)
	var free bool
	q.lav, free = latestAverage(rows)
	if len(rows) == 0 || rows[len(rows)-1].key != q.key-1 || free || q.alert >= 0 {
		return q
	}
	if n := int64(rows[len(rows)-1].vehicles); n > freeVehicles {
		q.toll = 2 * (n - freeVehicles) * (n - freeVehicles)
	}
	return q
}

// charge is a toll above 0 that a vehicle has to pay.
type charge struct {
	amount int64
	at     moment
	vid    uint32
}

// account is everything that was charged to a vehicle before the window.
type account struct {
	charged int64
	vid     uint32
}

// chargeEntries finds the charges: whoever enters a segment on a trip pays what was quoted for the one before.
func (c *checker) chargeEntries() {
	w := &c.w
	w.charges = w.charges[:0]
	for _, g := range w.groups {
		quoted := int64(0)
		if g.before >= 0 {
			quoted = c.past.vehicles[g.before].toll
		}
		for i := g.first; i < g.end; i++ {
			s := w.trips[i]
			if !s.entered {
				continue
			}
			if !s.starts && quoted > 0 {
				t := &w.reports[i]
				w.charges = append(w.charges, charge{amount: quoted, at: momentOf(t.Time, w.road[i].at), vid: t.VID})
			}
			quoted = c.quoted(i)
		}
	}
	slices.SortFunc(w.charges, compareCharges)
	c.report.Occurred.Charges += int64(len(w.charges))
}

func compareCharges(a, b charge) int {
	return cmp.Or(cmp.Compare(a.vid, b.vid), cmp.Compare(a.at, b.at))
}

// due is the balance that a request asks for, by reference to the charges that make it up.
type due struct {
	before         int64    // charged before the window
	recent         []charge // of the minute before the window, part of before
	charges        []charge // of the window, up to its end
	at             moment   // of the request
	checkFromBelow bool     // there may be more that was charged elsewhere
}

// askBalances points each balance request to its due. Requests and charges meet by binary search on vid.
func (c *checker) askBalances() {
	w := &c.w
	w.dues = w.dues[:0]
	for i := range w.in {
		t := &w.in[i]
		if t.Type != format.Balance {
			continue
		}
		d := due{
			at:      momentOf(t.Time, uint32(i)),
			recent:  chargesOf(c.past.recent, t.VID),
			charges: chargesOf(w.charges, t.VID),
		}
		if k, ok := slices.BinarySearchFunc(c.past.accounts, t.VID, func(a account, vid uint32) int { return cmp.Compare(a.vid, vid) }); ok {
			d.before = c.past.accounts[k].charged
		}
		d.checkFromBelow = c.elsewhere != nil && c.elsewhere(t.VID)
		if d.checkFromBelow {
			c.report.BalancesPartly++
		}
		if d.now() > 0 {
			c.report.Occurred.NonZeroBalances++
		}
		w.ref[i] = int32(len(w.dues))
		w.dues = append(w.dues, d)
	}
}

// chargesOf returns those of sorted charges that are a vehicle's.
func chargesOf(charges []charge, vid uint32) []charge {
	first := sort.Search(len(charges), func(i int) bool { return charges[i].vid >= vid })
	n := sort.Search(len(charges)-first, func(i int) bool { return charges[first+i].vid > vid })
	return charges[first : first+n]
}

// now returns the balance at the request: everything charged by what precedes it in the input.
func (d *due) now() int64 { return d.upTo(d.at) }

// atSecond returns the balance after the given second, or at the request if it is that of the request.
func (d *due) atSecond(second uint16) int64 {
	return d.upTo(min(d.at, momentOf(second, math.MaxUint32)))
}

func (d *due) upTo(m moment) int64 {
	sum := d.before
	for _, ch := range d.recent {
		if ch.at > m {
			sum -= ch.amount
		}
	}
	for _, ch := range d.charges {
		if ch.at < m {
			sum += ch.amount
		}
	}
	return sum
}

// keepAccounts adds the window's charges to the accounts and keeps those of its last minute by themselves.
func (c *checker) keepAccounts() {
	w := &c.w
	if w.end == math.MaxInt {
		return
	}
	if len(w.charges) > 0 {
		c.mergeAccounts()
	}
	old := func(ch charge) bool { return int(ch.at>>32) < w.end-balanceWindow }
	c.past.recent = slices.DeleteFunc(append(c.past.recent, w.charges...), old)
	slices.SortFunc(c.past.recent, compareCharges)
}

func (c *checker) mergeAccounts() {
	merged := c.accounts[:0]
	accounts, charges := c.past.accounts, c.w.charges
	for len(accounts) > 0 || len(charges) > 0 {
		if len(charges) == 0 || len(accounts) > 0 && accounts[0].vid < charges[0].vid {
			merged = append(merged, accounts[0])
			accounts = accounts[1:]
			continue
		}
		a := account{vid: charges[0].vid}
		if len(accounts) > 0 && accounts[0].vid == a.vid {
			a, accounts = accounts[0], accounts[1:]
		}
		for len(charges) > 0 && charges[0].vid == a.vid {
			a.charged += charges[0].amount
			charges = charges[1:]
		}
		merged = append(merged, a)
	}
	c.past.accounts, c.accounts = merged, c.past.accounts
}
