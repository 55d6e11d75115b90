package nomad

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/hashicorp/nomad/api"

	"github.com/fanout-dev/fanout/internal/nomad/internal/about"
	"github.com/fanout-dev/fanout/internal/nomad/internal/answer"
	"github.com/fanout-dev/fanout/internal/nomad/internal/quota"
	"github.com/fanout-dev/fanout/internal/sweep"
	"github.com/fanout-dev/fanout/internal/unit"
)

// A site is a place where the sweep has jobs, and what is known of whether it
// answers. Regions fail apart: while one is away the runs of the others execute,
// and it is waited for.
type site struct {
	place
	classes []*class      // of the planned runs
	slots   chan struct{} // one per request in flight
	gate    *quota.Gate   // of the workload class; nil if it has no limit
	decided chan struct{} // closed once it is open or gone

	mu        sync.Mutex
	open      bool      // its jobs are registered, and what earlier controllers left is found
	since     time.Time // it has not answered; zero if it does
	why       error     // its last answer
	gone      error     // why it is not waited for any longer, unless it comes back
	announced bool      // people know that it is away
}

// String names a place for people.
func (p place) String() string {
	switch {
	case p.namespace != "" && p.region != "":
		return "region " + p.region + ", namespace " + p.namespace
	case p.region != "":
		return "region " + p.region
	case p.namespace != "":
		return "Nomad, namespace " + p.namespace
	}
	return "Nomad"
}

const (
	// retryFor is how long a place may be away.
	retryFor = 5 * time.Minute

	// awayAfter is how long it has not answered when it counts as away.
	awayAfter = 5 * time.Second

	// othersWithin is how long the others may take to open once one is open.
	othersWithin = 3 * time.Second
)

// makeSites finds the places of the planned runs.
func (e *Executor) makeSites() {
	e.sites = map[place]*site{}
	for _, c := range e.planned() {
		s := e.sites[c.place]
		if s == nil {
			s = &site{place: c.place, slots: make(chan struct{}, callers), gate: e.gate(c.place), decided: make(chan struct{}), since: time.Now()}
			e.sites[c.place] = s
		}
		s.classes = append(s.classes, c)
	}
}

// openSites opens every site, side by side, and returns once they are open. A
// place that is away is waited for no longer than the others take; it opens when
// it is back. What is wrong with the sweep, not with a place, is an error.
func (e *Executor) openSites(ctx context.Context, register bool) error {
	ctx, e.quit = context.WithCancel(ctx)
	opened := make(chan error, len(e.sites))
	for _, s := range e.sites {
		e.opening.Go(func() {
			err := s.decide(e.open(ctx, s, register))
			opened <- err
			e.reopen(ctx, s, register, err)
		})
	}
	var late <-chan time.Time
	var gone []error
	for range e.sites {
		select {
		case err := <-opened:
			var failed *answer.Error
			switch {
			case err == nil && late == nil:
				late = time.After(othersWithin)
			case err == nil:
			case errors.As(err, &failed) && answer.Away(err):
				gone = append(gone, err)
			default:
				return err
			}
		case <-late:
			return nil
		}
	}
	if len(gone) < len(e.sites) {
		return nil
	}
	return errors.Join(gone...)
}

// open registers the jobs of a site and finds what earlier controllers dispatched.
func (e *Executor) open(ctx context.Context, s *site, register bool) error {
	if err := e.findChildren(ctx, s.place); err != nil || !register {
		return err
	}
	if _, missing := e.variable(ctx, s.place); missing != "" {
		e.say(missing)
	}
	for _, c := range s.classes {
		if err := e.register(ctx, c); err != nil {
			return err
		}
	}
	return nil
}

// decide records that the site is open, or why it never will be.
func (s *site) decide(err error) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if err == nil {
		s.open, s.since = true, time.Time{}
	} else if s.gone == nil {
		s.gone = err
	}
	close(s.decided)
	return err
}

// reopenEvery is how often a site is looked for that was given up before it opened.
const reopenEvery = 5 * time.Second

// reopen opens a site that was given up once it answers all the same.
func (e *Executor) reopen(ctx context.Context, s *site, register bool, err error) {
	for err != nil && answer.Away(err) {
		select {
		case <-ctx.Done():
			return
		case <-time.After(min(reopenEvery, e.o.retryFor)):
		}
		if err = e.open(ctx, s, register); err == nil {
			s.mu.Lock()
			s.open, s.since, s.gone = true, time.Time{}, nil
			s.mu.Unlock()
		}
	}
}

