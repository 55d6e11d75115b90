package sweep

import (
	"context"
	"fmt"
	"path"
	"sort"
	"strconv"
	"strings"

	"github.com/fanout-dev/fanout/internal/outcome"
	"github.com/fanout-dev/fanout/internal/store"
)

// Leftover is a kind of objects that a sweep can do without.
type Leftover string

// The kinds of leftovers.
const (
	LeftUnplanned Leftover = "unplanned" // runs that are no longer planned: notebooks, logs, artifacts, and their rows in the tables
	LeftAttempts  Leftover = "attempts"  // attempts that neither stand for their run nor were its last
	LeftPlans     Leftover = "plans"     // earlier plans, and frozen copies that nothing left refers to
)

// Leftovers lists every kind.
func Leftovers() []Leftover { return []Leftover{LeftUnplanned, LeftAttempts, LeftPlans} }

// Garbage is what of one kind is there.
type Garbage struct {
	Kind  Leftover
	Runs  []string // ids of the runs that would be forgotten
	Keys  []string // of the objects, sorted
	Bytes int64    // of the objects; what several names share is counted under each
}

// Garbage finds what a sweep could do without. It changes nothing.
func (s *Sweep) Garbage(ctx context.Context, kind Leftover) (Garbage, error) {
	g := Garbage{Kind: kind}
	var err error
	switch kind {
	case LeftUnplanned:
		g.Runs = s.unplanned()
		err = g.gather(ctx, s.store, s.ofUnplanned, prefixAttempt, prefixRuns, PrefixArtifacts)
	case LeftAttempts:
		err = g.gather(ctx, s.store, s.superseded, prefixAttempt)
	case LeftPlans:
		used := s.referred()
		err = g.gather(ctx, s.store, func(key string) bool { return !used[key] }, prefixPlan, prefixFrozen)
	default:
		err = fmt.Errorf("%q is no kind of leftovers", kind)
	}
	return g, err
}

// unplanned lists the runs that are not planned, and those of which only the
// log still knows.
func (s *Sweep) unplanned() []string {
	s.mu.Lock()
	defer s.mu.Unlock()
	var ids []string
	listed := map[string]bool{}
	for _, st := range s.runs {
		if listed[st.Run.ID] = true; st.Run.Unplanned {
			ids = append(ids, st.Run.ID)
		}
	}
	var logged []string
	for id, st := range s.byID {
		if !listed[id] && (st.Last != nil || st.Began != nil) {
			logged = append(logged, id)
		}
	}
	sort.Strings(logged)
	return append(ids, logged...)
}

// gather lists the objects that are wanted by nobody.
func (g *Garbage) gather(ctx context.Context, st store.Store, unwanted func(key string) bool, prefixes ...string) error {
	for _, prefix := range prefixes {
		for o, err := range st.List(ctx, prefix) {
			if err != nil {
				return err
			}
			if unwanted(o.Key) {
				g.Keys = append(g.Keys, o.Key)
				g.Bytes += o.Size
			}
		}
	}
	sort.Strings(g.Keys)
	return nil
}

// ofUnplanned reports whether an object belongs to a run that is not planned.
func (s *Sweep) ofUnplanned(key string) bool {
	_, rest, _ := strings.Cut(key, "/")
	id := rest[:min(len(rest), runIDLen)]
	st, known := s.Run(id)
	return !known || st.Run.Unplanned
}

// superseded reports whether an object is of an attempt that is neither its
// run's best nor its last, nor open.
func (s *Sweep) superseded(key string) bool {
	id, n, ok := parseAttemptFile(key)
	st, known := s.Run(id)
	if !ok || !known || st.Began != nil && st.Began.Attempt == n {
		return false
	}
	return n != st.Best && n != st.Attempts
}

// parseAttemptFile reads the run and number of any file of an attempt.
func parseAttemptFile(key string) (run string, n int, ok bool) {
	fields := strings.SplitN(strings.TrimPrefix(key, prefixAttempt), ".", 3)
	if len(fields) < 3 {
		return "", 0, false
	}
	n, err := strconv.Atoi(fields[1])
	return fields[0], n, err == nil
}

// referred lists the plan in force, what it froze, and what the outcomes that
// are known refer to.
func (s *Sweep) referred() map[string]bool {
	h, _ := s.Head()
	used := map[string]bool{keyPlanRuns(h.Number): true, keyPlanHead(h.Number): true, h.Spec: true, h.Files: true}
	for _, t := range h.Templates {
		used[t.Key] = true
	}
	for _, st := range s.Runs() {
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
func (l *Lease) Remove(ctx context.Context, g Garbage) error {
	if err := l.Check(ctx); err != nil {
		return err
	}
	if len(g.Runs) > 0 {
		if err := l.forget(ctx, g.Runs); err != nil {
			return err
		}
	}
	for _, key := range g.Keys {
		if err := l.Check(ctx); err != nil {
			return err
		}
		if err := l.sweep.store.Delete(ctx, key); err != nil {
			return fmt.Errorf("remove %s: %w", path.Base(key), err)
		}
	}
	return nil
}

// forget writes a plan without the runs, then takes back what the log says of
// them.
func (l *Lease) forget(ctx context.Context, ids []string) error {
	s := l.sweep
	gone := map[string]bool{}
	for _, id := range ids {
		gone[id] = true
	}
	var keep []Run
	for _, st := range s.Runs() {
		if !gone[st.Run.ID] {
			keep = append(keep, st.Run)
		}
	}
	lines, err := encodeRuns(keep)
	if err != nil {
		return err
	}
	head, _ := s.Head()
	head.Kept, head.Digest, head.Created = len(keep)-head.Runs, Digest(lines), now()
	if err := s.putPlan(ctx, &head, lines); err != nil {
		return err
	}
	for _, id := range ids {
		st, _ := s.Run(id)
		f := forgotten{id, st.Attempts}
		if err := l.write(ctx, record{Forgotten: &f}); err != nil {
			return err
		}
		s.mu.Lock()
		s.byID[id].forgotten(f)
		s.mu.Unlock()
	}
	s.adopt(head, keep)
	return nil
}
