package guard

import (
	"fmt"
	"io"
	"maps"
	"net/http"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"
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
	started time.Time
	mu      sync.Mutex
	open    int
	routes  map[routeStatus]int
	took    map[string]*histogram // by route
}

type routeStatus struct {
	route  string
	status int
}

// bounds are the upper ends of the buckets, in seconds.
var bounds = []float64{0.005, 0.025, 0.1, 0.3, 1, 3, 10}

type histogram struct {
	buckets [8]int // one more than bounds
	sum     float64
	bytes   int64
}

func (m *meter) begin() {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.open++
}

func (m *meter) end(e Entry) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.open--
	if m.routes == nil {
		m.routes, m.took = map[routeStatus]int{}, map[string]*histogram{}
	}
	m.routes[routeStatus{e.Route, e.Status}]++
	h := m.took[e.Route]
	if h == nil {
		h = &histogram{}
		m.took[e.Route] = h
	}
	i, _ := slices.BinarySearch(bounds, e.Took.Seconds())
	h.buckets[i]++
	h.sum, h.bytes = h.sum+e.Took.Seconds(), h.bytes+e.Bytes
}

// A Gauge is a number of the moment, for Metrics.
type Gauge struct {
	Name, Help string
	Value      float64
}

// Metrics writes what was answered so far in Prometheus's text format 0.0.4.
func (g *Guard) Metrics(w io.Writer, more ...Gauge) {
	m := &g.meter
	m.mu.Lock()
	defer m.mu.Unlock()
	var memory runtime.MemStats
	runtime.ReadMemStats(&memory)
	gauges := append([]Gauge{
		{"fanout_serve_requests_in_flight", "Requests that are being answered.", float64(m.open)},
		{"fanout_serve_uptime_seconds", "How long the server has been running.", time.Since(m.started).Seconds()},
		{"go_goroutines", "Number of goroutines.", float64(runtime.NumGoroutine())},
		{"go_memstats_heap_inuse_bytes", "Memory that the heap uses.", float64(memory.HeapInuse)},
		{"go_memstats_sys_bytes", "Memory obtained from the system.", float64(memory.Sys)},
	}, more...)
	for _, v := range gauges {
		fmt.Fprintf(w, "# HELP %s %s\n# TYPE %[1]s gauge\n%[1]s %[3]s\n", v.Name, v.Help, number(v.Value))
	}
	fmt.Fprint(w, "# HELP fanout_serve_requests_total Requests that were answered.\n# TYPE fanout_serve_requests_total counter\n")
	for _, k := range slices.SortedFunc(maps.Keys(m.routes), func(a, b routeStatus) int {
		return strings.Compare(a.route, b.route)*1000 + a.status - b.status
	}) {
		fmt.Fprintf(w, "fanout_serve_requests_total{route=%s,status=\"%d\"} %d\n", label(k.route), k.status, m.routes[k])
	}
	fmt.Fprint(w, "# HELP fanout_serve_response_bytes_total Bytes of bodies sent.\n# TYPE fanout_serve_response_bytes_total counter\n")
	routes := slices.Sorted(maps.Keys(m.took))
	for _, r := range routes {
		fmt.Fprintf(w, "fanout_serve_response_bytes_total{route=%s} %d\n", label(r), m.took[r].bytes)
	}
	fmt.Fprint(w, "# HELP fanout_serve_request_seconds How long requests took.\n# TYPE fanout_serve_request_seconds histogram\n")
	for _, r := range routes {
		m.took[r].write(w, label(r))
	}
}

func (h *histogram) write(w io.Writer, route string) {
	n := 0
	for i, count := range h.buckets {
		n += count
		end := "+Inf"
		if i < len(bounds) {
			end = number(bounds[i])
		}
		fmt.Fprintf(w, "fanout_serve_request_seconds_bucket{route=%s,le=%q} %d\n", route, end, n)
	}
	fmt.Fprintf(w, "fanout_serve_request_seconds_sum{route=%s} %s\nfanout_serve_request_seconds_count{route=%[1]s} %[3]d\n", route, number(h.sum), n)
}

func number(x float64) string { return strconv.FormatFloat(x, 'g', -1, 64) }

var labelEscapes = strings.NewReplacer(`\`, `\\`, `"`, `\"`, "\n", `\n`)

func label(text string) string { return `"` + labelEscapes.Replace(text) + `"` }
