// Package gc finds what a sweep can do without, and removes it.
//
// In goes a sweep and a kind of leftovers, out come the keys of the objects
// that nobody needs and how large they are. Nothing that stands for a planned
// run is ever among them. Finding changes nothing; removing needs the lease.
package gc

import (
	"context"
	"fmt"
	"path"
	"slices"

	"github.com/fanout-dev/fanout/internal/outcome"
	"github.com/fanout-dev/fanout/internal/sweep"
)

// A Kind is one of what a sweep can do without.
type Kind string

// The kinds.
const (
	Unplanned Kind = "unplanned" // runs that are no longer planned: notebooks, logs, artifacts, and their rows in the tables
	Attempts  Kind = "attempts"  // attempts that neither stand for their run nor were its last
	Plans     Kind = "plans"     // earlier plans, and frozen copies that nothing left refers to
)

// Kinds lists every kind.
func Kinds() []Kind { return []Kind{Unplanned, Attempts, Plans} }

// Garbage is what of one kind is there.
type Garbage struct {
	Kind  Kind
	Runs  []string // ids of the runs that would be forgotten
	Keys  []string // of the objects, sorted
	Bytes int64    // of the objects; what several names share is counted under each
}

// Find lists what of one kind the sweep could do without.
func Find(ctx context.Context, s *sweep.Sweep, kind Kind) (Garbage, error) {
	g := Garbage{Kind: kind}
	var unwanted func(sweep.Entry) bool
	switch kind {
	case Unplanned:
		g.Runs = s.Unplanned()
		unwanted = func(e sweep.Entry) bool { return ofUnplanned(s, e) }
	case Attempts:
		unwanted = func(e sweep.Entry) bool { return superseded(s, e) }
	case Plans:
		head, _ := s.Head()
		used := referred(s, head)
		unwanted = func(e sweep.Entry) bool {
			return e.Plan > 0 && e.Plan != head.Number || e.Frozen && !used[e.Key]
		}
	default:
		return g, fmt.Errorf("%q is not a kind of leftovers", kind)
	}
	for e, err := range s.Entries(ctx) {
		if err != nil {
			return g, err
		}
		if unwanted(e) {
			g.Keys = append(g.Keys, e.Key)
			g.Bytes += e.Size
		}
	}
	slices.Sort(g.Keys)
	return g, nil
}

// ofUnplanned reports whether an object belongs to a run that is not planned.
func ofUnplanned(s *sweep.Sweep, e sweep.Entry) bool {
	st, known := s.Run(e.Run)
	return e.Run != "" && (!known || st.Run.Unplanned)
}

// superseded reports whether an object is of an attempt that is neither its
// run's best nor its last, nor open.
func superseded(s *sweep.Sweep, e sweep.Entry) bool {
	st, known := s.Run(e.Run)
	if e.Attempt == 0 || !known || st.Began != nil && st.Began.Attempt == e.Attempt {
		return false
	}
	return e.Attempt != st.Best && e.Attempt != st.Attempts
}

// referred lists what the plan in force froze, and what the outcomes that are
// known refer to.
func referred(s *sweep.Sweep, h sweep.Head) map[string]bool {
	used := map[string]bool{h.Spec: true, h.Files: true, h.Reserve: true}
	for _, t := range h.Templates {
		used[t.Key] = true
	}
	for st := range s.All() {
		for _, o := range []*outcome.Outcome{st.Last, st.BestOut} {
			if o != nil {
				used[o.Provenance] = true
			}
		}
	}
	return used
}

// Remove deletes garbage. Stopped half-way, what is left is garbage still. Runs
// that are forgotten are as if they had never been executed, should they ever
// be planned again.
func Remove(ctx context.Context, s *sweep.Sweep, g Garbage) error {
	lease := s.Lease()
	if err := lease.Check(ctx); err != nil {
		return err
	}
	if len(g.Runs) > 0 {
		if err := lease.Forget(ctx, g.Runs); err != nil {
			return err
		}
	}
	for _, key := range g.Keys {
		if err := lease.Check(ctx); err != nil {
			return err
		}
		if err := s.Store().Delete(ctx, key); err != nil {
			return fmt.Errorf("remove %s: %w", path.Base(key), err)
		}
	}
	return nil
}
