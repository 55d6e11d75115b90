// Package metrics counts what a process does, for Prometheus.
//
// In go the notes about runs, how many wait for what, and the requests to stores;
// out comes Prometheus's text, over HTTP or in a file for the node exporter. It is the
// only home of Prometheus's library: who counts something of his own makes it here.
//
// It promises that labels are bounded: they are names of sweeps and steps, statuses and
// kinds, never runs. Numbers of the moment are taken when somebody asks. Nothing that
// is executed waits for it, or fails because of it.
package metrics

import (
	"net/http"
	"path/filepath"
	"strings"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"
	"github.com/prometheus/client_golang/prometheus/promhttp"

	"github.com/fanout-dev/fanout/internal/store"
)

// Instruments, as Prometheus's library has them. Labels are in the order in which they
// were given.
type (
	Counter   = prometheus.CounterVec
	Histogram = prometheus.HistogramVec
)

// A Build is which fanout this is.
type Build struct{ Version, Commit, Go string }

// A Set is what one process counts.
type Set struct {
	registry *prometheus.Registry // what fanout counts
	process  *prometheus.Registry // what Go and the system know of the process
	role     prometheus.Registerer
	own      prometheus.Registerer // with the labels of what is made next

	requests, retries, sent, received *prometheus.CounterVec // of stores
	took                              *prometheus.HistogramVec
}

// New makes the set of a process of this role: run, worker or serve. Of numbers in a
// file, its name is a label, because a node exporter puts many files together.
func New(role string, b Build, at Place) *Set {
	s := &Set{registry: prometheus.NewRegistry(), process: prometheus.NewRegistry()}
	s.process.MustRegister(collectors.NewGoCollector(), collectors.NewProcessCollector(collectors.ProcessCollectorOpts{}))
	labels := prometheus.Labels{"role": role}
	if at.file != "" {
		labels["file"] = text(strings.TrimSuffix(filepath.Base(at.file), ".prom"))
	}
	s.role = prometheus.WrapRegistererWith(labels, s.registry)
	s.own = s.role
	info := prometheus.NewGaugeVec(prometheus.GaugeOpts{Name: "fanout_build_info", Help: "Which fanout this is; always 1."}, []string{"version", "commit", "goversion"})
	info.WithLabelValues(text(b.Version), text(b.Commit), text(b.Go)).Set(1)
	s.role.MustRegister(info)
	s.requests = s.Counter("fanout_store_requests_total", "Requests to stores, each attempt at one.", "operation")
	s.retries = s.Counter("fanout_store_retries_total", "Requests to buckets that were not answered, or refused for the moment: they are sent again.", "operation")
	s.sent = s.Counter("fanout_store_written_bytes_total", "Bytes of objects and logs sent to stores.", "operation")
	s.received = s.Counter("fanout_store_read_bytes_total", "Bytes of objects and logs read from stores.", "operation")
	s.took = s.Histogram("fanout_store_request_duration_seconds", "How long requests to stores took.", []float64{0.001, 0.005, 0.025, 0.1, 0.5, 2, 10, 60}, "operation")
	for _, operation := range []string{"get", "list", "stat", "put", "append", "copy", "delete"} {
		s.retries.WithLabelValues(operation) // 0, so that the first one is an increase
	}
	s.own = s.registry
	return s
}

// Counter makes a counter with these labels.
func (s *Set) Counter(name, help string, labels ...string) *Counter {
	c := prometheus.NewCounterVec(prometheus.CounterOpts{Name: name, Help: help}, labels)
	s.own.MustRegister(c)
	return c
}

// Histogram makes a histogram with these upper ends of buckets.
func (s *Set) Histogram(name, help string, buckets []float64, labels ...string) *Histogram {
	h := prometheus.NewHistogramVec(prometheus.HistogramOpts{Name: name, Help: help, Buckets: buckets}, labels)
	s.own.MustRegister(h)
	return h
}

// Gauge makes a number that is asked for when somebody looks.
func (s *Set) Gauge(name, help string, value func() float64) {
	s.own.MustRegister(prometheus.NewGaugeFunc(prometheus.GaugeOpts{Name: name, Help: help}, value))
}

// Request counts a request to a store.
func (s *Set) Request(r store.Request) {
	s.requests.WithLabelValues(r.Operation).Inc()
	s.took.WithLabelValues(r.Operation).Observe(r.Took.Seconds())
	if r.Again {
		s.retries.WithLabelValues(r.Operation).Inc()
	}
	if r.Sent > 0 {
		s.sent.WithLabelValues(r.Operation).Add(float64(r.Sent))
	}
	if r.Got > 0 {
		s.received.WithLabelValues(r.Operation).Add(float64(r.Got))
	}
}

// Handler answers Prometheus.
func (s *Set) Handler() http.Handler {
	return promhttp.HandlerFor(prometheus.Gatherers{s.registry, s.process}, promhttp.HandlerOpts{ErrorHandling: promhttp.ContinueOnError, MaxRequestsInFlight: 4})
}

// maxLabel is how many characters of a name are a label.
const maxLabel = 200

// text is foreign text as a label.
func text(s string) string {
	s = strings.ToValidUTF8(s, "\uFFFD")
	if r := []rune(s); len(r) > maxLabel {
		s = string(r[:maxLabel])
	}
	return s
}
