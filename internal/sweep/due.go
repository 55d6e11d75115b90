package sweep

import (
	"fmt"
	"slices"
	"sort"
	"strings"

	"github.com/fanout-dev/fanout/internal/outcome"
)

// Reprocess says which of the runs that have been made are made again. Runs
// that never ended are always due.
type Reprocess string

// The choices, each including those before it.
const (
	ReprocessNone   Reprocess = "none"   // new runs only
	ReprocessFailed Reprocess = "failed" // and those that did not succeed
	ReprocessStale  Reprocess = "stale"  // and those whose code, files or inputs changed since
	ReprocessAll    Reprocess = "all"
)

// Due is what an invocation has to make.
type Due struct {
	Runs   []string               // ids, in plan order
	New    int                    // never made
	Again  map[outcome.Status]int // made, without success
	Stale  map[string]int         // succeeded, but differently from now: by the parts that differ
	Redone int                    // fresh successes made again because all were asked for
	Kept   int                    // stand as they are
}

// Due finds the planned runs to make. parts are the fingerprint parts that
// make a success stale.
func (s *Sweep) Due(how Reprocess, parts []string) Due {
	d := newDue()
	for _, st := range s.Runs() {
		if !st.Run.Unplanned {
			d.note(st, how, s.Stale(st, parts))
		}
	}
	return d
}

func newDue() Due { return Due{Again: map[outcome.Status]int{}, Stale: map[string]int{}} }

// note books one planned run.
func (d *Due) note(st RunState, how Reprocess, stale []string) {
	if d.add(st, how, stale) {
		d.Runs = append(d.Runs, st.Run.ID)
	}
}

// add books one run and reports whether it is due.
func (d *Due) add(st RunState, how Reprocess, stale []string) bool {
	switch {
	case st.Status == outcome.Planned:
		d.New++
	case st.Status == outcome.Running:
		d.Again[outcome.Running]++
	case st.Status != outcome.Succeeded && how != ReprocessNone:
		d.Again[st.Status]++
	case st.Status == outcome.Succeeded && len(stale) > 0 && (how == ReprocessStale || how == ReprocessAll):
		d.Stale[strings.Join(stale, ", ")]++
	case how == ReprocessAll:
		d.Redone++
	default:
		d.Kept++
		return false
	}
	return true
}

// String says what is due in one line, such as "12 new, 36 kept, 4 stale (code)".
func (d Due) String() string {
	var parts []string
	add := func(n int, word string) {
		if n > 0 {
			parts = append(parts, fmt.Sprintf("%d %s", n, word))
		}
	}
	add(d.New, "new")
	add(d.Kept, "kept")
	for _, s := range outcome.Statuses() {
		word := strings.ReplaceAll(string(s), "_", " ") + " before"
		if s == outcome.Running {
			word = "cut short before"
		}
		add(d.Again[s], word)
	}
	for _, p := range keys(d.Stale) {
		add(d.Stale[p], "stale ("+p+")")
	}
	add(d.Redone, "made again")
	if len(parts) == 0 {
		return "nothing planned"
	}
	return strings.Join(parts, ", ")
}

func keys(m map[string]int) []string {
	var out []string
	for k := range m {
		out = append(out, k)
	}
	sort.Strings(out)
	return out
}

// Order arranges the ids of runs: "as-planned", "newest-first", "longest-first"
// (by what the runs took before; unknown ones lead) or "shuffle", which is the
// same for the same sweep.
func (s *Sweep) Order(ids []string, how string) error {
	switch how {
	case "", "as-planned":
	case "newest-first":
		slices.Reverse(ids)
	case "longest-first":
		s.sortBy(ids, func(st RunState) float64 {
			if st.Last == nil {
				return -1e18
			}
			return -st.Last.Duration().Seconds()
		})
	case "shuffle":
		slices.SortFunc(ids, func(a, b string) int { return strings.Compare(Digest([]byte(a)), Digest([]byte(b))) })
	default:
		return fmt.Errorf("order %q: want as-planned, newest-first, longest-first or shuffle", how)
	}
	return nil
}

func (s *Sweep) sortBy(ids []string, key func(RunState) float64) {
	keys := map[string]float64{}
	for _, id := range ids {
		st, _ := s.Run(id)
		keys[id] = key(st)
	}
	slices.SortStableFunc(ids, func(a, b string) int {
		switch {
		case keys[a] < keys[b]:
			return -1
		case keys[a] > keys[b]:
			return 1
		}
		return 0
	})
}
