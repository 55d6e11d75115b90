package metrics

import (
	"sync/atomic"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/fanout-dev/fanout/internal/fan"
	"github.com/fanout-dev/fanout/internal/outcome"
	"github.com/fanout-dev/fanout/internal/sweep"
)

// Runs counts what becomes of the runs of one sweep.
type Runs struct {
	sweep *sweep.Sweep
	lease *sweep.Lease
	queue atomic.Pointer[fan.Queue]

	attempts, kernels, cpu *prometheus.CounterVec
	took, started          *prometheus.HistogramVec
}

// How long attempts and starts of kernels take, in seconds.
var (
	durations = []float64{0.5, 1, 2.5, 5, 10, 30, 60, 120, 300, 600, 1800, 3600, 7200, 21600, 86400}
	starts    = []float64{0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60}
)

// Runs makes what counts the runs that this process executes of a sweep. state says
// that it is the one that knows how all of them stand: the holder of the lease.
func (s *Set) Runs(of *sweep.Sweep, state bool) *Runs {
	named := *s
	named.own = prometheus.WrapRegistererWith(prometheus.Labels{"sweep": text(of.Name())}, s.role)
	r := &Runs{
		sweep:    of,
		lease:    of.Lease(),
		attempts: named.Counter("fanout_attempts_total", "Attempts at runs that ended, by how and why.", "step", "status", "reason"),
		kernels:  named.Counter("fanout_kernel_starts_total", "Kernels that were started, by how.", "step", "start"),
		cpu:      named.Counter("fanout_attempt_cpu_seconds_total", "CPU time of attempts that ended.", "step"),
		took:     named.Histogram("fanout_attempt_duration_seconds", "How long attempts took from begin to end.", durations, "step", "status"),
		started:  named.Histogram("fanout_kernel_start_duration_seconds", "How long kernels took to start, by how.", starts, "start"),
	}
	if state {
		named.own.MustRegister(standing{r})
		r.begin()
	}
	return r
}

// begin makes the series of ends that nearly every sweep has, at 0, so that the first such
// end is an increase.
func (r *Runs) begin() {
	usual := map[outcome.Status]outcome.Kind{outcome.Succeeded: "", outcome.Failed: outcome.Exception}
	for step := range (standing{r}).count() {
		for status, kind := range usual {
			r.attempts.WithLabelValues(step, string(status), string(kind))
			r.took.WithLabelValues(step, string(status))
		}
		r.cpu.WithLabelValues(step)
	}
}

// Note is told what goes on.
func (r *Runs) Note(n sweep.Note) {
	if n.Kind != sweep.NoteEnded || n.Outcome == nil {
		return
	}
	o, step := *n.Outcome, ""
	if st, ok := r.sweep.Run(n.Run); ok {
		step = text(st.Run.Template)
	}
	if !o.Plausible() { // it is in a log, where anybody may have written it
		o.Status, o.Kind = "implausible", ""
	}
	r.attempts.WithLabelValues(step, string(o.Status), string(o.Kind)).Inc()
	r.took.WithLabelValues(step, string(o.Status)).Observe(o.Duration().Seconds())
	r.cpu.WithLabelValues(step).Add(max(0, o.CPU.Seconds()))
	if o.KernelStart > 0 {
		r.kernels.WithLabelValues(step, start(o)).Inc()
		r.started.WithLabelValues(start(o)).Observe(o.KernelStart.Seconds())
	}
}

// start is how the kernel of an attempt was started.
func start(o outcome.Outcome) string {
	switch o.Kernel {
	case "cold", "warm", "warm zmq":
		return o.Kernel
	}
	return "other"
}

// Queue is told how many runs wait for what.
func (r *Runs) Queue(q fan.Queue) { r.queue.Store(&q) }

// standing is how the runs stand when somebody asks.
type standing struct{ *Runs }

var (
	runsNow    = prometheus.NewDesc("fanout_runs", "Runs of the plan in force, by how they stand.", []string{"step", "status"}, nil)
	waitingNow = prometheus.NewDesc("fanout_runs_waiting", "Runs that are to be executed and have not begun, by what for: turn, start, needs, retry or cluster.", []string{"reason"}, nil)
	leaseNow   = prometheus.NewDesc("fanout_lease_term", "Which term of the sweep's lease this process has, or had last.", nil, nil)
)

// Describe implements prometheus.Collector.
func (standing) Describe(ch chan<- *prometheus.Desc) {
	ch <- runsNow
	ch <- waitingNow
	ch <- leaseNow
}

// Collect implements prometheus.Collector.
func (s standing) Collect(ch chan<- prometheus.Metric) {
	gauge := func(d *prometheus.Desc, n int, labels ...string) {
		ch <- prometheus.MustNewConstMetric(d, prometheus.GaugeValue, float64(n), labels...)
	}
	counts := s.count()
	running := 0
	for step, by := range counts {
		for _, status := range outcome.Statuses() {
			gauge(runsNow, by[status], step, string(status))
		}
		running += by[outcome.Running]
	}
	gauge(leaseNow, s.lease.Epoch())
	q := fan.Queue{}
	if now := s.queue.Load(); now != nil {
		q = *now
	}
	for reason, n := range map[string]int{"turn": q.Turn, "start": max(0, q.Out-running), "needs": q.Needs, "retry": q.Retry, "cluster": q.Gone} {
		gauge(waitingNow, n, reason)
	}
}

// count counts the runs of the plan by step and status.
func (s standing) count() map[string]map[outcome.Status]int {
	counts := map[string]map[outcome.Status]int{}
	for st := range s.sweep.All() {
		if st.Run.Unplanned {
			continue
		}
		step := text(st.Run.Template)
		if counts[step] == nil {
			counts[step] = map[outcome.Status]int{}
		}
		counts[step][st.Status]++
	}
	return counts
}
