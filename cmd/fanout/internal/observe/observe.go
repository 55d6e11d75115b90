// Package observe lets others watch what an invocation of fanout does: numbers for
// Prometheus, where --metrics says, events for logs, where --log-output says, and spans
// for OpenTelemetry, where its environment says. Nothing that is executed waits for it,
// or fails because of it.
package observe

import (
	"context"
	"fmt"
	"io"
	"os"
	"path/filepath"

	"github.com/spf13/pflag"

	"github.com/fanout-dev/fanout/cmd/fanout/internal/release"
	"github.com/fanout-dev/fanout/cmd/fanout/internal/settings"
	"github.com/fanout-dev/fanout/internal/fan"
	"github.com/fanout-dev/fanout/internal/lease"
	"github.com/fanout-dev/fanout/internal/metrics"
	"github.com/fanout-dev/fanout/internal/ship"
	"github.com/fanout-dev/fanout/internal/store"
	"github.com/fanout-dev/fanout/internal/sweep"
	"github.com/fanout-dev/fanout/internal/trace"
	"github.com/fanout-dev/fanout/internal/unit"
)

// AddFlags adds the flags of verbs that are watched.
func AddFlags(fl *pflag.FlagSet) {
	fl.String("log-output", "off", logUsage)
	fl.Lookup("log-output").NoOptDefVal = "text"
	fl.String("metrics", "", metricsUsage)
}

const logUsage = "print what the cells print, each line preceded by the name of its run; or tell the log at this `place` what goes on: json, json:FILE, syslog or journald"

const metricsUsage = "numbers for Prometheus at this `address`, such as 9464 or 0.0.0.0:9464, or in a file that ends in .prom"

// roles are the verbs that are watched, by what they are to others.
var roles = map[string]string{"run": "run", "rerun": "run", "fire": "run", "worker": "worker", "serve": "serve"}

// An Observer watches one invocation. A nil one watches nothing.
type Observer struct {
	role    string
	metrics *metrics.Set // nil: nobody asks for numbers
	exposed *metrics.Exposed
	runs    *metrics.Runs
	traces  *trace.Traces // nil: nobody asks for spans
	logs    *ship.Log     // nil: nobody asks for events
	place   ship.Place    // of the log
	warn    func(string)
}

// Wanted is what a user asks to have watched.
type Wanted struct {
	Metrics string       // where numbers can be had; "" is nowhere
	Logs    string       // where events go
	Stderr  unit.Printer // of the invocation
	Warn    func(string) // may be called from other goroutines
}

// Begin watches a verb, if it is one that executes or serves. It is a mistake if what is
// wanted names no place; whatever else cannot be had is a warning. Stores that are opened
// with the context are watched, too.
func Begin(ctx context.Context, verb string, w Wanted) (context.Context, *Observer, error) {
	o := &Observer{role: roles[verb], warn: w.Warn}
	var err error
	if o.place, err = ship.ParsePlace(w.Logs); err != nil && o.role != "" {
		return ctx, nil, err
	}
	counts, traces, logs := o.role != "" && w.Metrics != "" || o.role == "serve", o.role == "run" && trace.Wanted(), o.role != "" && o.place.Ships()
	if o.role == "serve" {
		os.Setenv(settings.Variable("log_output"), o.forOthers())
	}
	if !counts && !traces && !logs {
		return ctx, nil, nil
	}
	if logs {
		o.logs = ship.New(o.role, o.place, w.Stderr.Data(), w.Warn)
		o.logs.Tell(ship.Event{Event: "start", Text: lease.DeedOf(ctx).Command})
	}
	if traces {
		if o.traces, err = trace.New(release.Of().Version, w.Warn); err != nil {
			w.Warn("traces: " + err.Error())
		}
	}
	if !counts {
		return ctx, o, nil
	}
	if err := o.count(w.Metrics); err != nil {
		return ctx, nil, err
	}
	return store.Counted(ctx, o.metrics.Request), o, nil
}

// forOthers is where the commands that a server starts tell what goes on: where it does
// itself, except on stderr, which has what people see of them.
func (o *Observer) forOthers() string {
	if !o.place.Ships() || o.place.Stderr() {
		return "off"
	}
	if file := o.place.File(); file != "" {
		if whole, err := filepath.Abs(file); err == nil {
			return "json:" + whole
		}
	}
	return o.place.String()
}

// ForWorkers is where the workers of a cluster tell what goes on, "" for what they do by
// themselves: a file here is none of theirs.
func ForWorkers(logs string) string {
	if p, err := ship.ParsePlace(logs); err == nil && p.Ships() && p.File() == "" {
		return p.String()
	}
	return ""
}

// AsText says whether people want to read on stderr what the cells print.
func AsText(logs string) bool {
	p, err := ship.ParsePlace(logs)
	return err == nil && p.Text()
}

// Stderr is where to print words for people, which the log has, too, where it is stderr
// itself or a server's.
func (o *Observer) Stderr(p unit.Printer) unit.Printer {
	switch {
	case o == nil || o.logs == nil:
		return p
	case o.place.Stderr():
		return unit.NewPrinter(o.logs.Lines())
	case o.role == "serve":
		return unit.NewPrinter(io.MultiWriter(p.Data(), o.logs.Lines()))
	}
	return p
}

// Warned tells the log of a warning that was printed.
func (o *Observer) Warned(text string) {
	if o != nil && o.logs != nil && o.role != "serve" && !o.place.Stderr() {
		o.logs.Tell(ship.Event{Event: "warning", Text: text})
	}
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
	if o.logs != nil {
		head, _ := s.Head()
		told = append(told, o.logs.Runs(s, head.Recipe.Secrets))
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

// Close ends the watching of an invocation that ended with this code, and why.
func (o *Observer) Close(code int, why error) {
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
	if o.logs != nil {
		text := fmt.Sprintf("exit code %d", code)
		if why != nil {
			text = unit.Complaint(why)
		}
		o.logs.Tell(ship.Event{Event: "exit", Code: &code, Text: text})
		o.logs.Close()
	}
}
