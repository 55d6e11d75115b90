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
	"github.com/fanout-dev/fanout/internal/unit"
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
	Runs []string          // ids, in the order to take them
	Why  map[string]Reason // by id; also of runs that are due and left for later
	Kept int               // stand as they are
	New  int               // were never executed, and are not asked for
	All  bool              // nothing that is due was left out on purpose

	// Later are those of the kept that may become due as others of the list end,
	// because they need them.
	Later []string

	InOrder bool // an order was asked for, which those of Later take their places in, too
}

// Of lists the planned runs that are due, in plan order. parts are the parts of
// a fingerprint that make a success stale.
func Of(s *sweep.Sweep, how Reprocess, parts []string) List {
	l := List{Why: map[string]Reason{}}
	for st := range s.All() {
		if st.Run.Unplanned {
			continue
		}
		if why := Why(st, s.Current(st.Run), parts); why.in(how) {
			l.Runs, l.Why[st.Run.ID] = append(l.Runs, st.Run.ID), why
		} else {
			l.Kept++
		}
	}
	return l
}

// Asked lists runs that were asked for, whatever their state. All others that were
// ever executed are kept.
func Asked(s *sweep.Sweep, ids, parts []string) List {
	l := List{Runs: ids, Why: map[string]Reason{}}
	for _, id := range ids {
		st, _ := s.Run(id)
		why := Why(st, s.Current(st.Run), parts)
		why.Asked = true
		l.Why[id] = why
	}
	for st := range s.All() {
		if _, asked := l.Why[st.Run.ID]; asked || st.Run.Unplanned {
			continue
		}
		if st.Status == outcome.Planned {
			l.New++
		} else {
			l.Kept++
		}
	}
	return l
}

// Follow adds to Later the runs that those of the list feed, directly or not, and
// that wants asks for.
func (l *List) Follow(s *sweep.Sweep, wants func(id string) bool) {
	have := map[string]bool{}
	for _, id := range l.Runs {
		have[id] = true
	}
	for _, id := range s.Downstream(l.Runs) {
		if !have[id] && wants(id) {
			l.Later = append(l.Later, id)
		}
	}
}

// Becomes reports whether a run of Later is due now.
func Becomes(s *sweep.Sweep, id string, parts []string) bool {
	st, _ := s.Run(id)
	return st.Status != outcome.Succeeded || len(s.Stale(st, parts)) > 0
}

// WhyOf says why a run is due, or that it is kept.
func (l List) WhyOf(id string) string {
	if why, ok := l.Why[id]; ok {
		return why.String()
	}
	return kept
}

// Known are the runs that failed before and have not changed since.
func (l List) Known() map[string]bool {
	known := map[string]bool{}
	for _, id := range l.Runs {
		if l.Why[id].Known {
			known[id] = true
		}
	}
	return known
}

// String describes what is due in one line, such as "12 new, 36 kept, 4 stale (code)".
func (l List) String() string { return l.Saying(kept) }

// Saying is String with another word for what is kept.
func (l List) Saying(word string) string {
	n := map[string]int{kept: l.Kept}
	for _, why := range l.Why {
		if why.Asked {
			n[again]++
		} else {
			n[why.String()]++
		}
	}
	words := []string{Reason{Before: outcome.Planned}.String(), kept}
	for _, s := range outcome.Statuses() {
		if s != outcome.Planned && s != outcome.Succeeded {
			words = append(words, Reason{Before: s}.String())
		}
	}
	for _, w := range slices.Sorted(maps.Keys(n)) {
		if !slices.Contains(words, w) && w != again {
			words = append(words, w) // stale ones
		}
	}
	var parts []string
	for _, w := range append(words, again) {
		if n[w] > 0 {
			said := w
			if w == kept {
				said = word
			}
			parts = append(parts, fmt.Sprintf("%d %s", n[w], said))
		}
	}
	if l.New > 0 {
		parts = append(parts, fmt.Sprintf("%d new but not asked for", l.New))
	}
	if len(parts) == 0 {
		return "nothing planned"
	}
	if len(l.Later) > 0 {
		parts = append(parts, fmt.Sprintf("%d of the %s may become stale", len(l.Later), word))
	}
	return strings.Join(parts, ", ")
}

// Orders are the words for Order, the default first.
func Orders() []string { return []string{"as-planned", "newest-first", "longest-first", "shuffle"} }

// Order sorts the runs: "as-planned", where new ones lead and those that failed
// before and have not changed come last, "newest-first", "longest-first" (by
// what the runs took before; unknown ones lead) or "shuffle", which is the same
// for the same ids.
func (l *List) Order(s *sweep.Sweep, how string) error {
	ids := l.Runs
	l.InOrder = how != "" && how != "as-planned"
	switch how {
	case "", "as-planned":
		slices.SortStableFunc(ids, func(a, b string) int { return cmp.Compare(l.Why[a].rank(), l.Why[b].rank()) })
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
		return fmt.Errorf("order %q: want %s", how, unit.Either(Orders()))
	}
	return nil
}
