package control

import (
	"encoding/json"
	"time"

	"github.com/fullspate/spate/engine"
	"github.com/fullspate/spate/partition"
	"github.com/fullspate/spate/wire"
)

// Message is what coordinator and workers say to each other: one of the pointers to the structs below.
type Message interface{ kind() string }

// Kind is the type tag of a message, which is also a good word for it in a log.
func Kind(m Message) string { return m.kind() }

// From workers to the coordinator.
type (
	// Register is the first message of every connection of a worker.
	Register struct {
		Worker      string     `json:"worker,omitempty"` // the id it was given before, or asks for; empty: any
		Incarnation uint64     `json:"incarnation"`
		PID         int        `json:"pid"`
		Addr        string     `json:"addr"` // for data connections: tcp://host:port or unix:///path
		Loops       int        `json:"loops"`
		Memory      int64      `json:"memory"` // slab budget of the process in bytes, 0: none
		Build       Build      `json:"build"`
		Jobs        []JobState `json:"jobs,omitempty"` // what it is running, when it registers again
	}

	// Heartbeat says that the worker is alive. With reports it says how it is, too.
	Heartbeat struct {
		Seq  uint64      `json:"seq"`
		Jobs []JobReport `json:"jobs,omitempty"` // not with every heartbeat
		RSS  int64       `json:"rss,omitempty"`  // bytes
		CPU  float64     `json:"cpu,omitempty"`  // cores used lately
		Late int64       `json:"late,omitempty"` // µs by which the heartbeat left later than it was due
	}

	// Deployed says that the worker's part of a job is made and waits for Start, or why it could not be made. After an error
	// the worker has nothing of the job any more and says no Ended.
	//
	// Of an order with a reassignment it says that the worker has done its share of the phase. With Reassignment set the error
	// is of that alone: everything else of the job goes on as before, and the reassignment is to be given up.
	Deployed struct {
		Job          string    `json:"job"`
		Epoch        uint64    `json:"epoch"`
		Reached      wire.Time `json:"reached,omitempty"` // in phase Registering: the greatest position of those here whom it concerns
		Reassignment uint64    `json:"reassignment,omitempty"`
		Error        *Failure  `json:"error,omitempty"`
	}

	// CaughtUp says that the new tasks of a reassignment on this worker have processed whatever has come, and can be brought
	// back from checkpoints of their own. It is repeated, with every registration too, until there is a newer order.
	CaughtUp struct {
		Job          string `json:"job"`
		Epoch        uint64 `json:"epoch"`
		Reassignment uint64 `json:"reassignment"`
	}

	// Ended says that the worker's part of a job has ended. It is repeated with every registration until Release.
	Ended struct {
		Job       string          `json:"job"`
		Epoch     uint64          `json:"epoch"`
		Results   []engine.Result `json:"results,omitempty"`
		Error     *Failure        `json:"error,omitempty"`
		Cancelled bool            `json:"cancelled,omitempty"` // it ended early, because of Cancel or Abort
		Stats     engine.Stats    `json:"stats,omitzero"`      // the last
		Links     []LinkReport    `json:"links,omitempty"`     // the last
	}

	// PeerLost says that a data connection to another worker is broken and could not be made again so far. It is said when
	// that is noticed, and again from time to time while it stays so.
	PeerLost struct {
		Job    string        `json:"job"`
		Epoch  uint64        `json:"epoch"`
		Peer   string        `json:"peer"`
		Down   time.Duration `json:"down"` // for how long
		Reason string        `json:"reason"`
	}

	// Profiled answers Profile.
	Profiled struct {
		Request uint64 `json:"request"`
		Data    []byte `json:"data,omitempty"` // a pprof profile
		Error   string `json:"error,omitempty"`
	}
)

