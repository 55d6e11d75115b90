package fan

import (
	"iter"
	"slices"

	"github.com/fanout-dev/fanout/internal/sweep"
)

// A chain is what fan knows of runs that need others.
type chain struct {
	wait   *sweep.Wait        // nil in a sweep without steps
	held   map[string]bool    // runs that wait for others
	later  map[string]bool    // those that are executed only if they are due then
	depth  map[string]int     // step → how many come before it
	proven map[string]bool    // steps of which a run has passed its first cells
	trying map[string]*canary // by step

	all  []sweep.Run // the queue is a part of it,
	room int         // behind this many runs that are gone
}

func newChain(s *sweep.Sweep, o Options) *chain {
	c := &chain{held: map[string]bool{}, later: map[string]bool{}, depth: map[string]int{}, proven: map[string]bool{}, trying: map[string]*canary{}}
	c.wait = s.Wait(slices.Concat(o.Runs, o.Later))
	for _, id := range o.Later {
		c.later[id] = true
	}
	head, _ := s.Head()
	for i, step := range head.Steps {
		c.depth[step.Name], c.proven[step.Name] = i, o.Proven[step.Name]
	}
	return c
}

// hold takes what may not begin yet out of the queue.
func (f *fanner) hold() {
	if f.chain.wait == nil {
		return
	}
	queue := f.queue
	f.queue = nil
	var free []sweep.Run
	for _, run := range queue {
		if f.chain.wait.Free(run.ID) {
			free = append(free, run)
		} else {
			f.chain.held[run.ID] = true
		}
	}
	for _, id := range f.o.Later {
		f.chain.held[id] = true
	}
	for _, run := range free {
		if f.sweep.Waits(run.ID) == "" {
			f.queue = append(f.queue, run)
		}
	}
	for _, run := range free { // those that no run of this call can help
		if f.sweep.Waits(run.ID) != "" {
			f.block(run.ID)
		}
	}
}

// block gives up a run whose needs did not succeed: it stays as it is.
func (f *fanner) block(run string) {
	f.sum.Blocked++
	f.note(sweep.Note{Kind: sweep.NoteBlock, Run: run, Text: f.sweep.Waits(run)})
	f.settled(run)
}

func (f *fanner) note(n sweep.Note) {
	if f.o.Note != nil {
		f.o.Note(n)
	}
}

// settled says that a run will not be executed any more in this call, and admits
// those that waited only for it.
func (f *fanner) settled(run string) {
	if f.chain.wait == nil {
		return
	}
	for _, id := range slices.Backward(f.chain.wait.Settle(run)) {
		if !f.chain.held[id] {
			continue
		}
		delete(f.chain.held, id)
		later := f.chain.later[id]
		if later && !f.o.Due(id) {
			f.settled(id) // it stands as it is
			continue
		}
		if later {
			f.note(sweep.Note{Kind: sweep.NoteDue, Run: id})
		}
		switch {
		case f.sweep.Waits(id) != "":
			f.block(id)
		default:
			st, _ := f.sweep.Run(id)
			f.enqueue(f.placeOf(st.Run), st.Run)
		}
	}
}

// placeOf is where in the queue a run goes that may begin now: before all that is
// no deeper, so that points are finished one after the other, or where the order
// that was asked for has it.
func (f *fanner) placeOf(run sweep.Run) int {
	if f.o.InOrder {
		place := f.canary.place
		i, _ := slices.BinarySearchFunc(f.queue, place[run.ID], func(r sweep.Run, at int) int { return place[r.ID] - at })
		return i
	}
	depth := f.chain.depth[run.Template]
	i := slices.IndexFunc(f.queue, func(r sweep.Run) bool { return f.chain.depth[r.Template] <= depth })
	if i < 0 {
		return len(f.queue)
	}
	return i
}

// insert puts a run into the queue. Runs that have begun left room in front.
func (f *fanner) insert(i int, run sweep.Run) {
	c := f.chain
	if c.room > 0 && c.room < len(c.all) && len(f.queue) > 0 && &c.all[c.room] == &f.queue[0] {
		q := c.all[c.room-1 : c.room+len(f.queue)]
		copy(q, q[1:i+1])
		q[i] = run
		f.queue = q
		c.room--
		return
	}
	f.queue = slices.Insert(f.queue, i, run)
	c.all, c.room = f.queue, 0
}

// tryStep sends a run of a step ahead of the others of it, unless the step is
// known to work. It reports whether the window was shut for that.
func (f *fanner) tryStep(run sweep.Run) bool {
	c := f.chain
	if c.wait == nil || !f.o.Canary || c.proven[run.Template] || f.o.Known[run.ID] || f.tries[run.ID] > 0 {
		return false
	}
	next := c.trying[run.Template]
	if next == nil {
		next = newCanary(f.o.Known)
		next.place, next.step = f.canary.place, run.Template
		c.trying[run.Template] = next
	}
	next.renew()
	f.canary = next
	return true
}

// passed opens the window: a run got past its first cells.
func (f *fanner) passed() {
	f.canary.open()
	if step := f.canary.step; step != "" {
		f.chain.proven[step] = true
	}
}

// left yields the runs that have not begun.
func (f *fanner) left() iter.Seq[sweep.Run] {
	return func(yield func(sweep.Run) bool) {
		for _, r := range f.queue {
			if !yield(r) {
				return
			}
		}
		for id := range f.chain.held {
			if st, _ := f.sweep.Run(id); !yield(st.Run) {
				return
			}
		}
	}
}
