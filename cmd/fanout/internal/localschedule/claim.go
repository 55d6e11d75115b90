package localschedule

import (
	"cmp"
	"context"
	"fmt"
	"time"

	"github.com/fanout-dev/fanout/cmd/fanout/internal/timetable"
	"github.com/fanout-dev/fanout/internal/firing"
	"github.com/fanout-dev/fanout/internal/lease"
	"github.com/fanout-dev/fanout/internal/schedule"
	"github.com/fanout-dev/fanout/internal/store"
	"github.com/fanout-dev/fanout/internal/unit"
)

// A Claimed firing is one that nobody else makes as long as Lock is held.
type Claimed struct {
	Schedule schedule.Schedule
	Firing   firing.Firing
	Lock     store.Lock
}

// Claim claims what is pending in a sweep, or the firing as of a time that a person
// asks for. Its Lock is nil if there is nothing to fire, and why has been said.
func (v Verbs) Claim(ctx context.Context, st store.Store, at string) (c Claimed, err error) {
	me := lease.Me()
	c.Firing = firing.Firing{By: "fanout on " + me.Host, Host: me.Host, User: me.User}
	if at == "" {
		c.Schedule, c.Firing.Due, c.Lock, err = schedule.Take(ctx, st, time.Now())
		if err == nil && c.Lock == nil {
			v.sayIdle(ctx, st, c.Schedule)
		}
		return c, err
	}
	due, err := time.Parse(time.RFC3339, at)
	if err != nil {
		return c, unit.Mistake(fmt.Errorf("--at %q: want a time such as 2026-03-01T02:00:00+01:00", at))
	}
	if c.Schedule, err = schedule.Get(ctx, st); err != nil {
		return c, err
	}
	c.Firing.Asked, c.Firing.Due = cmp.Or(v.For, me.User), timetable.In(due, c.Schedule.Zone)
	c.Lock, err = firing.Claim(ctx, st)
	return c, err
}

func (v Verbs) sayIdle(ctx context.Context, st store.Store, s schedule.Schedule) {
	next, err := s.Next(time.Now())
	switch why := schedule.Busy(ctx, st); {
	case why != "":
		v.Stderr.Printf("nothing is fired: %s\n", why)
	case s.On != "":
		v.Stderr.Printf("nothing is fired: %s fires this schedule\n", s.On)
	case s.Paused:
		v.Stderr.Println("nothing is fired: the schedule is paused")
	case err == nil:
		v.Stderr.Printf("nothing is due; next %s\n", timetable.Moment(next))
	}
}
