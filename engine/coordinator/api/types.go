package api

import (
	"encoding/json"
	"fmt"
	"time"

	"github.com/fullspate/spate/engine"
	"github.com/fullspate/spate/engine/control"
	"github.com/fullspate/spate/engine/coordinator"
	"github.com/fullspate/spate/partition"
	"github.com/fullspate/spate/wire"
)

// Submit is what POST /api/v1/jobs takes.
type Submit struct {
	Graph       string          `json:"graph"` // the name of a program
	Params      json.RawMessage `json:"params,omitempty"`
	Parallelism map[string]int  `json:"parallelism,omitempty"` // by operator
	Workers     int             `json:"workers,omitempty"`     // 0: all
	Pins        map[string]int  `json:"pins,omitempty"`        // by operator: the only worker, by number from 0
	Config      JobConfig       `json:"config,omitzero"`
}

// JobConfig is control.JobConfig as the API has it: durations are in milliseconds.
type JobConfig struct {
	Pace                 float64 `json:"pace,omitempty"`
	LogBytes             int64   `json:"log_bytes,omitempty"`
	StepBytes            int64   `json:"step_bytes,omitempty"`
	FrameBytes           int     `json:"frame_bytes,omitempty"`
	Memory               int64   `json:"memory,omitempty"`
	NoFuse               bool    `json:"no_fuse,omitempty"`
	Window               int64   `json:"window,omitempty"`
	Labels               bool    `json:"labels,omitempty"`
	CheckpointIntervalMS float64 `json:"checkpoint_interval_ms,omitempty"`
	Replicas             int     `json:"replicas,omitempty"`
}

// ConfigOf is a job's configuration as the API has it.
func ConfigOf(c control.JobConfig) JobConfig {
	return JobConfig{
		Pace: c.Pace, LogBytes: c.LogBytes, StepBytes: c.StepBytes, FrameBytes: c.FrameBytes, Memory: c.Memory, NoFuse: c.NoFuse,
		Window: c.Window, Labels: c.Labels, CheckpointIntervalMS: ms(c.CheckpointInterval), Replicas: c.Replicas,
	}
}

// config is what ConfigOf was made of.
func (c JobConfig) config() control.JobConfig {
	return control.JobConfig{
		Pace: c.Pace, LogBytes: c.LogBytes, StepBytes: c.StepBytes, FrameBytes: c.FrameBytes, Memory: c.Memory, NoFuse: c.NoFuse,
		Window: c.Window, Labels: c.Labels, Replicas: c.Replicas,
		CheckpointInterval: time.Duration(c.CheckpointIntervalMS * float64(time.Millisecond)),
	}
}

// SubmitOf is the body of a request.
func SubmitOf(r coordinator.Request) Submit {
	return Submit{
		Graph: r.Program, Params: r.Params, Parallelism: r.Parallelism, Workers: r.Workers, Pins: r.Pins, Config: ConfigOf(r.Config),
	}
}

// request is what SubmitOf was made of.
func (s Submit) request() coordinator.Request {
	return coordinator.Request{
		Program: s.Graph, Params: s.Params, Parallelism: s.Parallelism, Workers: s.Workers, Pins: s.Pins, Config: s.Config.config(),
	}
}

// Submitted is the answer.
type Submitted struct {
	ID string `json:"id"`
}

// Cluster is what GET /api/v1/cluster says.
type Cluster struct {
	ID                 string                          `json:"id"`
	Epoch              uint64                          `json:"epoch"`
	Started            time.Time                       `json:"started"`
	Ready              bool                            `json:"ready"`
	HeartbeatTimeoutMS float64                         `json:"heartbeat_timeout_ms"`
	Workers            map[coordinator.WorkerState]int `json:"workers"` // how many by state
	Jobs               map[coordinator.State]int       `json:"jobs"`
}

