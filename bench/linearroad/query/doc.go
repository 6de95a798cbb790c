// Package query is Linear Road's query as a graph for the engine: the seven operators of LINEAR_ROAD §11 (§ below) but for
// the sinks, which belong to whoever runs it.
//
//	feeder ▶ forwarder ─reports▶ calculator ─notices▶ collector ─tolls, alerts▶
//	             │                  │ └─────charges▶ assessment ─answers▶ account ─answers, totals▶
//	             │                  └─activity▶          ▲
//	             ├──────balance requests─────────────────┘
//	             ├──expenditure requests▶ expenditure ─answers▶
//	             ├──────────history rows─────┘   of a loaded history, before all tuples
//	             └──travel time requests▶
//
// Keys and state:
//
//	calculator   expressway·2 + direction   vehicles by vid (16 bytes each), tallies beyond those in vehicles, past minutes of
//	                                        segments (64), spots and the vehicles that stand there, the road with its
//	                                        segments (2,432)
//	assessment   vid                        the balance (8), for vehicles that were ever charged
//	account      vid mod 256                answers and their total (24) since the last minute
//	expenditure  vid                        rows of a loaded history by day (8)
//
// A minute of a road begins with its timer, when the frontier has passed every report of the minute before: its segments
// are quoted then, once, exactly and in integers, and every report of the minute finds LAV, toll and alert in the segment's
// record. A vehicle that stands and falls silent has gone by a timer too, before the minute that begins at the same time.
// Vehicles that have left are forgotten by a sweep once a minute, at another time for each road; a record outlives the
// vehicle's exit until the end of the minute, so that one that comes back is not counted twice.
//
// Invariants, between steps:
//
//	a road exists  =  its minute and sweep timers are pending
//	segment.Minute = road.Minute = the minute of the logical time
//	spot.Standing  = vehicles that are stopped there  = stops with that spot;   spot.Open → Standing ≥ 2
//	every stopped vehicle's last report is at most 60 s old; the gone timer is pending if there is one
//	segment.Sum    = sum over the segment's vehicles of ⌊2520 · speeds / reports⌋ in the minute
//
// Logical time is the tuple's second as LINEAR_ROAD §2 schedules it, shifted by Config.Origin. Operator objects hold handles
// and room for what they emit, and nothing that is missed when they are built again.
//
// Build, Generated and FileInput.Source are called while a graph is declared, by one goroutine. The package computes answers and
// neither stores, times nor checks them, and does not answer travel time requests.
package query
