package nomad

import (
	"context"
	"errors"
	"net/http"
	"time"

	"github.com/hashicorp/nomad/api"

	"github.com/fanout-dev/fanout/internal/nomad/internal/answer"
)

// A place is a region and a namespace; empty means the agent's own. Every request
// about a job has to name both.
type place struct{ region, namespace string }

func (p place) write(ctx context.Context, token string) *api.WriteOptions {
	return (&api.WriteOptions{Region: p.region, Namespace: p.namespace, IdempotencyToken: token}).WithContext(ctx)
}

func (p place) query(ctx context.Context) *api.QueryOptions {
	return (&api.QueryOptions{Region: p.region, Namespace: p.namespace}).WithContext(ctx)
}

// callers is how many requests may be in flight: servers refuse a client that
// sends too many, and more would not be faster.
const callers = 8

// requestLimit is how long one request may take: what does not answer by then is
// away.
const requestLimit = time.Minute

// retry repeats a request about a place that fails for a passing reason, until the
// place has been away for too long.
func (e *Executor) retry(ctx context.Context, p place, doing string, do func(context.Context) error) error {
	begin, wait := time.Now(), 100*time.Millisecond
	for {
		err := e.call(ctx, p, do)
		if err == nil || !e.passing(p, err) || time.Since(begin) > e.o.retryFor || e.gone(p) != nil {
			return answer.Explain(doing, err)
		}
		if s := e.sites[p]; !s.isOpen() && time.Since(begin) > awayAfter {
			e.announce(s, true)
		}
		select {
		case <-ctx.Done():
			return answer.Explain(doing, err)
		case <-time.After(wait):
		}
		wait = min(2*wait, 5*time.Second)
	}
}

// call makes one request about a place once a slot is free. Each place has its own
// slots: one that does not answer holds up no other.
func (e *Executor) call(ctx context.Context, p place, do func(context.Context) error) error {
	s, slots := e.sites[p], e.slots
	if s != nil {
		slots = s.slots
	}
	select {
	case slots <- struct{}{}:
	case <-ctx.Done():
		return ctx.Err()
	}
	defer func() { <-slots }()
	if !s.isOpen() {
		defer time.AfterFunc(awayAfter, func() { e.announce(s, true) }).Stop()
	}
	limited, cancel := context.WithTimeout(ctx, requestLimit)
	defer cancel()
	err := do(limited)
	if ctx.Err() == nil {
		s.saw(err)
	}
	return err
}

// passing reports whether retrying may help: a broken connection to a cluster
// that was reached before, too many requests, a leader election, an id that does
// not exist yet, a region that was there or that is one of several.
func (e *Executor) passing(p place, err error) bool {
	code := answer.Status(err)
	if code == 0 {
		return e.reached.Load() && !errors.Is(err, context.Canceled)
	}
	e.reached.Store(true)
	switch {
	case answer.Conflicted(err):
		return false
	case code == http.StatusNotFound, code == http.StatusTooManyRequests:
		return true
	case code < 500:
		return false
	case answer.NoRegion(err):
		return len(e.sites) > 1 || e.sites[p] != nil && e.sites[p].isOpen()
	}
	return answer.Away(err) || code != http.StatusInternalServerError
}
