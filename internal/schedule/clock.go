package schedule

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"reflect"
	"slices"
	"strings"
	"time"

	"github.com/fanout-dev/fanout/internal/store"
)

// A Clock fires the schedules of the sweeps that it is shown.
type Clock struct {
	Sweeps func(ctx context.Context) ([]string, error) // their places
	Open   func(ctx context.Context, where string) (store.Store, error)
	// Fire fires what is pending in a sweep, with Take, and returns when that has
	// ended. When its context ends, it stops the firing.
	Fire   func(ctx context.Context, where string) error
	Report func(text string)
	Every  time.Duration // between two looks for new and changed schedules; 0 is 20 s
	AtOnce int           // firings of different sweeps; 0 is 4

	watched map[string]*watched
	ended   chan ending
	running int
	told    map[string]bool
}

// watched is what the clock knows of a sweep.
type watched struct {
	store    store.Store
	mark     string // of the schedule that was read last
	none     bool   // nothing is fired here until the mark is another one
	schedule Schedule
	next     time.Time // nothing is pending before; zero: look
	firing   bool
	tried    time.Time // the due time that was fired last
	tries    int       // at it, by this clock
	retry    time.Time // not before
}

// ending is that a firing has ended.
type ending struct {
	where string
	err   error
}

// Run fires until the context ends, and then waits for the firings to stop.
func (c *Clock) Run(ctx context.Context) {
	c.Every, c.AtOnce = cmp.Or(c.Every, 20*time.Second), cmp.Or(c.AtOnce, 4)
	c.watched, c.told, c.ended = map[string]*watched{}, map[string]bool{}, make(chan ending)
	var places []string
	for found := (time.Time{}); ctx.Err() == nil; {
		if now := time.Now(); !now.Before(found.Add(c.Every)) {
			places, found = c.find(ctx, places), now
		}
		wake := c.look(ctx, places, found.Add(c.Every))
		timer := time.NewTimer(time.Until(wake))
		select {
		case <-ctx.Done():
		case <-timer.C:
		case e := <-c.ended:
			c.end(e)
		}
		timer.Stop()
	}
	for c.running > 0 {
		c.end(<-c.ended)
	}
}

// find lists the sweeps; where that fails the earlier list stays.
func (c *Clock) find(ctx context.Context, before []string) []string {
	places, err := c.Sweeps(ctx)
	if err != nil {
		c.report(ctx, "", fmt.Errorf("look for schedules: %w", err))
		return before
	}
	for where, w := range c.watched {
		if !w.firing && !slices.Contains(places, where) {
			delete(c.watched, where)
		}
	}
	return places
}

// look fires what is pending, the earliest first, and returns when to look again.
func (c *Clock) look(ctx context.Context, places []string, wake time.Time) time.Time {
	type due struct {
		where string
		at    time.Time
	}
	var pending []due
	for _, where := range places {
		w := c.watched[where]
		if w == nil {
			w = &watched{}
			c.watched[where] = w
		}
		if w.firing {
			continue
		}
		at, err := c.pending(ctx, where, w)
		c.report(ctx, where, err)
		if !at.IsZero() {
			pending = append(pending, due{where, at})
		}
		if w.next.After(time.Now()) && w.next.Before(wake) {
			wake = w.next
		}
	}
	slices.SortStableFunc(pending, func(a, b due) int { return a.at.Compare(b.at) })
	for _, p := range pending {
		if c.running == c.AtOnce {
			break // one that ends wakes the clock
		}
		c.fire(ctx, p.where, p.at)
	}
	return wake
}

// pending is the due time of a sweep that is to be fired now. A schedule is read when
// it has changed, and its history only if it can have one.
func (c *Clock) pending(ctx context.Context, where string, w *watched) (time.Time, error) {
	now := time.Now()
	if w.store == nil {
		st, err := c.Open(ctx, where)
		if err != nil {
			return time.Time{}, err
		}
		w.store = st
	}
	st := w.store
	mark, err := mark(ctx, st)
	if err != nil {
		return time.Time{}, err
	}
	if mark != w.mark {
		if err := w.renew(ctx, mark); err != nil {
			return time.Time{}, err
		}
	}
	if w.none || mark == "" {
		return time.Time{}, nil
	}
	if now.Before(w.next) || now.Before(w.retry) {
		return time.Time{}, nil
	}
	_, at, err := Look(ctx, st, now)
	if errors.Is(err, fs.ErrNotExist) {
		return time.Time{}, nil // it was removed meanwhile
	}
	if err != nil {
		return time.Time{}, err
	}
	if at.IsZero() {
		w.next, err = w.schedule.Next(now)
		return at, err
	}
	if Busy(ctx, st) != "" {
		return time.Time{}, nil // the next look may find it free
	}
	return at, nil
}

// renew reads the schedule that has a mark. What cannot be read is read again.
func (w *watched) renew(ctx context.Context, mark string) error {
	s, err := Get(ctx, w.store)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		*w = watched{store: w.store}
		return err
	}
	if err != nil || s.On != "" || s.Paused || !reflect.DeepEqual(s, w.schedule) {
		*w = watched{store: w.store, schedule: s, none: err != nil || s.On != "" || s.Paused}
	}
	w.mark = mark
	return nil
}

func (c *Clock) fire(ctx context.Context, where string, at time.Time) {
	w := c.watched[where]
	if !w.tried.Equal(at) {
		w.tried, w.tries = at, 0
	}
	w.tries++
	w.firing = true
	c.running++
	go func() { c.ended <- ending{where, c.Fire(ctx, where)} }()
}

// end takes note of a firing that ended. If it is still pending, the next look
// fires it again, later each time.
func (c *Clock) end(e ending) {
	w := c.watched[e.where]
	c.running--
	w.firing, w.next = false, time.Time{}
	w.retry = time.Now().Add(time.Duration(w.tries-1) * time.Minute)
	c.report(context.Background(), e.where, e.err)
}

// report says once what is wrong with a sweep.
func (c *Clock) report(ctx context.Context, where string, err error) {
	if err == nil || ctx.Err() != nil {
		return
	}
	text := strings.TrimPrefix(where+": "+err.Error(), ": ")
	if c.Report != nil && !c.told[text] {
		c.told[text] = true
		c.Report(text)
	}
}
