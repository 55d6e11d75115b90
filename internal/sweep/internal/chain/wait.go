package chain

import "github.com/fanout-dev/fanout/internal/needs"

// A Wait says which runs may begin while others are open; see needs.Wait. It is
// for one goroutine.
type Wait struct {
	chain *Chain
	wait  *needs.Wait
}

// WaitFor begins with these runs open. It is nil for a nil chain.
func (c *Chain) WaitFor(open []string) *Wait {
	if c == nil {
		return nil
	}
	var runs []int
	for _, id := range open {
		if i, ok := c.Number(id); ok {
			runs = append(runs, i)
		}
	}
	return &Wait{c, c.Wait(runs)}
}

// Free reports whether no run that a run needs is open.
func (w *Wait) Free(run string) bool {
	i, ok := w.chain.Number(run)
	return !ok || w.wait.Free(i)
}

// Settle says that a run is open no more, and returns the open runs that are
// free because of it.
func (w *Wait) Settle(run string) (free []string) {
	i, ok := w.chain.Number(run)
	if !ok {
		return nil
	}
	for _, j := range w.wait.Settle(i) {
		free = append(free, w.chain.ID(j))
	}
	return free
}
