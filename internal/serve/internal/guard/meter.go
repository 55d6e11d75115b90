package guard

import (
	"cmp"
	"net/http"
	"strconv"
	"sync/atomic"
	"time"

	"github.com/fanout-dev/fanout/internal/metrics"
)

// An Entry is one request, for the access log.
type Entry struct {
	At     time.Time     `json:"at"`
	Method string        `json:"method"`
	Path   string        `json:"path"` // without its query, which may hold a token
	Status int           `json:"status"`
	Bytes  int64         `json:"bytes"`
	Took   time.Duration `json:"took_ns"`
	Remote string        `json:"remote"`
	User   string        `json:"user,omitempty"`
	Panic  string        `json:"panic,omitempty"`
	Route  string        `json:"-"` // the pattern that answered
}

// response notes what was written.
type response struct {
	http.ResponseWriter
	status int
	bytes  int64
}

func (r *response) WriteHeader(status int) {
	if r.status == 0 && status >= 200 {
		r.status = status
	}
	r.ResponseWriter.WriteHeader(status)
}

func (r *response) Write(b []byte) (int, error) {
	if r.status == 0 {
		r.status = http.StatusOK
	}
	n, err := r.ResponseWriter.Write(b)
	r.bytes += int64(n)
	return n, err
}

// Unwrap is for http.ResponseController.
func (r *response) Unwrap() http.ResponseWriter { return r.ResponseWriter }

func (r *response) code() int {
	if r.status == 0 {
		return http.StatusOK
	}
	return r.status
}

// meter counts requests by route, so that a foreign path is no label.
type meter struct {
	open     atomic.Int64
	requests *metrics.Counter
	bytes    *metrics.Counter
	took     *metrics.Histogram
}

// newMeter makes what counts requests.
func newMeter(set *metrics.Set) *meter {
	m := &meter{
		requests: set.Counter("fanout_serve_requests_total", "Requests that were answered, by route (none: no page has that address) and status.", "route", "status"),
		bytes:    set.Counter("fanout_serve_response_bytes_total", "Bytes of bodies sent.", "route"),
		took:     set.Histogram("fanout_serve_request_duration_seconds", "How long requests took.", []float64{0.005, 0.025, 0.1, 0.3, 1, 3, 10}, "route"),
	}
	began := time.Now()
	set.Gauge("fanout_serve_requests_in_flight", "Requests that are being answered.", func() float64 { return float64(m.open.Load()) })
	set.Gauge("fanout_serve_uptime_seconds", "How long the server has been running.", func() float64 { return time.Since(began).Seconds() })
	return m
}

func (m *meter) begin() { m.open.Add(1) }

func (m *meter) end(e Entry) {
	m.open.Add(-1)
	route := cmp.Or(e.Route, "none")
	m.requests.WithLabelValues(route, strconv.Itoa(e.Status)).Inc()
	m.bytes.WithLabelValues(route).Add(float64(e.Bytes))
	m.took.WithLabelValues(route).Observe(e.Took.Seconds())
}