// Worker is one of GET /api/v1/workers.
type Worker struct {
	ID          string                  `json:"id"`
	State       coordinator.WorkerState `json:"state"`
	PID         int                     `json:"pid"`
	Address     string                  `json:"address"`
	Incarnation string                  `json:"incarnation"` // hex
	Loops       int                     `json:"loops"`
	MemoryBytes int64                   `json:"memory_bytes"` // budget, 0: none
	Version     string                  `json:"version"`
	Commit      string                  `json:"commit"`
	Since       time.Time               `json:"since"`
	Heard       time.Time               `json:"heard"`
	RSSBytes    int64                   `json:"rss_bytes"`
	CPUCores    float64                 `json:"cpu_cores"`
	LateMS      float64                 `json:"late_ms"` // by which the last heartbeat left late
	Tasks       []WorkerTask            `json:"tasks"`
	Drain       *Drain                  `json:"drain"` // null unless it is, or was, to be emptied
}

// Drain says how far a worker is with being emptied. It is given no more tasks.
type Drain struct {
	Done  bool       `json:"done"`  // nothing more will leave by itself
	Moved int        `json:"moved"` // tasks that have gone elsewhere
	Left  []LeftTask `json:"left"`
}

// LeftTask is a task that stays on a worker that is to be emptied.
type LeftTask struct {
	Job      string `json:"job"`
	Operator string `json:"operator"`
	Task     int    `json:"task"`
	Reason   string `json:"reason"`
}

// WorkerTask is a task on a worker.
type WorkerTask struct {
	Job      string `json:"job"`
	Operator string `json:"operator"`
	Task     int    `json:"task"`
	Loop     int    `json:"loop"`
}

// JobSummary is one of GET /api/v1/jobs.
type JobSummary struct {
	ID        string            `json:"id"`
	Graph     string            `json:"graph"` // the name of the program
	Epoch     uint64            `json:"epoch"`
	State     coordinator.State `json:"state"`
	Workers   []string          `json:"workers"`
	TaskCount int               `json:"task_count"`
	Submitted time.Time         `json:"submitted"`
	Started   *time.Time        `json:"started"`
	Ended     *time.Time        `json:"ended"`
	Failure   *Failure          `json:"failure"`
}

// Job is what GET /api/v1/jobs/{id} says.
type Job struct {
	JobSummary
	Params      json.RawMessage `json:"params"`
	Parallelism map[string]int  `json:"parallelism"`
	Config      JobConfig       `json:"config"`
	Fingerprint string          `json:"fingerprint"` // hex
	Operators   []Operator      `json:"operators"`
	Tasks       []Task          `json:"tasks"`
	Parts       []Part          `json:"parts"`
	Losses      []Loss          `json:"losses"`     // the last 64
	Recoveries  Recoveries      `json:"recoveries"` // of them
	// Reassignments are the last 32 that have ended, and the one that is under way.
	Reassignments []Reassignment  `json:"reassignments"`
	Results       []engine.Result `json:"results"`
	Events        []Event         `json:"events"`
}

// Recoveries says how often a job was carried on after losses.
type Recoveries struct {
	Count    int     `json:"count"`    // that came to their end
	Attempts int     `json:"attempts"` // with those that another loss has overtaken
	LastMS   float64 `json:"last_ms"`  // that the last one took, from when the loss was detected
}

// Operator is a node of a job's graph.
type Operator struct {
	ID     string              `json:"id"`
	Kind   string              `json:"kind"`
	Host   string              `json:"host"` // in whose tasks it runs
	Inputs []coordinator.Input `json:"inputs"`
}

