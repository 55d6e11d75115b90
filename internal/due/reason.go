package due

import (
	"strings"

	"github.com/fanout-dev/fanout/internal/outcome"
	"github.com/fanout-dev/fanout/internal/sweep"
)

// A Reason says why a run is due.
type Reason struct {
	Before outcome.Status // how it ended before: Planned if it was never executed, Running if it was cut short
	Stale  []string       // parts of the fingerprint in which its success differs from now
	Known  bool           // it failed by itself, and nothing has changed since: it is not expected to go better
	Asked  bool           // it was asked for, whatever its state
}

// Why says why a run would be executed by an attempt with the fingerprint now,
// of which the parts count.
func Why(st sweep.RunState, now outcome.Fingerprint, parts []string) Reason {
	r := Reason{Before: st.Status, Stale: st.Stale(now, parts)}
	switch st.Status {
	case outcome.Failed, outcome.TimedOut:
		r.Known = len(st.Last.Fingerprint.Differs(now, parts)) == 0
	}
	return r
}

// Words of reasons that are no status.
const (
	kept  = "kept"
	again = "to run again"
)

// String is the reason in a word or two: "new", "failed before", "stale (code)".
func (r Reason) String() string {
	switch r.Before {
	case outcome.Planned:
		return "new"
	case outcome.Running:
		return "cut short before"
	case outcome.Succeeded:
		if len(r.Stale) > 0 {
			return "stale (" + strings.Join(r.Stale, ", ") + ")"
		}
		return again
	}
	return r.Before.Words() + " before"
}

// in reports whether a choice includes runs with this reason.
func (r Reason) in(how Reprocess) bool {
	switch r.Before {
	case outcome.Planned, outcome.Running:
		return true
	case outcome.Succeeded:
		return how == All || how == Stale && len(r.Stale) > 0
	}
	return how != None
}

// rank is the place of a run among others: what is new is waited for, and what
// is expected to fail keeps others waiting.
func (r Reason) rank() int {
	switch {
	case r.Before == outcome.Planned:
		return 0
	case r.Known:
		return 2
	}
	return 1
}
