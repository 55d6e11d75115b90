package journal

import (
	"github.com/fanout-dev/fanout/internal/outcome"
	"github.com/fanout-dev/fanout/internal/sweep/internal/plan"
)

// A RunState is a run and everything known of it.
type RunState struct {
	Run      plan.Run
	Place    int // among the runs of the plan
	Status   outcome.Status
	Attempts int              // how many began
	Last     *outcome.Outcome // of the last attempt that ended
	last     int              // its number
	Best     int              // number of the attempt that stands in runs/, 0 for none
	BestOut  *outcome.Outcome // its outcome
	Accepted *Accepted        // how its success counts as current, nil when nobody said so
	Scraps   Scraps           // of the best attempt
	More     bool             // the notebook holds more than Scraps says
	Size     int64            // of the best attempt's notebook, bytes
	ModTime  int64            // of the best attempt's notebook, Unix nanoseconds
	Began    *Began           // the attempt that is open, nil when none is
}

func (st *RunState) began(b Began) {
	if b.Attempt <= st.Attempts && (st.Began == nil || st.Began.Attempt != b.Attempt) {
		return // its end is known already
	}
	st.Attempts = max(st.Attempts, b.Attempt)
	st.Began = &b
	st.Status = outcome.Running
}

func (st *RunState) abandoned(a Abandoned) {
	if st.Began != nil && st.Began.Attempt == a.Attempt {
		st.Began, st.Attempts = nil, a.Attempt-1
		st.Status = st.settled()
	}
}

// ended records an end. What stands in runs/ is the newest success, or the
// newest attempt while there is none.
func (st *RunState) ended(e Ended) {
	st.Attempts = max(st.Attempts, e.Attempt)
	if st.Began != nil && st.Began.Attempt <= e.Attempt {
		st.Began = nil
	}
	out := e.Outcome
	if e.Attempt >= st.last { // by number: clocks of machines differ
		st.last, st.Last = e.Attempt, &out
	}
	if st.better(e.Attempt, out) {
		st.Best, st.BestOut = e.Attempt, &out
		st.Scraps, st.More, st.Size, st.ModTime = e.Scraps, e.More, e.Size, e.ModTime
	}
	if st.Began == nil {
		st.Status = st.settled()
	}
}

// better reports whether attempt n, which ended with o, replaces the best.
// Records of several writers are not read in the order they were written in.
func (st *RunState) better(n int, o outcome.Outcome) bool {
	if st.BestOut == nil {
		return true
	}
	if was := st.BestOut.Status == outcome.Succeeded; was != (o.Status == outcome.Succeeded) {
		return !was
	}
	return n >= st.Best
}

func (st *RunState) forgotten(f Forgotten) {
	*st = RunState{Run: st.Run, Place: st.Place, Status: outcome.Planned, Attempts: f.Attempts}
}

// settled is the status of a run of which no attempt is open. A success is
// not undone by a later attempt that was only interrupted or lost.
func (st *RunState) settled() outcome.Status {
	switch {
	case st.Last == nil:
		return outcome.Planned
	case st.BestOut.Status == outcome.Succeeded && (st.Last.Status == outcome.Canceled || st.Last.Status == outcome.Lost):
		return outcome.Succeeded
	}
	return st.Last.Status
}

// Stale names the parts, of those asked for, in which the run's success differs
// from an attempt with the fingerprint now, and from what it was accepted as.
func (st RunState) Stale(now outcome.Fingerprint, parts []string) []string {
	if st.BestOut == nil || st.BestOut.Status != outcome.Succeeded {
		return nil
	}
	differs := st.BestOut.Fingerprint.Differs(now, parts)
	if a := st.Accepted; a != nil && a.Attempt == st.Best {
		return a.As.Differs(now, differs)
	}
	return differs
}
