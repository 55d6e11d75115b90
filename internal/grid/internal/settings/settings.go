// Package settings reads what a sweep file defines besides its points: how runs
// are executed, limited, retried, compared and reported.
//
// In go the nodes of those keys, out comes a Sweep. Every key is listed once, in
// Keys, with the form of its value; package settings does nothing with it.
package settings

import (
	"time"

	"github.com/fanout-dev/fanout/internal/metric"
	"github.com/fanout-dev/fanout/internal/value"
)

// A Sweep has the settings of a sweep.
type Sweep struct {
	Name        string
	Kernel      string // kernelspec; empty is the template's
	Warm        string // auto, zmq or off
	SharePrefix bool
	Python      string
	Files       []string // patterns
	Inputs      []string // files, patterns and URIs
	Env         []EnvVar
	Metrics     []Metric
	Timeout     Timeout
	Retries     Retries
	Halt        Halt
	Budget      Budget
	Keep        []string // patterns
	StaleOn     []string
	MaxRuns     int
	Resources   Resources
	Workdir     string // empty, or shared
	Report      *Report
	Notify      []Notice
	HTML        *HTML
	Publish     *Publish
	Nomad       []value.Binding // as written: settings of that executor
}

// Default has the defaults of a sweep file.
func Default() Sweep {
	return Sweep{Warm: "auto", StaleOn: []string{"code", "files", "inputs", "upstream"}, MaxRuns: 10000}
}

// A Point has the settings of one point.
type Point struct {
	Timeout   Timeout
	Retries   Retries
	Resources Resources
	Kernel    string
}

// PerPoint has the settings of points that no override matches.
func (s *Sweep) PerPoint() Point {
	return Point{Timeout: s.Timeout, Retries: s.Retries, Resources: s.Resources, Kernel: s.Kernel}
}

// An Override changes the settings of some points.
type Override struct {
	timeout   *Timeout
	retries   *Retries
	resources *Resources
	kernel    string
}

// Over are settings with an override.
func (o Override) Over(base Point) Point {
	if o.timeout != nil {
		base.Timeout = o.timeout.over(base.Timeout)
	}
	if o.retries != nil {
		base.Retries = *o.retries
	}
	if o.resources != nil {
		base.Resources = o.resources.over(base.Resources)
	}
	if o.kernel != "" {
		base.Kernel = o.kernel
	}
	return base
}

func (t Timeout) over(base Timeout) Timeout {
	for _, x := range []struct{ to, from *Limit }{{&base.Start, &t.Start}, {&base.Cell, &t.Cell}, {&base.Run, &t.Run}} {
		if *x.from != (Limit{}) {
			*x.to = *x.from
		}
	}
	return base
}

func (r Resources) over(base Resources) Resources {
	if r.CPU != 0 {
		base.CPU = r.CPU
	}
	if r.Memory != 0 {
		base.Memory = r.Memory
	}
	return base
}

// An EnvVar is set in the environment of the kernels.
type EnvVar struct{ Name, Value string }

// A Metric is a scrap to compare runs by.
type Metric = metric.Metric

// A Limit is a duration, or a percentage of the median of finished runs.
type Limit struct {
	D       time.Duration
	Percent float64
}

// Timeout limits the parts of a run; zero is no limit.
type Timeout struct{ Start, Cell, Run Limit }

// Retries defines which failures are retried.
type Retries struct {
	N       int
	On      []string // statuses, reason kinds, exception names or patterns; empty is any failure
	Backoff time.Duration
	Max     int // for the whole sweep; 0 is no cap
}

// Halt stops a sweep that goes badly, in GNU parallel's grammar.
type Halt struct {
	When    string // never, soon or now
	What    string // fail, success or done
	N       int
	Percent float64
}

// Resources of a run.
type Resources struct {
	CPU    int   // MHz, for a cluster
	Memory int64 // bytes; 0 is no cap
}

// A Notice is sent when a sweep has ended: to a command, to a URL, or by mail.
type Notice struct {
	Command []string
	Mail    *Mail
	Webhook string
	// WebhookEnv is the environment variable that holds the URL instead.
	WebhookEnv string
	On         string // always, failure or success
	As         string // empty, or slack: the form of a webhook's body
	Link       string // address of a server that shows the sweep
}

// Mail is who gets the summary of a sweep by mail, and through which server.
type Mail struct {
	To          []string
	From        string
	Server      string // host:port
	User        string
	PasswordEnv string // environment variable that has the password
}

// A Report is the user's own report.
type Report struct {
	Template string
	After    bool // in addition to the summary, not instead of it
	Sections []string
}
