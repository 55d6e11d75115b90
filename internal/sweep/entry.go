package sweep

import (
	"context"
	"iter"
	"path"
	"slices"
	"strconv"
	"strings"

	"github.com/fanout-dev/fanout/internal/store"
	"github.com/fanout-dev/fanout/internal/sweep/internal/jsonl"
	"github.com/fanout-dev/fanout/internal/sweep/internal/plan"
)

// An Entry is a stored object of a plan or a run, and whose it is.
type Entry struct {
	store.Object
	Run     string // id; empty for objects of plans
	Attempt int    // 0 for what is not of one attempt alone
	Plan    int    // number; 0 for what is not of one plan alone
	Frozen  bool   // plans and outcomes refer to it by its key
}

// Entries lists the objects of plans and runs. Those of the lease, the log and
// shards, and derived ones, are not among them.
func (s *Sweep) Entries(ctx context.Context) iter.Seq2[Entry, error] {
	return func(yield func(Entry, error) bool) {
		for _, prefix := range []string{prefixPlan, prefixFrozen, prefixAttempt, prefixRuns, PrefixArtifacts} {
			for o, err := range s.store.List(ctx, prefix) {
				if !yield(entryOf(o, prefix), err) {
					return
				}
			}
		}
	}
}

func entryOf(o store.Object, prefix string) Entry {
	e := Entry{Object: o, Frozen: prefix == prefixFrozen}
	name := strings.TrimPrefix(o.Key, prefix)
	switch prefix {
	case prefixPlan:
		number, _, _ := strings.Cut(path.Base(name), ".")
		e.Plan, _ = strconv.Atoi(number)
	case prefixAttempt:
		if fields := strings.SplitN(name, ".", 3); len(fields) == 3 {
			e.Attempt, _ = strconv.Atoi(fields[1])
		}
		fallthrough
	case prefixRuns, PrefixArtifacts:
		e.Run = name[:min(len(name), plan.IDLen)]
	}
	return e
}

// Unplanned lists the runs that are not planned, and those of which only the
// log still knows.
func (s *Sweep) Unplanned() []string {
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
	slices.Sort(logged)
	return append(ids, logged...)
}

// Forget writes a plan without the runs, then takes back what the log says of
// them. Their objects stay.
func (l *Lease) Forget(ctx context.Context, ids []string) error {
	s := l.sweep
	gone := map[string]bool{}
	for _, id := range ids {
		gone[id] = true
	}
	var keep []Run
	for st := range s.All() {
		if !gone[st.Run.ID] {
			keep = append(keep, st.Run)
		}
	}
	lines, err := jsonl.Encode(keep)
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
		r := record{Forgotten: &forgotten{Run: id, Attempts: st.Attempts}}
		if err := l.write(ctx, r); err != nil {
			return err
		}
		s.learn(r)
	}
	s.adopt(head, keep)
	return nil
}
