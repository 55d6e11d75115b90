// Package sweep is one sweep at rest: its plan, its runs, their attempts and
// how they ended. It is the only package that knows the keys of a sweep's
// objects, so a sweep can be read and resumed from nothing but its store.
//
// A Sweep is opened for reading by Open, or by OpenPlanned with the sweep file
// that it was planned from. To change it takes a Lease: Acquire gives it to the
// controller, which plans, begins an Attempt at a run and handles a Stored
// shard; Join gives the worker of a shard a Claim. What has happened is
// recorded in objects that are written once: an attempt has ended when
// attempts/<run>.<n>.ipynb exists, whoever wrote it and whatever any log says.
// The log is an index that makes opening fast and is rebuilt from the attempts
// when it is missing.
//
// Package sweep reads no file of the user, starts and executes nothing, and
// prints nothing.
package sweep

import (
	"encoding/json"
	"time"

	"github.com/fanout-dev/fanout/internal/outcome"
)

// A Shard is one or more runs that travel together.
type Shard struct {
	ID   string   `json:"id"`
	Runs []string `json:"runs"` // run ids
}

// NoteKind says what a Note tells.
type NoteKind string

// The kinds of notes.
const (
	NoteBegan NoteKind = "began"
	NoteCell  NoteKind = "cell" // cell Cell of Cells begins
	NoteLog   NoteKind = "log"  // Text on Stream
	NoteEnded NoteKind = "ended"
	NoteWord  NoteKind = "word" // a remark about the whole sweep, in Text
)

// A Note tells people what goes on. Nothing depends on notes.
type Note struct {
	Kind    NoteKind
	Run     string
	Attempt int
	Cell    int // from 1
	Cells   int
	Stream  string
	Text    string
	Where   string // who makes it on which host, when it began elsewhere
	Outcome *outcome.Outcome
}

// Scraps are the small recorded values of an attempt, as JSON.
type Scraps map[string]json.RawMessage

// A RunState is a run and everything known of it.
type RunState struct {
	Run      Run
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
	Key      string           // where the best notebook is
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
