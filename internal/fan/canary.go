package fan

import (
	"fmt"
	"iter"
	"math"
	"slices"
	"sync"

	"github.com/fanout-dev/fanout/internal/outcome"
	"github.com/fanout-dev/fanout/internal/sweep"
	"github.com/fanout-dev/fanout/internal/value"
)

// canaryCells is how many cells a run must have executed to show that the
// template's imports and set-up work.
const canaryCells = 4

// maxCanaries is how many runs may fail in their first cells, one after the other,
// before the sweep is halted.
const maxCanaries = 3

// hopeless are exceptions that hardly depend on parameters: one is enough, or one
// of each of two variants.
var hopeless = []string{"ImportError", "ModuleNotFoundError", "SyntaxError", "IndentationError", "NameError"}

// anyway is how to execute the others.
const anyway = "--no-canary executes the others all the same"

// canary keeps the window at one run until a run has passed its first cells.
type canary struct {
	alive  chan struct{} // closed when a run got past its first cells; nil once that is known
	passed func()        // closes it, once
	shut   bool
	known  map[string]bool // as Options.Known
	place  map[string]int  // run → its place in the order to take them
	failed []sweep.Run     // canaries that did not get past their first cells
	step   string          // of which it is; empty in a sweep without steps
}

func newCanary(known map[string]bool) *canary {
	alive := make(chan struct{})
	return &canary{alive: alive, passed: sync.OnceFunc(func() { close(alive) }), known: known, place: map[string]int{}}
}

// choose returns where in the queue the next canary is, -1 for nowhere: the
// first run that is fit, and after a canary failed one that is as unlike it as
// possible, so that what breaks one value of an axis is not taken for what
// breaks all runs.
func (c *canary) choose(queue []sweep.Run, fit func(sweep.Run) bool) int {
	best, unlike := -1, []int{-1}
	for i, r := range queue {
		if !fit(r) {
			continue
		}
		if len(c.failed) == 0 {
			return i
		}
		if u := c.unlike(r); slices.Compare(u, unlike) > 0 {
			best, unlike = i, u
		}
	}
	return best
}

// unlike says how unlike the failed canaries a run is, what counts most first:
// in how many names it differs from the one that is most like it, in how many
// from all, and how far it is from the nearest one.
func (c *canary) unlike(r sweep.Run) []int {
	names, all, away := math.MaxInt, 0, math.MaxInt
	for _, f := range c.failed {
		n, d := differences(r, f, func(value.Value) bool { return true }), c.place[r.ID]-c.place[f.ID]
		names, all, away = min(names, n), all+n, min(away, max(d, -d))
	}
	return []int{names, all, away}
}

// differences counts the names that are bound to other values in b than in a,
// of the values in a that count.
func differences(a, b sweep.Run, counts func(value.Value) bool) (n int) {
	if a.Template != b.Template {
		n++
	}
	for _, list := range [][2][]value.Binding{{a.Params, b.Params}, {a.Labels, b.Labels}} {
		for _, v := range list[0] {
			if w, ok := value.Lookup(list[1], v.Name); counts(v.Value) && (!ok || v.Value != w) {
				n++
			}
		}
	}
	return n
}

func (c *canary) window(n int) int {
	if c.shut {
		return 1
	}
	return n
}

// open opens the window. The channel is set to nil because a closed one would keep
// the loop spinning.
func (c *canary) open() { c.shut, c.alive = false, nil }

// renew shuts the window again.
func (c *canary) renew() {
	alive := make(chan struct{})
	c.alive, c.passed, c.shut = alive, sync.OnceFunc(func() { close(alive) }), true
}

// judge examines a run that ended while the window was shut and returns why the
// sweep must halt, or nothing, and whether the run got past its first cells. left
// yields the runs that have not begun.
func (c *canary) judge(st sweep.RunState, left iter.Seq[sweep.Run]) (halt string, alive bool) {
	if !c.shut || c.step != "" && c.step != st.Run.Template {
		return "", false
	}
	o := st.Last
	if o.Status == outcome.Succeeded || o.Cell > canaryCells {
		return "", true
	}
	if o.Status == outcome.Canceled || c.known[st.Run.ID] {
		return "", false
	}
	c.failed = append(c.failed, st.Run)
	n := len(c.failed)
	of := ""
	if c.step != "" {
		of = " of the step " + c.step
	}
	first := "the first run" + of + " did not get past its first cells"
	if n > 1 {
		first = fmt.Sprintf("the first %d runs%s, as unlike as there are, did not get past their first cells", n, of)
	}
	switch {
	case (o.Kind == outcome.StartFailed || slices.Contains(hopeless, o.Ename)) && (n > 1 || !c.anyOther(left)):
		return fmt.Sprintf("%s (%s), and no other would; %s", first, o.Reason, anyway), false
	case n >= maxCanaries:
		return fmt.Sprintf("%s (the last: %s); %s", first, o.Reason, anyway), false
	}
	return "", false
}

func (c *canary) anyOther(left iter.Seq[sweep.Run]) bool {
	for r := range left {
		if (c.step == "" || c.step == r.Template) && c.otherVariant(r) {
			return true
		}
	}
	return false
}

// otherVariant reports a run that may go another way through the template than
// the failed canaries, to other imports: numbers seldom choose that, names do.
func (c *canary) otherVariant(r sweep.Run) bool {
	if c.known[r.ID] {
		return false
	}
	return !slices.ContainsFunc(c.failed, func(f sweep.Run) bool {
		return differences(r, f, func(v value.Value) bool { _, number := v.Float(); return !number }) == 0
	})
}
