package api

import (
	"context"
	"net/http"
	"slices"
	"strconv"
	"time"

	"github.com/fullspate/spate/engine/coordinator"
	"github.com/fullspate/spate/wire"
	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"
	"github.com/prometheus/client_golang/prometheus/promhttp"
)

// scrapeTimeout bounds how long a scrape waits for the coordinator.
const scrapeTimeout = 5 * time.Second

// prometheusHandler serves the cluster's metrics, with those of the coordinator's own process, from a registry of its own.
func prometheusHandler(c Coordinator) http.Handler {
	r := prometheus.NewRegistry()
	r.MustRegister(&collector{c}, collectors.NewGoCollector(), collectors.NewProcessCollector(collectors.ProcessCollectorOpts{}))
	return promhttp.HandlerFor(r, promhttp.HandlerOpts{ErrorHandling: promhttp.ContinueOnError})
}

// collector reads the coordinator whenever it is scraped. It describes nothing beforehand, since what there is to tell
// depends on workers and jobs.
type collector struct{ c Coordinator }

// metric is one family.
type metric struct {
	desc *prometheus.Desc
	kind prometheus.ValueType
}

func gauge(name, help string, labels ...string) metric {
	return metric{prometheus.NewDesc("spate_"+name, help, labels, nil), prometheus.GaugeValue}
}

func counter(name, help string, labels ...string) metric {
	return metric{prometheus.NewDesc("spate_"+name, help, labels, nil), prometheus.CounterValue}
}

var (
	up           = gauge("up", "1 if the coordinator answers.")
	epoch        = gauge("coordinator_epoch", "Epoch of the coordinator, which grows with each start.")
	started      = gauge("coordinator_start_time_seconds", "When the coordinator was started, in Unix time.")
	journalBytes = gauge("coordinator_journal_bytes", "Size of the journal.")
	events       = counter("events_total", "Events since the coordinator was started.", "kind")
	workers      = gauge("workers", "Workers by state.", "state")
	jobs         = gauge("jobs", "Jobs that are remembered, by state.", "state")

	jobRecoveries   = counter("job_recoveries_total", "How often a job was carried on after it had lost workers.", "job")
	jobLastRecovery = gauge("job_last_recovery_seconds", "How long the last of these took, from when the loss was detected.", "job")

	authAccepted = counter("auth_accepted_total", "Connections of workers that were authenticated.")
	authRefused  = counter("auth_refused_total", "Connections that were refused.", "reason")
	authPending  = gauge("auth_pending", "Connections that are being authenticated.")

	workerRSS  = gauge("worker_rss_bytes", "Resident memory of a worker.", "worker")
	workerCPU  = gauge("worker_cpu_cores", "Cores that a worker has used lately.", "worker")
	workerLate = gauge("worker_heartbeat_late_seconds", "By how much a worker's last heartbeat left late.", "worker")
	workerAge  = gauge("worker_heartbeat_age_seconds", "How long ago a worker was heard.", "worker")

	taskIn       = counter("task_tuples_in_total", "Tuples that a task has processed.", taskLabels...)
	taskOut      = counter("task_tuples_out_total", "Tuples that a task has emitted.", taskLabels...)
	taskUseful   = counter("task_useful_seconds_total", "Time that a task has spent processing.", taskLabels...)
	taskWaiting  = counter("task_waiting_seconds_total", "Time that a task has spent otherwise.", taskLabels...)
	taskBlocked  = counter("task_blocked_turns_total", "Turns that were cut short by a full log.", taskLabels...)
	taskQueue    = gauge("task_queue_bytes", "Bytes in the logs of a task.", taskLabels...)
	taskState    = gauge("task_state_bytes", "Bytes of a task's state.", taskLabels...)
	taskPosition = gauge("task_position_seconds", "Logical time up to which a task has come; absent at the end of its input.", taskLabels...)
	taskLag      = gauge("task_frontier_lag_seconds", "Logical time by which a task is behind what has arrived.", taskLabels...)
	taskLatency  = gauge("task_latency_seconds", "How long what a task has processed in the last second had been on its way; quantile 1 is the longest.", append(slices.Clone(taskLabels), "quantile")...)

	linkOut     = counter("link_sent_bytes_total", "Bytes sent to another worker.", linkLabels...)
	linkIn      = counter("link_received_bytes_total", "Bytes received from another worker.", linkLabels...)
	linkStarved = counter("link_starved_turns_total", "Turns in which frames waited for credit.", linkLabels...)
	linkBroken  = counter("link_broken_total", "How often the connection was lost.", linkLabels...)
	slabBytes   = gauge("slab_bytes", "Memory outside the Go heap that a job has on a worker.", "job", "worker", "owner")
)

var (
	taskLabels = []string{"job", "worker", "operator", "task"}
	linkLabels = []string{"job", "worker", "peer"}
)

// Describe describes nothing: see collector.
func (*collector) Describe(chan<- *prometheus.Desc) {}

