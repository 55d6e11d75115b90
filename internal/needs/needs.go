// Package needs knows which runs of a sweep with several steps need which.
//
// In go the steps, with the axes that their runs differ in, and the values of
// every run on those axes; out come the runs that one needs, the runs that it
// feeds, and which may begin once another has ended. There is one rule: a run
// needs all runs of the steps it names that agree with it on every axis both
// have.
//
// Pairs of runs are not stored. Runs that agree on the axes two steps share are
// one group, which all of the needing step share, so that memory grows with the
// number of runs and never with the number of pairs. Package needs is pure: it
// knows no statuses and no files.
package needs

import (
	"slices"
	"strings"
)

// A Step is a step of a sweep. Steps come after those they need.
type Step struct {
	Name  string
	Axes  []string // that its runs differ in
	Needs []Need
}

// A Need is a step whose runs are needed. Share, up to 1, is which part of them
// has to have succeeded.
type Need struct {
	Step  string  `json:"step"`
	Share float64 `json:"share"`
}

// A Set is the runs of one step that a run needs, as indices, in their order.
type Set struct {
	Need
	Runs []int
}

// Lacks reports whether too few of n runs have succeeded for a run that needs a share
// of them to begin.
func Lacks(share float64, n, succeeded int) bool {
	return float64(succeeded) < share*float64(n)-1e-9
}

// A group is the runs of a needed step that agree on the shared axes, and the
// runs of the needing step that agree with them.
type group struct {
	needed []int
	by     []int
}

// An edge is a need of a step.
type edge struct {
	Need
	from, to int      // the needing step and the needed one
	shared   []string // axes
	first    int      // its groups are those from here on
	groups   []group
	of       []int32 // run → its group, on either side; -1 for runs of other steps
}

// A Graph knows the needs of runs. It is not changed after New, and may be used
// concurrently.
type Graph struct {
	runs   []int32 // run → step
	edges  []*edge
	groups int
}

// New indexes n runs. step is the name of a run's step, and at the canonical
// text of its value on an axis: runs agree where the texts are equal. A run of a
// step that is not among the steps neither needs nor feeds any.
func New(steps []Step, n int, step func(run int) string, at func(run int, axis string) string) *Graph {
	g := &Graph{runs: make([]int32, n)}
	number := map[string]int{}
	for i, s := range steps {
		number[s.Name] = i
	}
	for run := range n {
		g.runs[run] = -1
		if i, known := number[step(run)]; known {
			g.runs[run] = int32(i)
		}
	}
	for i, s := range steps {
		for _, need := range s.Needs {
			if to, known := number[need.Step]; known {
				e := &edge{Need: need, from: i, to: to, shared: shared(s.Axes, steps[to].Axes), first: g.groups}
				e.index(g.runs, at)
				g.edges = append(g.edges, e)
				g.groups += len(e.groups)
			}
		}
	}
	return g
}

// index groups the runs on both sides.
func (e *edge) index(runs []int32, at func(run int, axis string) string) {
	e.of = make([]int32, len(runs))
	known := map[string]int32{}
	for run, step := range runs {
		e.of[run] = -1
		if int(step) != e.from && int(step) != e.to {
			continue
		}
		key := key(run, e.shared, at)
		i, is := known[key]
		if !is {
			i = int32(len(e.groups))
			known[key], e.groups = i, append(e.groups, group{})
		}
		e.of[run] = i
		if x := &e.groups[i]; int(step) == e.to {
			x.needed = append(x.needed, run)
		} else {
			x.by = append(x.by, run)
		}
	}
}

func shared(a, b []string) []string {
	var out []string
	for _, x := range a {
		if slices.Contains(b, x) {
			out = append(out, x)
		}
	}
	return out
}

// key is a run's projection on axes. Texts are canonical JSON, which has no
// zero byte.
func key(run int, axes []string, at func(run int, axis string) string) string {
	if len(axes) == 1 {
		return at(run, axes[0])
	}
	parts := make([]string, len(axes))
	for i, a := range axes {
		parts[i] = at(run, a)
	}
	return strings.Join(parts, "\x00")
}

// needs yields the needs of a run with their groups.
func (g *Graph) needs(run int, do func(e *edge, group int)) {
	for _, e := range g.edges {
		if e.from == int(g.runs[run]) {
			do(e, int(e.of[run]))
		}
	}
}

// Needed are the runs that a run needs, a set for each of its step's needs.
func (g *Graph) Needed(run int) []Set {
	var out []Set
	g.needs(run, func(e *edge, i int) { out = append(out, Set{e.Need, e.groups[i].needed}) })
	return out
}

// Fed are the runs that need a run, in their order.
func (g *Graph) Fed(run int) []int {
	var out []int
	for _, e := range g.edges {
		if e.to == int(g.runs[run]) {
			out = append(out, e.groups[e.of[run]].by...)
		}
	}
	slices.Sort(out)
	return slices.Compact(out)
}

// Reach are the runs that begin or follow from starts, in their order, starts
// included: along next, which is Fed, or the runs of Needed.
func Reach(starts []int, next func(run int) []int) []int {
	seen := map[int]bool{}
	todo := slices.Clone(starts)
	for len(todo) > 0 {
		run := todo[len(todo)-1]
		todo = todo[:len(todo)-1]
		if seen[run] {
			continue
		}
		seen[run] = true
		todo = append(todo, next(run)...)
	}
	out := make([]int, 0, len(seen))
	for run := range seen {
		out = append(out, run)
	}
	slices.Sort(out)
	return out
}

// A Wait counts what runs wait for while some are open: to be executed, or
// under way. It is for one goroutine.
type Wait struct {
	g    *Graph
	open []int32 // group → its needed runs that are open
	is   []bool  // run → whether it is open
}

// Wait begins with these runs open.
func (g *Graph) Wait(open []int) *Wait {
	w := &Wait{g: g, open: make([]int32, g.groups), is: make([]bool, len(g.runs))}
	for _, run := range open {
		if !w.is[run] {
			w.is[run] = true
			w.count(run, +1, nil)
		}
	}
	return w
}

// count adds to the groups in which a run is needed; done sees those in which
// none is open any more.
func (w *Wait) count(run int, by int32, done func(*group)) {
	for _, e := range w.g.edges {
		if e.to != int(w.g.runs[run]) {
			continue
		}
		i := int(e.of[run])
		if w.open[e.first+i] += by; w.open[e.first+i] == 0 && done != nil {
			done(&e.groups[i])
		}
	}
}

// Free reports whether no run that a run needs is open.
func (w *Wait) Free(run int) bool {
	free := true
	w.g.needs(run, func(e *edge, i int) { free = free && w.open[e.first+i] == 0 })
	return free
}

// Settle says that a run is not open any more, however it went, and returns the
// open runs that are free because of it.
func (w *Wait) Settle(run int) []int {
	if !w.is[run] {
		return nil
	}
	w.is[run] = false
	var out []int
	w.count(run, -1, func(x *group) {
		for _, by := range x.by {
			if w.is[by] && w.Free(by) {
				out = append(out, by)
			}
		}
	})
	return out
}
