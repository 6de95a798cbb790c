package traffic

import (
	"github.com/fullspate/spate/bench/linearroad/format"
	"github.com/fullspate/spate/bench/linearroad/history"
)

// request keeps the request that a car's report has brought until the second's reports are out: half are for the balance, a
// tenth for a day's expenditure, the rest for a travel time.
func (w *Xway) request(c *car) {
	h := mix(uint64(c.vid)<<32 | uint64(c.rnd))
	q := format.Tuple{VID: c.vid, Time: uint16(w.now), Xway: w.x}
	switch kind := h & 0xffff * 10 >> 16; {
	case kind < 5:
		q.Type, q.Xway = format.Balance, format.NoXway
	case kind < 6:
		q.Type = format.Expenditure
		q.Day = uint8(1 + h>>16&0xffff*format.DayMax>>16)
		if home, _, ok := history.Lookup(w.t.cfg.Seed, q.VID, q.Day); ok && h>>60 != 0 {
			q.Xway = home
		}
	default:
		q.Type = format.TravelTime
		q.SetTrip(uint8(h>>16&0xff*segments>>8), uint8(h>>24&0xff*segments>>8), uint8(1+h>>32&0xff*7>>8))
		q.TOD = uint16(h >> 40 & 0xffff * 1440 >> 16)
	}
	w.ask(q)
}

// ask numbers a request and keeps it for the end of the second. One too many is not asked.
func (w *Xway) ask(q format.Tuple) {
	if w.pending == requestsMax {
		return
	}
	q.QID = uint32(w.x)*qidsPerXway + uint32(w.now*requestsMax+w.pending)
	w.requests[w.pending] = q
	w.pending++
}

// qidsPerXway spaces the identities of requests, which are unique over all expressways and known without counting from the start.
const qidsPerXway = Seconds * requestsMax
