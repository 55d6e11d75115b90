package plan

import "iter"

// A Delta says what a new plan changes.
type Delta struct {
	New       int
	Kept      int
	Unplanned int // planned before, not any more
}

// Merge puts the newly planned runs first, with what they read, and behind them
// those that only earlier plans had. before are all runs so far.
func Merge(planned []Run, inputs map[string]string, before iter.Seq[Run]) (d Delta, runs []Run) {
	runs = make([]Run, 0, len(planned))
	now := make(map[string]struct{}, len(planned))
	for _, r := range planned {
		r.Unplanned, r.Inputs = false, inputs[r.ID]
		now[r.ID] = struct{}{}
		runs = append(runs, r)
	}
	for r := range before {
		_, again := now[r.ID]
		switch {
		case again && !r.Unplanned:
			d.Kept++
		case !again && !r.Unplanned:
			d.Unplanned++
		}
		if !again {
			r.Unplanned = true
			runs = append(runs, r)
		}
	}
	d.New = len(planned) - d.Kept
	return d, runs
}