// Task is a task of an operator, or the share that a fused operator has in its host's.
type Task struct {
	Operator      string   `json:"operator"`
	Task          int      `json:"task"`
	Worker        string   `json:"worker"`
	Loop          int      `json:"loop"`
	Fused         bool     `json:"fused"`
	Role          Role     `json:"role"`
	Range         Range    `json:"range"`
	Splits        []string `json:"splits,omitempty"`
	Position      *string  `json:"position"`    // τ; null before the first report
	PositionMS    *uint64  `json:"position_ms"` // null, too, once it is infinite
	FrontierLagMS float64  `json:"frontier_lag_ms"`
	Latency       *Latency `json:"latency"` // null where none was taken
	TuplesIn      uint64   `json:"tuples_in"`
	TuplesOut     uint64   `json:"tuples_out"`
	RateIn        float64  `json:"rate_in"`   // tuples per second
	RateOut       float64  `json:"rate_out"`  // tuples per second
	TrueRate      float64  `json:"true_rate"` // tuples per second spent processing
	Busy          float64  `json:"busy"`      // share of the time
	QueueBytes    int64    `json:"queue_bytes"`
	StateBytes    int64    `json:"state_bytes"`
}

// Role says whether anybody reads what a task emits.
type Role string

// The roles of a task.
const (
	Speaking Role = "speaking"
	Mute     Role = "mute" // it is to take over from others
)

// Range is a range of key hashes, both ends included, as 16 hex digits.
type Range struct {
	First string `json:"first"`
	Last  string `json:"last"`
}

// Part is a worker's part of a job.
type Part struct {
	Worker      string     `json:"worker"`
	Incarnation string     `json:"incarnation"`
	Phase       string     `json:"phase"`
	Reported    *time.Time `json:"reported"`
}

// Failure says why a job failed.
type Failure struct {
	Worker   string  `json:"worker,omitempty"`
	Operator string  `json:"operator,omitempty"`
	Sender   string  `json:"sender,omitempty"` // that was emitting when the operator's key function failed: task and time are its
	Task     int     `json:"task,omitempty"`
	Time     string  `json:"time,omitempty"` // τ
	TimeMS   *uint64 `json:"time_ms,omitempty"`
	Key      string  `json:"key,omitempty"`
	Message  string  `json:"message"`
	Stack    string  `json:"stack,omitempty"`
}

// Loss says what a job has lost with a worker.
type Loss struct {
	Worker      string            `json:"worker"`
	Incarnation string            `json:"incarnation"`
	PID         int               `json:"pid"`
	Address     string            `json:"address"`
	Cause       coordinator.Cause `json:"cause"`
	Reason      string            `json:"reason"`
	Heard       time.Time         `json:"heard"`
	Detected    time.Time         `json:"detected"`
	AfterMS     float64           `json:"after_ms"`
	Tasks       []LostTask        `json:"tasks"`
	Recovered   bool              `json:"recovered"` // the tasks go on elsewhere
}

// LostTask is a task that is lost.
type LostTask struct {
	Operator   string  `json:"operator"`
	Task       int     `json:"task"`
	Position   *string `json:"position"` // τ; null where it is not known
	PositionMS *uint64 `json:"position_ms"`
}

// Event is something that has happened.
type Event struct {
	Seq    uint64                `json:"seq"`
	At     time.Time             `json:"at"`
	Kind   coordinator.EventKind `json:"kind"`
	Job    string                `json:"job,omitempty"`
	Worker string                `json:"worker,omitempty"`
	TookMS float64               `json:"took_ms,omitempty"`
	Text   string                `json:"text,omitempty"`
}

// ms is a duration in milliseconds.
func ms(d time.Duration) float64 { return float64(d) / float64(time.Millisecond) }

// hex is a number of 64 bits that is no quantity.
func hex(v uint64) string { return fmt.Sprintf("%016x", v) }

// moment is nil for what has not happened.
func moment(t time.Time) *time.Time {
	if t.IsZero() {
		return nil
	}
	return &t
}

// position is τ with its milliseconds, which infinity has none of.
func position(t wire.Time) (tau *string, millis *uint64) {
	s := t.String()
	if t != wire.TimeMax {
		n := t.Millis()
		millis = &n
	}
	return &s, millis
}

func rangeOf(r partition.Range) Range { return Range{hex(r.First), hex(r.Last)} }

// list is never null.
func list[A, B any](from []A, to func(A) B) []B {
	all := make([]B, len(from))
	for i, v := range from {
		all[i] = to(v)
	}
	return all
}
