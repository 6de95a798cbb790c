package query

import "fmt"

// Rules says how long an accident stays in force (§5); all else is the same in both.
type Rules uint8

const (
	Paper    Rules = iota // until the minute in which the first of its vehicles has gone
	Official              // until the minute after that vehicle's last report from the place
)

// ParseRules returns the rules of a name, paper or official.
func ParseRules(name string) (Rules, error) {
	for _, r := range []Rules{Paper, Official} {
		if name == r.String() {
			return r, nil
		}
	}
	return 0, fmt.Errorf("rules are %q, want paper or official", name)
}

// String returns the rules' name.
func (r Rules) String() string {
	switch r {
	case Paper:
		return "paper"
	case Official:
		return "official"
	default:
		return fmt.Sprintf("Rules(%d)", uint8(r))
	}
}

// MarshalText returns the rules' name.
func (r Rules) MarshalText() ([]byte, error) {
	if r > Official {
		return nil, fmt.Errorf("rules are %v, want paper or official", r)
	}
	return []byte(r.String()), nil
}

// UnmarshalText takes the rules' name, and nothing for those of the paper.
func (r *Rules) UnmarshalText(text []byte) (err error) {
	*r = Paper
	if len(text) > 0 {
		*r, err = ParseRules(string(text))
	}
	return err
}

// The numbers of the benchmark.
const (
	segments      = 100  // of a direction of an expressway
	minuteSeconds = 60   //
	silenceMax    = 60   // seconds between two reports of a trip, at most
	stopReports   = 4    // equal reports in a row make a stop
	novFree       = 50   // vehicles in the minute before up to which a segment is free
	lavFree       = 40   // mph from which on a segment is free
	lavMinutes    = 5    // minutes that an LAV looks back
	alertReach    = 4    // segments before its own in which an accident is announced
	speedUnit     = 2520 // parts of a mph in which a vehicle's mean speed is counted, rounded down
	idleMinutes   = 6    // without any report, after which a road remembers nothing that could change an answer
)

// minuteOf returns the minute of a second, from 1.
func minuteOf(second uint16) uint16 { return second/minuteSeconds + 1 }

// tollOf returns the toll of a segment in which that many more vehicles were than are free.
func tollOf(excess uint32) int64 { return 2 * int64(excess) * int64(excess) }
