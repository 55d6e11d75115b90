package runner

import (
	"context"
	"time"
)

// A guard stops a kernel: it interrupts, terminates and kills it, each step only
// if the one before had no effect.
type guard struct {
	kernel session
	grace  time.Duration
	run    <-chan struct{} // closed when the run has taken too long
	asked  chan struct{}   // holds a token when the kernel has asked for input
}

// watch guards one cell. The returned function ends the guarding and returns why
// the kernel was stopped, if it was.
func (g *guard) watch(ctx context.Context, limit time.Duration) (release func() stop) {
	over, why := make(chan struct{}), make(chan stop, 1)
	go func() { why <- g.sit(ctx, limit, over) }()
	return func() stop {
		close(over)
		return <-why
	}
}

func (g *guard) sit(ctx context.Context, limit time.Duration, over <-chan struct{}) stop {
	var late <-chan time.Time
	if limit > 0 {
		t := time.NewTimer(limit)
		defer t.Stop()
		late = t.C
	}
	var why stop
	select {
	case <-over:
		return notStopped
	case <-late:
		why = stopCell
	case <-g.run:
		why = stopRun
	case <-ctx.Done():
		why = stopCancel
	case <-g.asked:
		why = stopInput
	}
	g.escalate(over)
	return why
}

// escalate takes three quarters of the grace period; the last quarter is for
// recording the end.
func (g *guard) escalate(over <-chan struct{}) {
	_ = g.kernel.Interrupt() // on failure the next step follows
	if wait(over, g.grace/2) {
		return
	}
	g.kernel.Terminate()
	if wait(over, g.grace/4) {
		return
	}
	g.kernel.Kill()
}

// wait reports whether c was closed within d.
func wait(c <-chan struct{}, d time.Duration) bool {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-c:
		return true
	case <-t.C:
		return false
	}
}
