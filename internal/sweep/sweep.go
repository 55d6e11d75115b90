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
	"github.com/fanout-dev/fanout/internal/outcome"
	"github.com/fanout-dev/fanout/internal/sweep/internal/journal"
)

// What is known of a run, and what the log records of it.
type (
	RunState = journal.RunState
	Scraps   = journal.Scraps
	Began    = journal.Began
	Accepted = journal.Accepted

	record      = journal.Record
	ended       = journal.Ended
	abandoned   = journal.Abandoned
	forgotten   = journal.Forgotten
	closedShard = journal.Closed
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
	NoteWord  NoteKind = "word"    // a remark about the whole sweep, in Text
	NoteGrew  NoteKind = "grew"    // Runs more are executed, for the reason in Text
	NoteDue   NoteKind = "due"     // a run that stood became due, since what it needs has ended
	NoteBlock NoteKind = "blocked" // a run is given up, for the reason in Text: what it needs did not succeed
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
	Runs    int
	Where   string // who makes it on which host, when it began elsewhere
	Outcome *outcome.Outcome
}
