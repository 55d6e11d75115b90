// Package cron knows when a schedule fires: as Nomad reads its expressions.
package cron

import (
	"fmt"
	"strings"
	"time"

	"github.com/hashicorp/nomad/api"
)

// Next returns when crons, read in zone, first fire after a time; zero is
// never. It computes what Nomad does: a time that a clock change skips does not
// fire, one that it repeats fires twice.
func Next(crons []string, zone string, after time.Time) (time.Time, error) {
	p := Periodic(crons, zone)
	loc, err := p.GetLocation()
	if err != nil {
		return time.Time{}, fmt.Errorf("time zone %q: unknown", zone)
	}
	var first time.Time
	for _, spec := range crons {
		next, err := Periodic([]string{spec}, zone).Next(after.In(loc))
		if err != nil {
			return time.Time{}, fmt.Errorf("cron %q: %s", spec, lastPart(err.Error()))
		}
		if first.IsZero() || !next.IsZero() && next.Before(first) {
			first = next
		}
	}
	return first, nil
}

// lastPart is the last part of a chain of errors about one mistake.
func lastPart(text string) string {
	parts := strings.Split(text, ": ")
	if n := len(parts); n > 1 && strings.HasPrefix(parts[n-1], "'") {
		return strings.Join(parts[n-2:], ": ")
	}
	return parts[len(parts)-1]
}

// Periodic is what a job says of when it fires.
func Periodic(crons []string, zone string) *api.PeriodicConfig {
	return &api.PeriodicConfig{
		Enabled: new(true), Specs: crons, SpecType: new(api.PeriodicSpecCron), ProhibitOverlap: new(true), TimeZone: &zone,
	}
}
