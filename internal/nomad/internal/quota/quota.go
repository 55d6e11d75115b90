// Package quota bounds how many jobs of a workload class execute at once in a place,
// whoever's they are.
//
// In go the cluster's own list of jobs and a limit; out comes whose job may be started
// next. Nothing else is shared: whoever is of the class says so in the metadata of his
// jobs. Two that look at the same moment may both start one, so together they may exceed
// the limit by one less than there are of them, until the next job ends.
package quota

import (
	"context"
	"fmt"
	"time"

	"github.com/hashicorp/nomad/api"

	"github.com/fanout-dev/fanout/internal/nomad/internal/jobs"
	"github.com/fanout-dev/fanout/internal/unit"
)

// Meta is the key of a job's metadata that names its class.
const Meta = "fanout_class"

// List lists the jobs of a class that may be executing, and those that start them.
func List(client *api.Client, class string, q *api.QueryOptions) ([]*api.JobListStub, error) {
	q.Filter = fmt.Sprintf(`Meta.%s == %q and Status != "dead"`, Meta, class)
	return jobs.List(client, jobs.Prefix, q)
}

// Options are what a Gate lets through.
type Options struct {
	Class string
	Limit int    // jobs of the class at once
	Owner string // of our own jobs: what their metadata have under Key
	Key   string
	List  func(ctx context.Context) ([]*api.JobListStub, error) // jobs, with metadata
	Say   func(text string)                                     // to people, about waiting
	Every time.Duration                                         // between two looks
}

// A Gate lets the jobs of one process through to a place. Its methods may be called
// concurrently.
type Gate struct {
	Options
	turn chan struct{} // whoever looks holds it
	told bool
}

// New makes a gate.
func New(o Options) *Gate { return &Gate{Options: o, turn: make(chan struct{}, 1)} }

// Pass waits until a job may start and calls start, during which no other job of this
// process looks. It returns without having started it when the context ends.
func (g *Gate) Pass(ctx context.Context, start func() error) error {
	select {
	case g.turn <- struct{}{}:
	case <-ctx.Done():
		return nil
	}
	defer func() { <-g.turn }()
	for free := 0; ctx.Err() == nil; {
		all, err := g.List(ctx)
		if ctx.Err() != nil {
			return nil
		}
		if err != nil {
			return err
		}
		use := g.count(all)
		if free++; use.running >= g.Limit {
			free = 0
			g.tell(use)
		}
		// Who has his part leaves what becomes free to others, who look meanwhile.
		if free > 1 || free == 1 && use.own < use.part {
			g.told = false
			return start()
		}
		select {
		case <-ctx.Done():
		case <-time.After(g.Every):
		}
	}
	return nil
}

// use is how much of the limit is used.
type use struct {
	running, own int // jobs
	part         int // that each owner may have while others want more
}

func (g *Gate) count(all []*api.JobListStub) (u use) {
	owners := map[string]bool{g.Owner: true}
	for _, j := range all {
		if j.Meta[Meta] != g.Class || j.Status == "dead" {
			continue
		}
		owner := j.Meta[g.Key]
		switch {
		case jobs.IsChild(j.ID):
			u.running++
			if owner == g.Owner {
				u.own++
			}
		case j.Stop:
			continue
		}
		owners[owner] = true
	}
	u.part = (g.Limit + len(owners) - 1) / len(owners)
	return u
}

// tell says once why jobs wait, until one has begun.
func (g *Gate) tell(u use) {
	if !g.told {
		g.told = true
		g.Say(fmt.Sprintf("class %s: %d of %s at work, %d of them this sweep's: others wait their turn", g.Class, u.running, unit.Plural(g.Limit, "allocation"), u.own))
	}
}
