package remote

import (
	"errors"
	"fmt"
	"net/http"
	"sync"
	"time"

	"github.com/fanout-dev/fanout/internal/certificate"
)

// Health knows how long a server has not answered, whichever requests it was asked, and
// when it is given up. The zero Health is patient, and tells nobody.
type Health struct {
	Limit time.Duration // how long it may not answer; 0 is Patience
	Tell  func()        // called once it has not answered for a while; may be nil
	Count func(Request) // called with each request; may be nil

	mu      sync.Mutex
	since   time.Time // the first request in a row that was not answered; zero if there is none
	told    bool
	reached bool // it has answered once
}

const (
	// Patience is how long a server may not answer while runs are executed.
	Patience = 4 * time.Minute

	// tellAfter is how long it has not answered when people are told.
	tellAfter = 5 * time.Second
)

// GivenUpError reports a server that has not answered for too long.
type GivenUpError struct {
	For time.Duration
	err error // of the last request
}

func (e *GivenUpError) Error() string {
	return fmt.Sprintf("it has not answered for %s: %v", e.For.Round(time.Second), e.err)
}

func (e *GivenUpError) Unwrap() error { return e.err }

// Hint says what to do, where nothing better is known.
func (*GivenUpError) Hint() string {
	return "is the endpoint right, and does the server run? once it answers, run the same command again"
}

// CanceledError keeps Amazon's SDK from sending the request again.
func (*GivenUpError) CanceledError() bool { return true }

// UntrustedError reports a server that was never reached, because it cannot be trusted:
// waiting for it helps nobody.
type UntrustedError struct{ err error }

func (e *UntrustedError) Error() string { return e.err.Error() }
func (e *UntrustedError) Unwrap() error { return e.err }

// CanceledError keeps Amazon's SDK from sending the request again.
func (*UntrustedError) CanceledError() bool { return true }

// Attempts is how often a request is sent that is answered each time, and has to be
// repeated all the same.
func (h *Health) Attempts() int {
	if h.limit() < Patience {
		return hurriedAttempts
	}
	return Attempts
}

// Again is told of each such attempt, from 1, and tells people after some.
func (h *Health) Again(n int) {
	if n >= tellAttempts {
		h.tell()
	}
}

// limit is how long the server may not answer.
func (h *Health) limit() time.Duration {
	if h.Limit == 0 {
		return Patience
	}
	return h.Limit
}

// asking is told of a request, and tells people if no answer to it comes.
func (h *Health) asking(r *http.Request) (answered func() bool) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if r.Method != http.MethodGet && r.Method != http.MethodHead && h.since.IsZero() {
		return func() bool { return true } // what it takes to send a body is not known
	}
	wait := tellAfter
	if !h.since.IsZero() {
		wait = max(0, wait-time.Since(h.since))
	}
	return time.AfterFunc(wait, h.tell).Stop
}

func (h *Health) tell() {
	h.mu.Lock()
	told := h.told
	h.told = true
	h.mu.Unlock()
	if !told && h.Tell != nil {
		h.Tell()
	}
}

// saw is told how a request went that began then, and returns that or, if there was no
// answer for too long, an error that ends all attempts.
func (h *Health) saw(r *http.Request, began time.Time, res *http.Response, err error) (*http.Response, error) {
	if r.Context().Err() != nil {
		return res, err
	}
	h.mu.Lock()
	defer h.mu.Unlock()
	if proper(res, err) {
		h.since, h.told, h.reached = time.Time{}, false, true
		return res, nil
	}
	if !h.reached && certificate.Wrong(err) {
		return nil, &UntrustedError{err}
	}
	if h.since.IsZero() {
		h.since = began
	}
	silent := time.Since(h.since)
	if silent < h.limit() {
		return res, err
	}
	if err == nil {
		err = errors.Join(fmt.Errorf("the server says %s", res.Status), res.Body.Close())
	}
	return nil, &GivenUpError{silent, err}
}
