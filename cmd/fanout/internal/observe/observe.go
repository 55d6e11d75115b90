// Package observe lets others watch what an invocation of fanout does: numbers for
// Prometheus, where --metrics says. Nothing that is executed waits for it, or fails
// because of it.
package observe

import (
	"context"
	"fmt"

	"github.com/fanout-dev/fanout/cmd/fanout/internal/release"
	"github.com/fanout-dev/fanout/internal/fan"
	"github.com/fanout-dev/fanout/internal/metrics"
	"github.com/fanout-dev/fanout/internal/store"
	"github.com/fanout-dev/fanout/internal/sweep"
)

// Usage is what the flag is about.
const Usage = "numbers for Prometheus at this `address`, such as 9464 or 0.0.0.0:9464, or in a file that ends in .prom"

// roles are the verbs that are watched, by what they are to others.
var roles = map[string]string{"run": "run", "rerun": "run", "fire": "run", "worker": "worker", "serve": "serve"}

// An Observer watches one invocation. A nil one watches nothing.
type Observer struct {
	Metrics *metrics.Set

	role    string
	exposed *metrics.Exposed
	runs    *metrics.Runs
	warn    func(string)
}

// Begin watches a verb, if it is one that executes or serves: numbers can be had at
// where, "" is nowhere. It is a mistake if that names no place; a place that cannot be
// had is a warning. Stores that are opened with the context are watched, too.
func Begin(ctx context.Context, verb, where string, warn func(string)) (context.Context, *Observer, error) {
	role := roles[verb]
	if role == "" || where == "" && role != "serve" {
		return ctx, nil, nil
	}
	place, err := metrics.Place{}, error(nil)
	if where != "" {
		if place, err = metrics.ParsePlace(where); err != nil {
			return ctx, nil, err
		}
	}
	r := release.Of()
	o := &Observer{Metrics: metrics.New(role, metrics.Build{Version: r.Version, Commit: r.Commit, Go: r.Go}, place), role: role, warn: warn}
	problem := func(err error) { warn(fmt.Sprintf("metrics at %s: %v", where, err)) }
	if where != "" {
		if o.exposed, err = o.Metrics.Expose(place, problem); err != nil {
			problem(err)
		}
	}
	return store.Counted(ctx, o.Metrics.Request), o, nil
}

// Where is where numbers can be had; "" is nowhere.
func (o *Observer) Where() string {
	if o == nil || o.exposed == nil {
		return ""
	}
	return o.exposed.Where
}

// Runs watches the runs of a sweep, once: what is returned takes notes about them,
// and passes them on.
func (o *Observer) Runs(s *sweep.Sweep, note func(sweep.Note)) func(sweep.Note) {
	if o == nil {
		return note
	}
	o.runs = o.Metrics.Runs(s, o.role == "run")
	return func(n sweep.Note) {
		o.runs.Note(n)
		note(n)
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
	if o == nil || o.exposed == nil {
		return
	}
	if err := o.exposed.Close(); err != nil {
		o.warn(fmt.Sprintf("metrics at %s: %v", o.exposed.Where, err))
	}
}
