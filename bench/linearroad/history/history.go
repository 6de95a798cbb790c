package history

import "github.com/fullspate/spate/bench/linearroad/format"

const (
	// HomeShift turns a vehicle into its home expressway: generated traffic numbers vehicles expressway << HomeShift | index.
	HomeShift = 18
	// TollMin and TollMax bound a day's toll in the built-in history; no row has 0, so that a hit is seen in the answer.
	TollMin, TollMax = 10, 99
)

// Lookup returns the row of the built-in history for a vehicle and a day. There is none on a day outside 1…69, nor for the
// vehicles that have no history.
func Lookup(seed uint64, vid uint32, day uint8) (xway uint16, toll uint32, ok bool) {
	if day < 1 || day > format.DayMax || !Known(seed, vid) {
		return 0, 0, false
	}
	h := mix(seed ^ mix(uint64(vid)<<8|uint64(day)))
	home := uint16(vid>>HomeShift) & format.XwayMax
	if h&7 == 0 {
		home ^= 1
	}
	return home, TollMin + uint32(h>>32*(TollMax-TollMin+1)>>32), true
}

// Known tells whether the built-in history has rows for a vehicle. It has for 63 in 64, and then on every day.
func Known(seed uint64, vid uint32) bool { return mix(seed^mix(uint64(vid)))>>58 != 0 }

// Toll answers a daily expenditure request from the built-in history: the toll of the row (vid, day, xway), or 0.
func Toll(seed uint64, vid uint32, day uint8, xway uint16) uint32 {
	if x, toll, ok := Lookup(seed, vid, day); ok && x == xway {
		return toll
	}
	return 0
}

// mix spreads every bit of x over the result.
func mix(x uint64) uint64 {
	x ^= x >> 32
	x *= 0xd6e8feb86659fd93
	x ^= x >> 32
	x *= 0xd6e8feb86659fd93
	x ^= x >> 32
	return x
}
