package remote

import (
	"context"
	"math/rand/v2"
	"time"
)

// How long requests are retried while a store is down or throttles: this many
// attempts, with pauses that grow from the first to the longest, take about four
// minutes.
const (
	Attempts = 38

	hurriedAttempts = 20 // where somebody waits, about a minute and a half
	tellAttempts    = 7  // after about five seconds

	firstPause = 50 * time.Millisecond
	maxPause   = 10 * time.Second
)

// Pause is how long to wait after the n-th attempt, from 1. Half of it is random, so
// that clients that were refused together do not come back together.
func Pause(n int) time.Duration {
	d := min(firstPause<<min(max(n-1, 0), 16), maxPause)
	return d/2 + rand.N(d/2)
}

// Wait pauses after the n-th attempt, until ctx ends.
func Wait(ctx context.Context, n int) {
	select {
	case <-time.After(Pause(n)):
	case <-ctx.Done():
	}
}
