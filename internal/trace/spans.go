package trace

import (
	"context"
	"fmt"

	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/codes"
	api "go.opentelemetry.io/otel/trace"

	"github.com/fanout-dev/fanout/internal/notebook"
	"github.com/fanout-dev/fanout/internal/outcome"
	"github.com/fanout-dev/fanout/internal/store"
	"github.com/fanout-dev/fanout/internal/sweep"
	"github.com/fanout-dev/fanout/internal/unit"
)

// ended is an attempt that ended.
type ended struct {
	run     string
	attempt int
	outcome outcome.Outcome
}

// runs makes the spans of the runs of a sweep: one for each run, beneath it one for each
// attempt, and beneath that one for the start of the kernel and for each cell. Only its
// own goroutine uses it.
type runs struct {
	sweep  *sweep.Sweep
	tracer api.Tracer
	open   map[string]open // by run
}

// open is the span of a run that may be tried again.
type open struct {
	ctx  context.Context
	span api.Span
	last outcome.Outcome
}

// attempt makes the spans of an attempt, and ends that of its run where no other will
// come.
func (r *runs) attempt(ctx context.Context, e ended) {
	o := e.outcome
	run, began := r.open[e.run]
	if !began {
		run.ctx, run.span = r.tracer.Start(context.Background(), r.title(e.run), api.WithNewRoot(), api.WithTimestamp(o.Start), api.WithAttributes(r.about(e.run)...))
	}
	run.last = o
	at, span := r.tracer.Start(run.ctx, fmt.Sprintf("attempt %d", e.attempt), api.WithTimestamp(o.Start), api.WithAttributes(
		attribute.String("fanout.run", e.run), attribute.Int("fanout.attempt", e.attempt),
		attribute.Float64("fanout.cpu_seconds", o.CPU.Seconds()), attribute.Int64("fanout.peak_rss_bytes", o.PeakRSS),
	))
	setTexts(span, "host.name", o.Host, "fanout.node", o.Node, "fanout.kernel", o.Kernel)
	if span.IsRecording() {
		r.inside(ctx, at, e)
	}
	end(span, o)
	if o.Status == outcome.Succeeded {
		end(run.span, o)
		delete(r.open, e.run)
		return
	}
	r.open[e.run] = run
}

// title is what a list of traces shows of a run: there are as many as sweeps and steps.
func (r *runs) title(id string) string {
	title := "run " + r.sweep.Name()
	if st, _ := r.sweep.Run(id); st.Run.Template != "" {
		title += ": " + st.Run.Template
	}
	return unit.Cut(title, maxTitle)
}

const maxTitle = 200

// setTexts sets attributes, in pairs of names and texts, that are not empty.
func setTexts(span api.Span, pairs ...string) {
	for i := 0; i < len(pairs); i += 2 {
		if pairs[i+1] != "" {
			span.SetAttributes(attribute.String(pairs[i], pairs[i+1]))
		}
	}
}

// about is what is known of a run without the values of its parameters.
func (r *runs) about(id string) []attribute.KeyValue {
	st, _ := r.sweep.Run(id)
	about := []attribute.KeyValue{
		attribute.String("fanout.sweep", r.sweep.Name()), attribute.String("fanout.sweep_id", r.sweep.ID()),
		attribute.String("fanout.run", id), attribute.String("fanout.parameters_digest", digest(st.Run)),
	}
	if st.Run.Template != "" {
		about = append(about, attribute.String("fanout.step", st.Run.Template))
	}
	return about
}

// digest is the same for runs with the same parameters, in whichever sweep.
func digest(run sweep.Run) string {
	text := ""
	for _, p := range run.Params {
		text += fmt.Sprintf("%q=%s\n", p.Name, p.Value)
	}
	return sweep.Digest([]byte(text))
}

// inside makes the spans within an attempt. Of a notebook that cannot be read there
// are none.
func (r *runs) inside(ctx, at context.Context, e ended) {
	o := e.outcome
	if o.KernelStart > 0 {
		_, span := r.tracer.Start(at, "start kernel", api.WithTimestamp(o.Start), api.WithAttributes(attribute.String("fanout.kernel", o.Kernel)))
		span.End(api.WithTimestamp(o.Start.Add(o.KernelStart)))
	}
	b, err := store.GetSmall(ctx, r.sweep.Store(), sweep.AttemptKey(e.run, e.attempt))
	if err != nil {
		return
	}
	doc, err := notebook.Decode(b)
	if err != nil {
		return
	}
	numbers := doc.CodeNumbers()
	for i, c := range doc.Cells {
		start, stop, failed := c.Times()
		if c.Type != "code" || start.IsZero() || stop.Before(start) {
			continue
		}
		_, span := r.tracer.Start(at, fmt.Sprintf("cell %d", numbers[i]), api.WithTimestamp(start), api.WithAttributes(attribute.Int("fanout.cell", numbers[i]), attribute.String("fanout.cell_id", unit.Cut(c.ID, 64))))
		if failed {
			span.SetStatus(codes.Error, "")
		}
		span.End(api.WithTimestamp(stop))
	}
}

// close ends the spans of runs that did not succeed.
func (r *runs) close() {
	for _, run := range r.open {
		end(run.span, run.last)
	}
}

// end ends a span with how an attempt ended.
func end(span api.Span, o outcome.Outcome) {
	setTexts(span, "fanout.status", string(o.Status), "fanout.reason", string(o.Kind))
	switch o.Status {
	case outcome.Succeeded:
		span.SetStatus(codes.Ok, "")
	case outcome.Canceled: // not a failure
	default:
		span.SetStatus(codes.Error, unit.Cut(o.Reason, maxReason))
	}
	stop := o.End
	if stop.Before(o.Start) {
		stop = o.Start
	}
	span.End(api.WithTimestamp(stop))
}

// maxReason is how many characters of a reason are worth sending.
const maxReason = 500
