// Package trace tells a collector of OpenTelemetry how long runs, attempts and cells
// took.
//
// In go the notes about attempts that ended; out come spans, by OTLP over HTTP. The
// times of cells are read from the notebook that the attempt left, so that kernels pay
// nothing. It is the only home of OpenTelemetry's library.
//
// It promises that nothing waits for it: what does not fit into its queue, and what a
// collector does not take, is left out, and somebody is told once. Spans name runs by
// their ids and parameters by a digest, never by their values.
package trace

import (
	"context"
	"fmt"
	"os"
	"sync"
	"time"

	"go.opentelemetry.io/otel"
	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/exporters/otlp/otlptrace"
	"go.opentelemetry.io/otel/sdk/resource"
	sdk "go.opentelemetry.io/otel/sdk/trace"

	"github.com/fanout-dev/fanout/internal/sweep"
	"github.com/fanout-dev/fanout/internal/unit"
)

// Bounds: of attempts whose notebooks have not been read, of spans that have not been
// sent, and of how long the end of a command waits for a collector.
const (
	maxWaiting = 2000
	maxSpans   = 8192
	endWithin  = 5 * time.Second
)

// Traces tells a collector of one process's attempts until Close.
type Traces struct {
	provider *sdk.TracerProvider
	warn     func(string)
	once     sync.Once
	within   time.Duration // of Close

	ended chan ended
	done  chan struct{}   // closed when all is read; nil before Runs
	quit  context.Context // nothing is read any more
	stop  context.CancelFunc
}

// Wanted reports whether the environment names a collector.
func Wanted() bool {
	return endpoint() != "" && os.Getenv("OTEL_SDK_DISABLED") != "true" && os.Getenv("OTEL_TRACES_EXPORTER") != "none"
}

// New makes the traces that the environment asks for, of this version of fanout. warn
// is called at most once, from another goroutine.
func New(version string, warn func(string)) (*Traces, error) {
	client, err := newClient()
	if err != nil {
		return nil, err
	}
	about, err := resource.New(context.Background(), resource.WithAttributes(attribute.String("service.name", "fanout"), attribute.String("service.version", version)), resource.WithTelemetrySDK(), resource.WithFromEnv())
	if err != nil {
		return nil, fmt.Errorf("OTEL_RESOURCE_ATTRIBUTES: %w", err)
	}
	var batches []sdk.BatchSpanProcessorOption
	if os.Getenv("OTEL_BSP_MAX_QUEUE_SIZE") == "" {
		batches = append(batches, sdk.WithMaxQueueSize(maxSpans))
	}
	t := &Traces{warn: warn, within: endWithin, ended: make(chan ended, maxWaiting)}
	t.quit, t.stop = context.WithCancel(context.Background())
	otel.SetErrorHandler(otel.ErrorHandlerFunc(t.problem))
	t.provider = sdk.NewTracerProvider(sdk.WithBatcher(otlptrace.NewUnstarted(client), batches...), sdk.WithResource(about))
	return t, nil
}

// problem tells somebody the first thing that goes wrong.
func (t *Traces) problem(err error) {
	t.once.Do(func() { t.warn("traces: " + unit.Complaint(err) + "; what is not sent is left out") })
}

// Runs takes notes about the runs of a sweep. It is called once.
func (t *Traces) Runs(s *sweep.Sweep) func(sweep.Note) {
	r := &runs{sweep: s, tracer: t.provider.Tracer("github.com/fanout-dev/fanout"), open: map[string]open{}}
	t.done = make(chan struct{})
	go func() {
		defer close(t.done)
		for e := range t.ended {
			r.attempt(t.quit, e)
		}
		r.close()
	}()
	return func(n sweep.Note) {
		if n.Kind != sweep.NoteEnded || n.Outcome == nil {
			return
		}
		select {
		case t.ended <- ended{n.Run, n.Attempt, *n.Outcome}:
		default:
			t.problem(fmt.Errorf("%d attempts are waiting to be read", maxWaiting))
		}
	}
}

// Close sends what is left, within five seconds. No note may come after it.
func (t *Traces) Close() {
	ctx, cancel := context.WithTimeout(context.Background(), t.within)
	defer cancel()
	defer t.stop()
	defer context.AfterFunc(ctx, t.stop)()
	if close(t.ended); t.done != nil {
		<-t.done
	}
	if err := t.provider.Shutdown(ctx); err != nil {
		t.problem(err)
	}
}
