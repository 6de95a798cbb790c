package coordinator

import (
	"encoding/json"
	"fmt"
	"time"

	"github.com/fullspate/spate/engine/control"
)

// Record is one line of the journal: exactly one member is set.
type Record struct {
	Start  *StartRecord  `json:"start,omitempty"`
	Worker *WorkerRecord `json:"worker,omitempty"`
	Lost   *LostRecord   `json:"lost,omitempty"`
	Job    *JobRecord    `json:"job,omitempty"`
	Begun  *BegunRecord  `json:"begun,omitempty"`
	Ending *EndingRecord `json:"ending,omitempty"`

	Recovering *RecoveringRecord `json:"recovering,omitempty"`
	Recovered  *RecoveredRecord  `json:"recovered,omitempty"`

	Order      *OrderRecord      `json:"order,omitempty"`
	Reassigned *ReassignedRecord `json:"reassigned,omitempty"`

	Part *PartRecord `json:"part,omitempty"`
	End  *EndRecord  `json:"end,omitempty"`
}

type (
	// StartRecord: a coordinator has started. The first record of each run, and of every journal.
	StartRecord struct {
		Cluster string    `json:"cluster"`
		Epoch   uint64    `json:"epoch"`
		At      time.Time `json:"at"`
		// What has been used before, by whatever is not in the journal any more.
		Workers  int    `json:"workers"`
		Jobs     int    `json:"jobs"`
		Attempts uint64 `json:"attempts"`
	}

	// WorkerRecord: a worker has registered that the journal does not know like this. Another incarnation of it is lost.
	WorkerRecord struct {
		Worker      string        `json:"worker"`
		Incarnation uint64        `json:"incarnation"`
		Fenced      []uint64      `json:"fenced,omitempty"` // former incarnations
		PID         int           `json:"pid"`
		Addr        string        `json:"addr"`
		Loops       int           `json:"loops"`
		Memory      int64         `json:"memory"`
		Build       control.Build `json:"build"`
		Drained     bool          `json:"drained,omitempty"`
		At          time.Time     `json:"at"`
	}

	// LostRecord: a worker is lost, with all that it had of jobs.
	LostRecord struct {
		Worker      string    `json:"worker"`
		Incarnation uint64    `json:"incarnation"`
		At          time.Time `json:"at"`
	}

	// JobRecord: a job was submitted. It is on disk before the submitter has its id, and before a worker hears of it.
	JobRecord struct {
		Deploy   control.Deploy `json:"deploy"` // without the coordinator's epoch
		Topology Topology       `json:"topology"`
		Given    []int          `json:"given,omitempty"` // see OrderRecord; none: each unit has given as many as it has tasks
		At       time.Time      `json:"at"`
	}

	// BegunRecord: every part is deployed. It is on disk before any is told to start.
	BegunRecord struct {
		Job   string    `json:"job"`
		Clock int64     `json:"clock"` // when the job's clock is 0, in Unix nanoseconds
		At    time.Time `json:"at"`
	}

	// RecoveringRecord: a job has lost parts, and what they had is elsewhere now, unless there was nobody to give it to. It is on
	// disk before any worker is told.
	RecoveringRecord struct {
		Deploy     control.Deploy `json:"deploy"` // without the coordinator's epoch: the newest order
		Topology   Topology       `json:"topology"`
		Lost       []int          `json:"lost"`             // all parts that are lost so far: indexes into Deploy.Workers
		Unmade     []int          `json:"unmade,omitempty"` // the same: those that may have had no order so far
		Losses     []Loss         `json:"losses,omitempty"` // since the record before
		Recoveries Recoveries     `json:"recoveries"`
		Since      time.Time      `json:"since"` // when the first loss was detected
		At         time.Time      `json:"at"`
	}

	// OrderRecord: a step of a reassignment. It is on disk before any worker hears of the order; with one of state Switching the
	// new tasks have taken over.
	OrderRecord struct {
		Deploy       control.Deploy `json:"deploy"` // without the coordinator's epoch: the newest order
		Topology     Topology       `json:"topology"`
		Given        []int          `json:"given"`            // the index after the one that each unit has given last, to a new task
		Unmade       []int          `json:"unmade,omitempty"` // parts that may have had no order so far: indexes into Deploy.Workers
		Reassignment Reassignment   `json:"reassignment"`     // and the order is a step of it
		At           time.Time      `json:"at"`
	}

	// ReassignedRecord: a reassignment has ended.
	ReassignedRecord struct {
		Job          string       `json:"job"`
		Reassignment Reassignment `json:"reassignment"`
		Confirmed    bool         `json:"confirmed,omitempty"` // every part goes on by the newest order
	}

	// RecoveredRecord: every part goes on by the newest order.
	RecoveredRecord struct {
		Job        string     `json:"job"`
		Recoveries Recoveries `json:"recoveries"`
		At         time.Time  `json:"at"`
	}

	// EndingRecord: a job is to end early. It is on disk before any part is told so.
	EndingRecord struct {
		Job     string           `json:"job"`
		How     control.How      `json:"how"`
		Failure *control.Failure `json:"failure,omitempty"` // of an abort
		Losses  []Loss           `json:"losses,omitempty"`
		At      time.Time        `json:"at"`
	}

	// PartRecord: a worker's part of a job has ended.
	PartRecord struct {
		Part  int            `json:"part"` // index into the job's Deploy.Workers
		Ended *control.Ended `json:"ended"`
		At    time.Time      `json:"at"`
	}

	// EndRecord: a job has ended. It is on disk before any worker may forget its part.
	EndRecord struct {
		Job    string    `json:"job"`
		State  State     `json:"state"`
		Losses []Loss    `json:"losses,omitempty"`
		Events []Event   `json:"events,omitempty"`
		At     time.Time `json:"at"`
	}
)

// EncodeRecord writes a record as the journal keeps it.
func EncodeRecord(r Record) ([]byte, error) { return json.Marshal(r) }

// DecodeRecord reads what EncodeRecord wrote.
func DecodeRecord(data []byte) (Record, error) {
	var r Record
	if err := json.Unmarshal(data, &r); err != nil {
		return Record{}, err
	}
	n := 0
	for _, set := range []bool{
		r.Start != nil, r.Worker != nil, r.Lost != nil, r.Job != nil, r.Begun != nil, r.Ending != nil, r.Part != nil, r.End != nil,
		r.Recovering != nil, r.Recovered != nil, r.Order != nil, r.Reassigned != nil,
	} {
		if set {
			n++
		}
	}
	if n != 1 {
		return Record{}, fmt.Errorf("a record with %d members that are known, want 1: is it of a newer version?", n)
	}
	return r, nil
}
