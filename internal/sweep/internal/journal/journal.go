// Package journal is what the log of a sweep records, and what follows from it for
// a run. It reads and writes nothing.
package journal

import (
	"time"

	"github.com/fanout-dev/fanout/internal/outcome"
	"github.com/fanout-dev/fanout/internal/sweep/internal/plan"
)

// A Record is one line of the log.
type Record struct {
	Began     *Began     `json:"began,omitempty"`
	Abandoned *Abandoned `json:"abandoned,omitempty"`
	Ended     *Ended     `json:"ended,omitempty"`
	Forgotten *Forgotten `json:"forgotten,omitempty"`
	Accepted  []Accepted `json:"accepted,omitempty"`
	Closed    *Closed    `json:"closed,omitempty"`
}

// Closed says that nothing of a shard can be at work any more.
type Closed struct {
	Shard string `json:"shard"`
}

// Abandoned takes a began back.
type Abandoned struct {
	Run     string `json:"run"`
	Attempt int    `json:"n"`
}

// Forgotten says that what was known of a run is to be removed. Numbers of
// attempts are not used again.
type Forgotten struct {
	Run      string `json:"run"`
	Attempts int    `json:"n"`
}

// Ended indexes an attempt's notebook.
type Ended struct {
	Run     string          `json:"run"`
	Attempt int             `json:"n"`
	Outcome outcome.Outcome `json:"outcome"`
	Scraps  Scraps          `json:"scraps,omitzero"`
	More    bool            `json:"more,omitempty"`
	Size    int64           `json:"size"`
	ModTime int64           `json:"mtime_ns"`

	Kept []string `json:"-"` // names of its files, nil where that is not known
}

// Began records that an attempt began and who makes it.
type Began struct {
	Run     string    `json:"run"`
	Attempt int       `json:"n"`
	At      time.Time `json:"at"`
	Host    string    `json:"host"`
	Boot    string    `json:"boot"`             // boot id of the host
	Kernel  string    `json:"kernel,omitempty"` // mark by which the kernel's processes are found
	Worker  string    `json:"worker,omitempty"` // who makes it, when it is not the holder of the lease
	Place   string    `json:"place,omitempty"`  // which copy of the sweep it belongs to, as its executor knows it
}

// Accepted says that a success counts as current, although it was computed
// otherwise than the plan in force would compute it.
type Accepted struct {
	Run     string              `json:"run"`
	Attempt int                 `json:"n"`     // the success
	As      outcome.Fingerprint `json:"as"`    // what it counts as
	Parts   []string            `json:"parts"` // in which it differs from that
	At      time.Time           `json:"at"`
	By      string              `json:"by"` // a user's name on a host
}

// MaxAttempts is more attempts than anybody makes at a run.
const MaxAttempts = 1_000_000

// credible reports whether the attempt that the record is about may have been
// made, of a run that can be: a log may be somebody else's.
func (r Record) credible() bool {
	run, n, least := "", 0, 1
	switch {
	case r.Began != nil:
		run, n = r.Began.Run, r.Began.Attempt
	case r.Abandoned != nil:
		run, n = r.Abandoned.Run, r.Abandoned.Attempt
	case r.Ended != nil:
		run, n = r.Ended.Run, r.Ended.Attempt
	case r.Forgotten != nil:
		run, n, least = r.Forgotten.Run, r.Forgotten.Attempts, 0
	default: // each of what it accepts is looked at by itself
		return true
	}
	return n >= least && n <= MaxAttempts && plan.IsID(run)
}

// Apply changes what is known of the runs that the record is about; state finds
// them. A record of an attempt that nobody can have made changes nothing.
func (r Record) Apply(state func(run string) *RunState) {
	switch {
	case !r.credible():
	case r.Began != nil:
		state(r.Began.Run).began(*r.Began)
	case r.Abandoned != nil:
		state(r.Abandoned.Run).abandoned(*r.Abandoned)
	case r.Ended != nil:
		state(r.Ended.Run).ended(*r.Ended)
	case r.Forgotten != nil:
		state(r.Forgotten.Run).forgotten(*r.Forgotten)
	case r.Accepted != nil:
		for _, a := range r.Accepted {
			if plan.IsID(a.Run) {
				state(a.Run).Accepted = &a
			}
		}
	}
}

// News reports whether the record says something of a run that is not known yet.
func (r Record) News(state func(run string) *RunState) bool {
	switch {
	case !r.credible():
	case r.Began != nil:
		return state(r.Began.Run).Attempts < r.Began.Attempt
	case r.Ended != nil:
		st := state(r.Ended.Run)
		return st.Attempts < r.Ended.Attempt || st.Began != nil && st.Began.Attempt <= r.Ended.Attempt
	}
	return false
}
