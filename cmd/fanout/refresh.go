package main

import (
	"context"
	"time"
)

// refreshShare bounds what refreshing costs: the next one waits so many times
// as long as the last one took.
const refreshShare = 20

// refresh writes the tables again now and then while runs are made, notebooks
// under way included, until stop is called. A failure says nothing: the
// collecting at the end tells.
func (c *cli) refresh(ctx context.Context, j *job) (stop func()) {
	every := c.settings.GetDuration("refresh")
	if every <= 0 {
		return func() {}
	}
	ctx, cancel := context.WithCancel(ctx)
	done := make(chan struct{})
	go func() {
		defer close(done)
		seen := 0
		for wait := every; ; {
			select {
			case <-ctx.Done():
				return
			case <-time.After(wait):
			}
			n := j.Ended()
			if j.cluster != nil && n == seen {
				continue // to look into what others are making is not worth a table
			}
			seen = n
			begin := time.Now()
			if res, err := c.collectSweep(ctx, j.Sweep, nil); err == nil {
				res.Close()
			}
			wait = max(every, refreshShare*time.Since(begin))
		}
	}()
	return func() { cancel(); <-done }
}