// Collect reads the coordinator.
func (c *collector) Collect(ch chan<- prometheus.Metric) {
	ctx, cancel := context.WithTimeout(context.Background(), scrapeTimeout)
	defer cancel()
	s := scrape{ctx: ctx, c: c.c, ch: ch}
	s.cluster()
	s.workers()
	s.jobs()
	s.put(up, s.up())
}

// scrape is one reading. After an error there is nothing more to be had.
type scrape struct {
	ctx context.Context
	c   Coordinator
	ch  chan<- prometheus.Metric
	err error
}

func (s *scrape) put(m metric, v float64, labels ...string) {
	s.ch <- prometheus.MustNewConstMetric(m.desc, m.kind, v, labels...)
}

func (s *scrape) up() float64 {
	if s.err != nil {
		return 0
	}
	return 1
}

func (s *scrape) cluster() {
	info, err := s.c.Info(s.ctx)
	if err != nil {
		s.err = err
		return
	}
	s.put(epoch, float64(info.Epoch))
	s.put(started, float64(info.Started.UnixMilli())/1e3)
	for state, n := range info.Workers {
		s.put(workers, float64(n), string(state))
	}
	for state, n := range info.Jobs {
		s.put(jobs, float64(n), string(state))
	}
	if size, err := s.c.JournalBytes(s.ctx); err == nil {
		s.put(journalBytes, float64(size))
	}
	counts, _ := s.c.Counts(s.ctx) // none after an error
	for kind, n := range counts {
		s.put(events, float64(n), string(kind))
	}
	a := s.c.AuthStats()
	s.put(authAccepted, float64(a.Accepted))
	s.put(authPending, float64(a.Pending))
	for reason, n := range a.Refused {
		s.put(authRefused, float64(n), reason.String())
	}
}

func (s *scrape) workers() {
	list, err := s.c.Workers(s.ctx)
	if err != nil {
		s.err = err
		return
	}
	for _, w := range list {
		if w.State == coordinator.WorkerGone {
			continue
		}
		s.put(workerRSS, float64(w.RSS), w.ID)
		s.put(workerCPU, w.CPU, w.ID)
		s.put(workerLate, w.Late.Seconds(), w.ID)
		s.put(workerAge, max(time.Since(w.Heard), 0).Seconds(), w.ID)
	}
}

// jobs reads those that have not ended: what has ended moves no more.
func (s *scrape) jobs() {
	list, err := s.c.Jobs(s.ctx)
	if err != nil {
		s.err = err
		return
	}
	for _, j := range list {
		if j.State.Over() {
			continue
		}
		info, err := s.c.Job(s.ctx, j.ID)
		if err != nil {
			continue // it has ended and was forgotten meanwhile
		}
		s.put(jobRecoveries, float64(info.Recoveries.Count), j.ID)
		if info.Recoveries.Count > 0 {
			s.put(jobLastRecovery, info.Recoveries.Last.Seconds(), j.ID)
		}
		for _, t := range info.Tasks {
			s.task(j.ID, t)
		}
		for _, p := range info.Parts {
			s.part(j.ID, p)
		}
	}
}

func (s *scrape) task(job string, t coordinator.TaskInfo) {
	labels := []string{job, t.Worker, t.Operator, strconv.Itoa(t.Task)}
	s.put(taskIn, float64(t.TuplesIn), labels...)
	s.put(taskOut, float64(t.TuplesOut), labels...)
	if t.Fused { // the rest is its host's
		return
	}
	s.put(taskUseful, t.Useful.Seconds(), labels...)
	s.put(taskWaiting, t.Waiting.Seconds(), labels...)
	s.put(taskBlocked, float64(t.Blocked), labels...)
	s.put(taskQueue, float64(t.QueueBytes), labels...)
	s.put(taskState, float64(t.StateBytes), labels...)
	s.put(taskLag, t.FrontierLag.Seconds(), labels...)
	if l := t.Latency; l.Count > 0 {
		s.put(taskLatency, l.P50.Seconds(), append(labels, "0.5")...)
		s.put(taskLatency, l.P95.Seconds(), append(labels, "0.95")...)
		s.put(taskLatency, l.P99.Seconds(), append(labels, "0.99")...)
		s.put(taskLatency, l.Max.Seconds(), append(labels, "1")...)
	}
	if t.Position != wire.TimeMax {
		s.put(taskPosition, float64(t.Position.Millis())/1e3, labels...)
	}
}

func (s *scrape) part(job string, p coordinator.PartInfo) {
	for _, l := range p.Links {
		s.put(linkOut, float64(l.BytesOut), job, p.Worker, l.Peer)
		s.put(linkIn, float64(l.BytesIn), job, p.Worker, l.Peer)
		s.put(linkStarved, float64(l.Starved), job, p.Worker, l.Peer)
		s.put(linkBroken, float64(l.Broken), job, p.Worker, l.Peer)
	}
	for _, o := range p.Slabs.Owners {
		s.put(slabBytes, float64(o.InUse), job, p.Worker, o.Name)
	}
}