// saw records how a request went.
func (s *site) saw(err error) {
	if s == nil {
		return
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.why = err
	if err == nil || !answer.Away(err) {
		if s.open {
			s.since, s.gone = time.Time{}, nil
		}
		return
	}
	if s.since.IsZero() {
		s.since = time.Now()
	}
}

// isOpen reports whether shards may be dispatched. A place that no planned run has
// is not watched.
func (s *site) isOpen() bool {
	if s == nil {
		return true
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.open
}

// state reports whether the place is away, and why if it is not waited for any
// longer.
func (s *site) state(limit time.Duration) (away bool, gone error) {
	if s == nil {
		return false, nil
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	silent := time.Duration(0)
	if !s.since.IsZero() {
		silent = time.Since(s.since)
	}
	if s.gone == nil && silent > limit {
		if s.why == nil {
			s.why = errors.New("there is no answer")
		}
		s.gone = answer.Explain(fmt.Sprintf("%s has been away for %s", s.place, unit.Duration(silent)), s.why)
	}
	return s.gone != nil || !s.open || silent > awayAfter, s.gone
}

// gone is why a place is not waited for any longer; nil if it is.
func (e *Executor) gone(p place) error {
	_, gone := e.sites[p].state(e.o.retryFor)
	return gone
}

// Away lists the classes whose place does not answer, those with an error for
// good. See fan.Classer.
func (e *Executor) Away() map[string]error {
	var away map[string]error
	for _, s := range e.sites {
		is, gone := s.state(e.o.retryFor)
		e.announce(s, is)
		if !is {
			continue
		}
		if away == nil {
			away = map[string]error{}
		}
		e.mu.Lock()
		for _, c := range e.classes {
			if c.place == s.place {
				away[c.id] = gone
			}
		}
		e.mu.Unlock()
	}
	return away
}

// announce tells people once that a place is away, and that it is back.
func (e *Executor) announce(s *site, away bool) {
	s.mu.Lock()
	news := s.announced != away && s.gone == nil
	why, limit := s.why, e.o.retryFor
	if news {
		s.announced = away
	}
	s.mu.Unlock()
	switch {
	case !news:
	case !away:
		e.say(s.place.String() + " answers again")
	case e.attached:
		e.say(answer.Waits(s.place.String(), why, "fanout waits for it", limit))
	default:
		e.say(answer.Waits(s.place.String(), why, "its runs wait", limit))
	}
}

// say passes on something that concerns no one shard: at once, or with the first
// shard.
func (e *Executor) say(text string) {
	e.mu.Lock()
	note := e.note
	if note == nil && !slices.Contains(e.remarks, text) && (e.o.Say == nil || !e.o.Say(text)) {
		e.remarks = append(e.remarks, text)
	}
	e.mu.Unlock()
	if note != nil {
		note(sweep.Note{Kind: sweep.NoteWord, Text: text})
	}
}

// places lists where the sweep has jobs.
func (e *Executor) places() []place {
	var all []place
	for p := range e.sites {
		all = append(all, p)
	}
	slices.SortFunc(all, func(a, b place) int { return strings.Compare(a.region+"/"+a.namespace, b.region+"/"+b.namespace) })
	return all
}

// inPlaces does something in every place, side by side, and names the places
// where it fails if there are several.
func (e *Executor) inPlaces(do func(place) error) error {
	places := e.places()
	errs := make([]error, len(places))
	var all sync.WaitGroup
	for i, p := range places {
		all.Go(func() {
			if errs[i] = do(p); errs[i] != nil && len(places) > 1 {
				errs[i] = fmt.Errorf("%s: %w", p, errs[i])
			}
		})
	}
	all.Wait()
	return errors.Join(errs...)
}

// gate is what lets shards through to a place, where a class is bounded; else nil.
func (e *Executor) gate(p place) *quota.Gate {
	if e.o.ClassParallel == 0 {
		return nil
	}
	list := func(ctx context.Context) (all []*api.JobListStub, err error) {
		err = e.retry(ctx, p, "count the jobs of class "+e.o.Class, func(ctx context.Context) (err error) {
			all, err = quota.List(e.client, e.o.Class, p.query(ctx))
			return err
		})
		return all, err
	}
	return quota.New(quota.Options{Class: e.o.Class, Limit: e.o.ClassParallel, Owner: e.o.Dir, Key: about.Where, List: list, Say: e.say, Every: e.o.poll})
}
