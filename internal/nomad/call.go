package nomad

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"time"

	"github.com/hashicorp/nomad/api"
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

// retryFor is how long requests are retried while the cluster has a fault.
const retryFor = 5 * time.Minute

// retry repeats a request that fails for a passing reason.
func (e *Executor) retry(ctx context.Context, doing string, do func() error) error {
	begin, wait := time.Now(), 100*time.Millisecond
	for {
		err := e.call(ctx, do)
		if err == nil || !e.passing(err) || time.Since(begin) > retryFor {
			return explain(doing, err)
		}
		select {
		case <-ctx.Done():
			return explain(doing, err)
		case <-time.After(wait):
		}
		wait = min(2*wait, 5*time.Second)
	}
}

// call makes one request once a slot is free.
func (e *Executor) call(ctx context.Context, do func() error) error {
	select {
	case e.slots <- struct{}{}:
	case <-ctx.Done():
		return ctx.Err()
	}
	defer func() { <-e.slots }()
	return do()
}

// passing reports whether retrying may help: a broken connection to a cluster
// that was reached before, too many requests, a leader election, an id that does
// not exist yet.
func (e *Executor) passing(err error) bool {
	var answer api.UnexpectedResponseError
	if !errors.As(err, &answer) {
		return e.reached.Load() && !errors.Is(err, context.Canceled)
	}
	e.reached.Store(true)
	if conflicted(err) {
		return false
	}
	switch code := answer.StatusCode(); {
	case code == http.StatusNotFound, code == http.StatusTooManyRequests:
		return true
	case code < 500:
		return false
	}
	for _, passes := range []string{"No cluster leader", "rpc error", "EOF", "connection"} {
		if strings.Contains(answer.Body(), passes) {
			return true
		}
	}
	return answer.StatusCode() != http.StatusInternalServerError
}

// missing reports whether Nomad does not know what was asked for.
func missing(err error) bool { return statusOf(err) == http.StatusNotFound }

// statusOf is the HTTP status of the cluster's answer, 0 if there was none.
func statusOf(err error) int {
	var answer api.UnexpectedResponseError
	if errors.As(err, &answer) {
		return answer.StatusCode()
	}
	return 0
}

// explain adds to an error what was being done and, on one line, what the server
// answered.
func explain(doing string, err error) error {
	if err == nil {
		return nil
	}
	var answer api.UnexpectedResponseError
	if !errors.As(err, &answer) {
		return &clusterError{fmt.Errorf("%s: %w", doing, err), err, hintFor(0, err.Error())}
	}
	body := strings.Join(strings.Fields(answer.Body()), " ")
	return &clusterError{fmt.Errorf("%s: Nomad says %d: %s", doing, answer.StatusCode(), body), err, hintFor(answer.StatusCode(), body)}
}

// clusterError is a failed request, with what to do about it.
type clusterError struct {
	error
	answer error // as the client gave it
	hint   string
}

func (e *clusterError) Unwrap() error { return e.answer }

// Hint says what to do about it.
func (e *clusterError) Hint() string { return e.hint }

func hintFor(code int, body string) string {
	switch {
	case code == 0 && strings.Contains(body, "x509"):
		return "NOMAD_CACERT names the authority of the cluster's certificate"
	case code == 0:
		return "is NOMAD_ADDR right, and is the agent running?"
	case code == http.StatusForbidden:
		return "is NOMAD_TOKEN set and still valid? it needs " + rights + " in the namespace"
	case strings.Contains(body, "No path to region"):
		return "`nomad server members` lists the regions"
	case strings.Contains(body, "nonexistent namespace"):
		return "`nomad namespace list` lists the namespaces"
	case strings.Contains(body, "nonexistent node pool"):
		return "`nomad node pool list` lists the node pools"
	case strings.Contains(body, "is stopped"):
		return "somebody stopped the sweep's job; run the same command again to register it"
	}
	return "docs/nomad.md lists what a cluster needs"
}

// rights are the capabilities that a token needs.
const rights = "parse-job, register-job, dispatch-job, deregister-job, list-jobs, read-job and read-logs"