// From the coordinator to workers. Each carries the coordinator's epoch, which grows with every start of a coordinator:
// workers obey the highest they have seen.
type (
	// Registered answers Register. With an error the worker is refused for good, and the connection is closed.
	Registered struct {
		Worker    string        `json:"worker"`
		Cluster   string        `json:"cluster"`
		Epoch     uint64        `json:"epoch"`
		Heartbeat time.Duration `json:"heartbeat"` // interval
		Report    time.Duration `json:"report"`    // interval of reports
		Error     string        `json:"error,omitempty"`
	}

	// Deploy asks for a part of a job to be made: tasks, logs, channels, connections. Nothing runs before Start. Being asked
	// again for the same job and epoch means the same as being asked once, as it does for every message here.
	//
	// With Recovers it asks for a job to be carried on that has lost workers: they are named in Gone, and what they had of the
	// plan is elsewhere in Place. Its epoch is above that of the order before; Workers, and Slots, only grow. A worker that
	// has a part of the job keeps its tasks as they run, and leads channels that led to a lost task to where that is now. Who
	// is given lost tasks brings them back from their newest checkpoints. Deployed is said when they run, or, by a worker that
	// is new to the job, when they wait for Start.
	Deploy struct {
		Coordinator uint64  `json:"coordinator"` // epoch
		Job         string  `json:"job"`
		Epoch       uint64  `json:"epoch"`
		Spec        JobSpec `json:"spec"`
		Workers     []Host  `json:"workers"`
		// Slots are the loops that the job runs on; Place has the slot of each task, by unit and index, and Nowhere for an index
		// that no task has (any more). Ranges are the tasks' key ranges, the same way: those of the tasks that speak, which are
		// all but the new ones of a reassignment, tile the hashes.
		Slots    []Slot              `json:"slots"`
		Place    [][]int             `json:"place"`
		Ranges   [][]partition.Range `json:"ranges"`
		Recovers bool                `json:"recovers,omitempty"`
		Gone     []int               `json:"gone,omitempty"` // indexes into Workers
		// Reassign are the reassignments under way. An order without one that was in the order before ends it: it was given up
		// if its new tasks are nowhere, and is done if its old ones are.
		Reassign []Reassignment `json:"reassign,omitempty"`
	}

	// Start lets a deployed job run. At is the moment at which its clock is 0, in Unix nanoseconds.
	Start struct {
		Coordinator uint64 `json:"coordinator"`
		Job         string `json:"job"`
		Epoch       uint64 `json:"epoch"`
		At          int64  `json:"at"`
	}

	// End ends a job early.
	End struct {
		Coordinator uint64 `json:"coordinator"`
		Job         string `json:"job"`
		Epoch       uint64 `json:"epoch"`
		How         How    `json:"how"`
		Reason      string `json:"reason,omitempty"` // of an abort
	}

	// Release lets the worker forget a job that has ended: the coordinator has what it had to tell.
	Release struct {
		Coordinator uint64 `json:"coordinator"`
		Job         string `json:"job"`
		Epoch       uint64 `json:"epoch"`
	}

	// Profile asks for a profile of the process.
	Profile struct {
		Coordinator uint64        `json:"coordinator"`
		Request     uint64        `json:"request"`
		Kind        string        `json:"kind"` // cpu, heap, allocs, goroutine or slabs
		For         time.Duration `json:"for"`  // cpu
	}

	// Shutdown asks the process to end.
	Shutdown struct {
		Coordinator uint64 `json:"coordinator"`
		Reason      string `json:"reason"`
	}
)

// Nowhere is the place of a task that is not there.
const Nowhere = -1

// Reassignment brings up new tasks of a unit beside old ones, whose key ranges they are to take over: the ranges of New tile the
// same hashes as those of Old. Until they do the new tasks are mute: they are fed and they process, but nobody reads what they
// emit. See docs/elasticity.md.
type Reassignment struct {
	ID    uint64        `json:"id"`
	Unit  int           `json:"unit"`
	Old   []int         `json:"old"` // indexes of tasks
	New   []int         `json:"new"`
	Phase ReassignPhase `json:"phase"`
	// Cut is the position from which on the new tasks are to begin, in phase Restoring: the old tasks' next checkpoints at or
	// beyond it, or, where a new range has parts of several old ones (Joins), exactly at it.
	Cut   wire.Time `json:"cut,omitempty"`
	Joins bool      `json:"joins,omitempty"`
	// Stops says that old and new tasks cannot be beside each other, since what they write is the same: the old ones end, in a
	// phase of their own, before the new ones are made.
	Stops bool `json:"stops,omitempty"`
}

// ReassignPhase is how far a reassignment is.
type ReassignPhase string

// The phases of a reassignment, each of which every worker has to confirm before the next.
const (
	// Registering: whoever feeds the old tasks feeds the new ones as well from now on, and says from which position. With Joins
	// the old tasks wait where they are, for a moment.
	Registering ReassignPhase = "registering"
	// Stopping, with Stops: the old tasks take a checkpoint as Cut says, and end.
	Stopping ReassignPhase = "stopping"
	// Restoring: the old tasks take a checkpoint as Cut says; the new ones are made of it, and follow. Then they are CaughtUp.
	Restoring ReassignPhase = "restoring"
)

// EpochOf is the coordinator's epoch that a message carries; 0 for messages of workers, which have none.
func EpochOf(m Message) uint64 {
	switch m := m.(type) {
	case *Registered:
		return m.Epoch
	case *Deploy:
		return m.Coordinator
	case *Start:
		return m.Coordinator
	case *End:
		return m.Coordinator
	case *Release:
		return m.Coordinator
	case *Profile:
		return m.Coordinator
	case *Shutdown:
		return m.Coordinator
	}
	return 0
}

// How a job is ended early.
type How string

// The ways to end a job early.
const (
	Drain  How = "drain"  // end the input, process what was read, fire pending timers
	Cancel How = "cancel" // the same without the timers
	Abort  How = "abort"  // at once
)

