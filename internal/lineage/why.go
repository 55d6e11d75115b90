package lineage

import (
	"slices"
	"time"

	"github.com/fanout-dev/fanout/internal/outcome"
	"github.com/fanout-dev/fanout/internal/sweep"
)

// An Origin is a run that something comes from, as it stands.
type Origin struct {
	Relative
	Depth    int          `json:"depth"`             // 0 is the run that was asked about
	Attempt  int          `json:"attempt,omitempty"` // that stands for the run; 0 where none does
	Ended    time.Time    `json:"ended_at,omitzero"`
	Notebook string       `json:"notebook,omitempty"` // key
	Scraps   sweep.Scraps `json:"scraps,omitzero"`
	Files    []string     `json:"files,omitempty"`
	With     []sweep.With `json:"with,omitempty"`
	FedBy    []string     `json:"fed_by,omitempty"`  // ids
	Changed  bool         `json:"changed,omitempty"` // what fed it has left something else since
	Shown    bool         `json:"-"`                 // it is in the list already, with what fed it
	Rest     string       `json:"-"`                 // instead of a run: those that are left out
}

// Why lists a run with all that it comes from, each before what fed it, and
// once. Of the runs of a step that feed one run it has at most most, and counts the
// rest; 0 is all of them.
func Why(s *sweep.Sweep, id string, most int) []Origin {
	w := why{sweep: s, most: most, seen: map[string]bool{}}
	st, _ := s.Run(id)
	w.add(relative(s, st), 0)
	return w.list
}

type why struct {
	sweep *sweep.Sweep
	most  int
	seen  map[string]bool
	list  []Origin
}

func (w *why) add(r Relative, depth int) {
	if w.seen[r.ID] {
		if w.most > 0 {
			w.list = append(w.list, Origin{Relative: r, Depth: depth, Shown: true})
		}
		return
	}
	w.seen[r.ID] = true
	o := w.origin(r, depth)
	links := FedBy(w.sweep, r.ID)
	for _, l := range links {
		for _, of := range l.Runs {
			o.FedBy = append(o.FedBy, of.ID)
		}
	}
	w.list = append(w.list, o)
	for _, l := range links {
		few, rest := l.Runs, ""
		if w.most > 0 {
			few, rest = l.Few(w.most)
		}
		for _, of := range few {
			w.add(of, depth+1)
		}
		if rest != "" {
			w.list = append(w.list, Origin{Depth: depth + 1, Rest: rest + " of " + l.Step})
		}
	}
}

func (w *why) origin(r Relative, depth int) Origin {
	st, _ := w.sweep.Run(r.ID)
	o := Origin{Relative: r, Depth: depth}
	head, _ := w.sweep.Head()
	if step, is := head.Step(st.Run.Step()); is {
		o.With = step.With
	}
	if st.BestOut == nil {
		return o
	}
	o.Attempt, o.Ended, o.Notebook = st.Best, st.BestOut.End, sweep.RunKey(r.ID)
	o.Scraps, o.Files = st.Scraps, st.BestOut.Files
	o.Changed = st.Status == outcome.Succeeded && slices.Contains(w.sweep.Stale(st, []string{"upstream"}), "upstream")
	return o
}
