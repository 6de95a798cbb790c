package api

import (
	"time"

	"github.com/fullspate/spate/engine"
	"github.com/fullspate/spate/engine/control"
	"github.com/fullspate/spate/engine/coordinator"
	"github.com/fullspate/spate/wire/slab"
)

// Metrics is what GET /api/v1/jobs/{id}/metrics says: counters since the start of the job.
type Metrics struct {
	Job     string            `json:"job"`
	State   coordinator.State `json:"state"`
	Tasks   []TaskMetrics     `json:"tasks"`
	Workers []WorkerMetrics   `json:"workers"`
}

// TaskMetrics are the counters of a task, or of an operator that is fused into one.
type TaskMetrics struct {
	Operator   string  `json:"operator"`
	Task       int     `json:"task"`
	Worker     string  `json:"worker"`
	Fused      bool    `json:"fused"`
	TuplesIn   uint64  `json:"tuples_in"`
	TuplesOut  uint64  `json:"tuples_out"`
	UsefulMS   float64 `json:"useful_ms"`  // spent in turns that processed something
	WaitingMS  float64 `json:"waiting_ms"` // the rest
	Turns      uint64  `json:"turns"`
	Blocked    uint64  `json:"blocked"` // turns cut short by a full log
	QueueBytes int64   `json:"queue_bytes"`
	StateBytes int64   `json:"state_bytes"`
	// Latency is null where none was taken.
	Latency *Latency `json:"latency"`
}

// Latency is how long what a task has processed in the last second had been on its way, in milliseconds: see engine.Latency.
type Latency struct {
	Count uint64  `json:"count"` // tuples of which it was taken
	P50   float64 `json:"p50_ms"`
	P95   float64 `json:"p95_ms"`
	P99   float64 `json:"p99_ms"`
	Max   float64 `json:"max_ms"`
}

// latencyOf is nil where nothing is known.
func latencyOf(l engine.Latency) *Latency {
	if l.Count == 0 {
		return nil
	}
	return &Latency{Count: l.Count, P50: ms(l.P50), P95: ms(l.P95), P99: ms(l.P99), Max: ms(l.Max)}
}

// WorkerMetrics are the counters of a worker's part.
type WorkerMetrics struct {
	Worker       string               `json:"worker"`
	ElapsedMS    float64              `json:"elapsed_ms"` // since the job's start, at the last report
	Reported     *time.Time           `json:"reported"`
	RSSBytes     int64                `json:"rss_bytes"`
	CPUMS        float64              `json:"cpu_ms"`  // processor time of the process
	Mallocs      uint64               `json:"mallocs"` // objects allocated by the process
	SlabBytes    int64                `json:"slab_bytes"`
	SlabBytesMax int64                `json:"slab_bytes_max"`
	Owners       []SlabOwner          `json:"owners"`
	Links        []control.LinkReport `json:"links"`
}

// SlabOwner is how much memory outside the Go heap somebody has: "operator/table" or "operator.output".
type SlabOwner struct {
	Name  string `json:"name"`
	Bytes int64  `json:"bytes"`
	Max   int64  `json:"bytes_max"`
}

func metricsOf(j coordinator.JobInfo) Metrics {
	return Metrics{Job: j.ID, State: j.State, Tasks: list(j.Tasks, taskMetricsOf), Workers: list(j.Parts, workerMetricsOf)}
}

func taskMetricsOf(t coordinator.TaskInfo) TaskMetrics {
	return TaskMetrics{
		Operator: t.Operator, Task: t.Task, Worker: t.Worker, Fused: t.Fused, TuplesIn: t.TuplesIn, TuplesOut: t.TuplesOut,
		UsefulMS: ms(t.Useful), WaitingMS: ms(t.Waiting), Turns: t.Turns, Blocked: t.Blocked,
		QueueBytes: t.QueueBytes, StateBytes: t.StateBytes, Latency: latencyOf(t.Latency),
	}
}

func workerMetricsOf(p coordinator.PartInfo) WorkerMetrics {
	m := WorkerMetrics{
		Worker: p.Worker, ElapsedMS: ms(p.Elapsed), Reported: moment(p.Reported),
		SlabBytes: p.Slabs.InUse, SlabBytesMax: p.SlabsMax,
		Owners: list(p.Slabs.Owners, func(o slab.OwnerStats) SlabOwner { return SlabOwner{o.Name, o.InUse, o.Peak} }),
		Links:  list(p.Links, func(l control.LinkReport) control.LinkReport { return l }),
	}
	var sum engine.ProcessStats // there is one, as a rule
	for _, s := range p.Processes {
		sum.RSSBytes, sum.CPU, sum.Mallocs = sum.RSSBytes+s.RSSBytes, sum.CPU+s.CPU, sum.Mallocs+s.Mallocs
	}
	m.RSSBytes, m.CPUMS, m.Mallocs = sum.RSSBytes, ms(sum.CPU), sum.Mallocs
	return m
}
