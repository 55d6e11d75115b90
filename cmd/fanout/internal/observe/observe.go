// Package observe lets others watch what an invocation of fanout does: numbers for
// Prometheus, where --metrics says, and spans for OpenTelemetry, where its environment
// says. Nothing that is executed waits for it, or fails because of it.
package observe

import (
	"context"
	"fmt"

	"github.com/fanout-dev/fanout/cmd/fanout/internal/release"
	"github.com/fanout-dev/fanout/internal/fan"
	"github.com/fanout-dev/fanout/internal/metrics"
	"github.com/fanout-dev/fanout/internal/store"
	"github.com/fanout-dev/fanout/internal/sweep"
	"github.com/fanout-dev/fanout/internal/trace"
)

// Usage is what the flag is about.
const Usage = "numbers for Prometheus at this `address`, such as 9464 or 0.0.0.0:9464, or in a file that ends in .prom"

// roles are the verbs that are watched, by what they are to others.
var roles = map[string]string{"run": "run", "rerun": "run", "fire": "run", "worker": "worker", "serve": "serve"}

// An Observer watches one invocation. A nil one watches nothing.
type Observer struct {
	role    string
	metrics *metrics.Set // nil: nobody asks for numbers
	exposed *metrics.Exposed
	runs    *metrics.Runs
	traces  *trace.Traces // nil: nobody asks for spans
	warn    func(string)
}

// Begin watches a verb, if it is one that executes or serves: numbers can be had at
// where, "" is nowhere. It is a mistake if that names no place; whatever else cannot be
// had is a warning. Stores that are opened with the context are watched, too.
func Begin(ctx context.Context, verb, where string, warn func(string)) (context.Context, *Observer, error) {
	o := &Observer{role: roles[verb], warn: warn}
	counts, traces := o.role != "" && where != "" || o.role == "serve", o.role == "run" && trace.Wanted()
	if !counts && !traces {
		return ctx, nil, nil
	}
	if traces {
		var err error
		if o.traces, err = trace.New(release.Of().Version, warn); err != nil {
			warn("traces: " + err.Error())
		}
	}
	if !counts {
		return ctx, o, nil
	}
	if err := o.count(where); err != nil {
		return ctx, nil, err
	}
	return store.Counted(ctx, o.metrics.Request), o, nil
}

// count begins to count, for those who ask at where.
func (o *Observer) count(where string) error {
	var place metrics.Place
	if where != "" {
		var err error
		if place, err = metrics.ParsePlace(where); err != nil {
			return err
		}
	}
	r := release.Of()
	o.metrics = metrics.New(o.role, metrics.Build{Version: r.Version, Commit: r.Commit, Go: r.Go}, place)
	if where == "" {
		return nil
	}
	problem := func(err error) { o.warn(fmt.Sprintf("metrics at %s: %v", where, err)) }
	var err error
	if o.exposed, err = o.metrics.Expose(place, problem); err != nil {
		problem(err)
	}
	return nil
}

// Where is where numbers can be had; "" is nowhere.
func (o *Observer) Where() string {
	if o == nil || o.exposed == nil {
		return ""
	}
	return o.exposed.Where
}

// Metrics are what is counted; nil is nothing.
func (o *Observer) Metrics() *metrics.Set { return o.metrics }

// Runs watches the runs of a sweep, once: what is returned takes notes about them,
// and passes them on.
func (o *Observer) Runs(s *sweep.Sweep, note func(sweep.Note)) func(sweep.Note) {
	if o == nil {
		return note
	}
	told := []func(sweep.Note){note}
	if o.metrics != nil {
		o.runs = o.metrics.Runs(s, o.role == "run")
		told = append(told, o.runs.Note)
	}
	if o.traces != nil {
		told = append(told, o.traces.Runs(s))
	}
	return func(n sweep.Note) {
		for _, tell := range told {
			tell(n)
		}
	}
}

// Queue is told how many runs wait for what.
func (o *Observer) Queue(q fan.Queue) {
	if o.runs != nil {
		o.runs.Queue(q)
	}
}

// Close ends the watching.
func (o *Observer) Close() {
	if o == nil {
		return
	}
	if o.exposed != nil {
		if err := o.exposed.Close(); err != nil {
			o.warn(fmt.Sprintf("metrics at %s: %v", o.exposed.Where, err))
		}
	}
	if o.traces != nil {
		o.traces.Close()
	}
}