// Build tells whether two processes can run one job: protocol, architecture and commit have to agree.
type Build struct {
	Protocol int      `json:"protocol"`
	Arch     string   `json:"arch"`
	Version  string   `json:"version"`
	Commit   string   `json:"commit"`
	Programs []string `json:"programs"`
}

// JobSpec is what a job is made from.
type JobSpec struct {
	Program     string          `json:"program"`
	Params      json.RawMessage `json:"params,omitempty"`
	Parallelism map[string]int  `json:"parallelism,omitempty"` // by operator id
	Workers     int             `json:"workers,omitempty"`     // how many take part, as far as there are so many
	Default     int             `json:"default"`               // tasks of operators that say nothing: one per slot
	Pins        map[string]int  `json:"pins,omitempty"`        // by operator id: the one worker, by index, that its tasks are on
	Fingerprint uint64          `json:"fingerprint,string"`    // of the graph, as the coordinator built it
	Config      JobConfig       `json:"config"`
}

// JobConfig is the part of engine.Config that a job on workers has; zero values mean the same.
type JobConfig struct {
	Pace       float64 `json:"pace,omitempty"`
	LogBytes   int64   `json:"log_bytes,omitempty"`
	StepBytes  int64   `json:"step_bytes,omitempty"`
	FrameBytes int     `json:"frame_bytes,omitempty"`
	Memory     int64   `json:"memory,omitempty"` // bytes per worker
	NoFuse     bool    `json:"no_fuse,omitempty"`
	Window     int64   `json:"window,omitempty"` // credit of a channel between workers in bytes
	Labels     bool    `json:"labels,omitempty"` // profiler labels
	// CheckpointInterval is the time between two checkpoints of a task; 0: none are taken, and a lost worker is the job's end.
	CheckpointInterval time.Duration `json:"checkpoint_interval,omitempty"`
	// Replicas is how many other workers keep each checkpoint; 0 for 1.
	Replicas int `json:"replicas,omitempty"`
}

// Host is a worker that takes part in a job.
type Host struct {
	Worker      string `json:"worker"`
	Incarnation uint64 `json:"incarnation"`
	Addr        string `json:"addr"`
}

// Slot is a loop of a worker: indexes into Deploy.Workers and among the worker's loops.
type Slot struct {
	Worker int `json:"worker"`
	Loop   int `json:"loop"`
}

// JobState is how far a worker is with its part of a job.
type JobState struct {
	Job   string `json:"job"`
	Epoch uint64 `json:"epoch"`
	Phase Phase  `json:"phase"`
}

// Phase is how far a worker is with its part of a job.
type Phase string

// The phases of a job's part.
const (
	PhaseDeployed Phase = "deployed" // made, waiting for Start
	PhaseRunning  Phase = "running"
	PhaseEnded    Phase = "ended" // Ended has been said
)

// JobReport is how a worker's part of a job is doing.
type JobReport struct {
	JobState
	Stats engine.Stats `json:"stats,omitzero"`
	Links []LinkReport `json:"links,omitempty"`
}

// LinkReport counts what went over the connections to one other worker.
type LinkReport struct {
	Peer      string `json:"peer"`
	BytesOut  uint64 `json:"bytes_out"`
	BytesIn   uint64 `json:"bytes_in"`
	TuplesOut uint64 `json:"tuples_out"`
	TuplesIn  uint64 `json:"tuples_in"`
	Starved   uint64 `json:"starved"` // turns in which frames waited for credit
	Broken    uint64 `json:"broken"`  // how often the connection was lost
}

// Failure is why a job, or a worker's part of it, did not come to its end.
type Failure struct {
	Worker   string    `json:"worker,omitempty"`
	Operator string    `json:"operator,omitempty"`
	Sender   string    `json:"sender,omitempty"` // as in task.Error: Task and Time are its, then
	Task     int       `json:"task,omitempty"`
	Time     wire.Time `json:"time,omitempty"`
	Key      string    `json:"key,omitempty"`
	Message  string    `json:"message"`
	Stack    string    `json:"stack,omitempty"`
}

// Error is the message with where it happened.
func (f *Failure) Error() string {
	if f.Worker == "" {
		return f.Message
	}
	return "worker " + f.Worker + ": " + f.Message
}

func (*Register) kind() string   { return "register" }
func (*Heartbeat) kind() string  { return "heartbeat" }
func (*Deployed) kind() string   { return "deployed" }
func (*CaughtUp) kind() string   { return "caught_up" }
func (*Ended) kind() string      { return "ended" }
func (*PeerLost) kind() string   { return "peer_lost" }
func (*Profiled) kind() string   { return "profiled" }
func (*Registered) kind() string { return "registered" }
func (*Deploy) kind() string     { return "deploy" }
func (*Start) kind() string      { return "start" }
func (*End) kind() string        { return "end" }
func (*Release) kind() string    { return "release" }
func (*Profile) kind() string    { return "profile" }
func (*Shutdown) kind() string   { return "shutdown" }
