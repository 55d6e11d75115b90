// Package due decides which runs of a sweep are to be executed, in which order,
// and estimates how long that takes.
//
// In go a sweep at rest, or a plan that it does not have yet, and the user's
// choice; out come ids of runs, counts with the reasons, and a forecast learnt from
// what succeeded before. Package due writes nothing and executes nothing.
package due

import (
	"cmp"
	"fmt"
	"maps"
	"math"
	"slices"
	"strings"
	"time"

	"github.com/fanout-dev/fanout/internal/outcome"
	"github.com/fanout-dev/fanout/internal/sweep"
)

// Reprocess selects which of the runs that were executed before are due again. Runs
// that never ended are always due.
type Reprocess string

// The choices, each including those before it.
const (
	None   Reprocess = "none"   // new runs only
	Failed Reprocess = "failed" // and those that did not succeed
	Stale  Reprocess = "stale"  // and those whose code, files or inputs changed since
	All    Reprocess = "all"
)

// A List is what an invocation has to execute, and why.
type List struct {
	Runs   []string               // ids, in plan order
	New    int                    // never executed
	Again  map[outcome.Status]int // executed before, without success
	Stale  map[string]int         // succeeded, but differently from now: by the parts that differ
	Redone int                    // fresh successes executed again because all were asked for
	Kept   int                    // left as they are
}

// Of lists the planned runs that are due. parts are the parts of a fingerprint
// that make a success stale.
func Of(s *sweep.Sweep, how Reprocess, parts []string) List {
	l := newList()
	for _, st := range s.Runs() {
		if !st.Run.Unplanned {
			l.note(st, how, s.Stale(st, parts))
		}
	}
	return l
}

// Preview lists what would be due if p were planned now, and says what that
// would change. It changes nothing.
func Preview(s *sweep.Sweep, p sweep.Plan, how Reprocess, parts []string) (List, sweep.Delta) {
	delta, states := s.Preview(p)
	l := newList()
	for _, st := range states {
		l.note(st, how, st.Stale(p.Head.Fingerprint(st.Run), parts))
	}
	return l, delta
}

func newList() List { return List{Again: map[outcome.Status]int{}, Stale: map[string]int{}} }

// note counts one planned run.
func (l *List) note(st sweep.RunState, how Reprocess, stale []string) {
	if l.add(st, how, stale) {
		l.Runs = append(l.Runs, st.Run.ID)
	}
}

// add counts one run and reports whether it is due.
func (l *List) add(st sweep.RunState, how Reprocess, stale []string) bool {
	switch {
	case st.Status == outcome.Planned:
		l.New++
	case st.Status == outcome.Running:
		l.Again[outcome.Running]++
	case st.Status != outcome.Succeeded && how != None:
		l.Again[st.Status]++
	case st.Status == outcome.Succeeded && len(stale) > 0 && (how == Stale || how == All):
		l.Stale[strings.Join(stale, ", ")]++
	case how == All:
		l.Redone++
	default:
		l.Kept++
		return false
	}
	return true
}

// String describes what is due in one line, such as "12 new, 36 kept, 4 stale (code)".
func (l List) String() string {
	var parts []string
	add := func(n int, word string) {
		if n > 0 {
			parts = append(parts, fmt.Sprintf("%d %s", n, word))
		}
	}
	add(l.New, "new")
	add(l.Kept, "kept")
	for _, s := range outcome.Statuses() {
		word := strings.ReplaceAll(string(s), "_", " ") + " before"
		if s == outcome.Running {
			word = "cut short before"
		}
		add(l.Again[s], word)
	}
	for _, p := range slices.Sorted(maps.Keys(l.Stale)) {
		add(l.Stale[p], "stale ("+p+")")
	}
	add(l.Redone, "to run again")
	if len(parts) == 0 {
		return "nothing planned"
	}
	return strings.Join(parts, ", ")
}

// Order sorts the ids of runs in place: "as-planned", "newest-first",
// "longest-first" (by what the runs took before; unknown ones lead) or
// "shuffle", which is the same for the same ids.
func Order(s *sweep.Sweep, ids []string, how string) error {
	switch how {
	case "", "as-planned":
	case "newest-first":
		slices.Reverse(ids)
	case "longest-first":
		took := map[string]time.Duration{}
		for _, id := range ids {
			took[id] = math.MaxInt64
			if st, _ := s.Run(id); st.Last != nil {
				took[id] = st.Last.Duration()
			}
		}
		slices.SortStableFunc(ids, func(a, b string) int { return cmp.Compare(took[b], took[a]) })
	case "shuffle":
		slices.SortFunc(ids, func(a, b string) int { return strings.Compare(sweep.Digest([]byte(a)), sweep.Digest([]byte(b))) })
	default:
		return fmt.Errorf("order %q: want as-planned, newest-first, longest-first or shuffle", how)
	}
	return nil
}
