// Package traffic generates Linear Road traffic: position reports and requests of any number of expressways, as LINEAR_ROAD §9 plans them.
//
//	seed, expressway, vehicle ──► journey: when, where, which way, how long, how fast; perhaps a second trip      trip.go
//	time, direction, segment  ──► planned speed: a sample of trips is driven through the day once, density slows  plan.go
//	both                      ──► reports: every 30 s the planned speed where the vehicle is, times its pace,     car.go
//	                              varied by a generator of its own
//
//	        second mod 30:     0        1        2    …   29
//	phases (Xway)           ┌──────┬────────┬────────┬──┬──────┐
//	 longest on the road ►  │ car  │ car    │ car    │  │      │     one pass over one phase is a second: all its vehicles report, some
//	                        │ car  │ car    │  ⋮     │  │      │     leave, and those who enter in this second are appended
//	        just entered ►  │  ⋮   │        │        │  │      │
//	                        └──────┴────────┴────────┴──┴──────┘
//
// So no vehicle depends on another. Any expressway and any slice of the day can be generated again, in parallel, without the others and
// without what came before: Seek computes each vehicle that is on the road anew. What comes out depends on Seed, Hostile and the number
// of the expressway, not on Xways, From or To. With From > 0 earlier traffic is not seen, and a vehicle's first report in the slice is all
// that a reader knows of its entry.
//
// One expressway and three hours: 143,100 vehicles at home there, of which one in ten makes a second trip, a quarter of these on the
// expressway beside (x^1, whether or not it is generated); 11.84 M reports, 118,000 requests; 50,000 vehicles on the road at the end. Invariants
// of generated trips, except in hostile traffic:
//
//	the first report is on lane 0, the last on lane 4, those between on lanes 1 to 3; they are 30 s apart
//	segment(n) ≤ segment(n+1) ≤ segment(n) + 1 along the way, and the last report is in the segment of the one before
//	0 < speed ≤ 75, but for the two vehicles of each accident, which stand
//	two trips of a vehicle are more than 60 s apart
//	vid = expressway << VIDShift | index; qid is unique over all expressways
//	a second's tuples: reports, then the requests that they bring
//
// Hostile adds, every twenty minutes and in both directions: three cars in an accident; one stopped alone; two stopped in different lanes;
// two with three equal reports only; accidents four and five segments apart, at segments 0 and 99, twice at the same place, cleared in the minute of
// their detection, by silence; 50 and 51 vehicles in a segment; mean speeds of exactly 40 and just below; reports at seconds 29, 30, 59 and 60;
// vehicles that vanish, that reappear after 60, 61, 90 and 200 s, that never entered; exits into a new segment; day 0; vehicles without history and
// rows on other expressways. For exact counts only these vehicles use the last ten segments of either direction.
//
// Traffic is immutable and may be used from any goroutine; an Xway belongs to one at a time. The package knows no rule of tolls and
// accidents and does not check answers.
package traffic
