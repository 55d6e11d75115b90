// Package sweep is one sweep at rest: its plan, its runs, their attempts and
// how they ended. It is the only package that knows the keys of a sweep's
// objects, so a sweep can be read and resumed from nothing but its store.
//
// A Sweep is opened for reading by Open. Whoever wants to make runs or plan
// new ones takes the lease first (Acquire) and gives it back (Release). What
// has happened is told by objects that are written once: an attempt has ended
// when attempts/<run>.<n>.ipynb exists, whoever wrote it and whatever any log
// says. The log is an index that makes opening fast and is rebuilt from the
// attempts when it is missing.
//
// Package sweep starts nothing, executes nothing and prints nothing.
package sweep

import (
	"encoding/json"
	"time"

	"github.com/fanout-dev/fanout/internal/grid"
)

// Status says what has become of a run.
type Status string

// The statuses of a run, exactly.
const (
	// Planned: no attempt has begun, or the last one was interrupted before it began.
	Planned Status = "planned"
	// Running: an attempt has begun and nothing says that it ended.
	Running Status = "running"
	// Succeeded: every cell ran, or the notebook ended itself with sys.exit(0).
	Succeeded Status = "succeeded"
	// Failed: we know that it ended badly.
	Failed Status = "failed"
	// TimedOut: a limit the user set was passed.
	TimedOut Status = "timed_out"
	// Canceled: it was stopped on request; not a failure.
	Canceled Status = "canceled"
	// Lost: it is gone and nobody knows how it ended.
	Lost Status = "lost"
)

// Statuses lists every status, in the order people want to read them.
func Statuses() []Status {
	return []Status{Succeeded, Failed, TimedOut, Canceled, Lost, Running, Planned}
}

// Ended reports whether s is how an attempt can end.
func (s Status) Ended() bool {
	switch s {
	case Succeeded, Failed, TimedOut, Canceled, Lost:
		return true
	}
	return false
}

// ReasonKind classifies why an attempt ended as it did. It is empty for an
// attempt that simply succeeded.
type ReasonKind string

// The kinds of reasons.
const (
	Exception   ReasonKind = "exception"     // a cell raised
	KernelDied  ReasonKind = "kernel_died"   // the kernel's process ended by itself
	OutOfMemory ReasonKind = "out_of_memory" // the system or a cap killed the kernel for its memory
	EarlyExit   ReasonKind = "early_exit"    // sys.exit(0): a success
	StartFailed ReasonKind = "start_failed"  // no kernel came up
	CellTimeout ReasonKind = "cell_timeout"
	RunTimeout  ReasonKind = "run_timeout"
	Halted      ReasonKind = "halted"      // stopped by the halt policy
	Interrupted ReasonKind = "interrupted" // stopped by the user
	InputAsked  ReasonKind = "input_asked" // a cell asked for input
	WorkerGone  ReasonKind = "worker_gone" // whoever made the run is gone
)

// A Run is one point and replicate: what is computed, not how.
type Run struct {
	ID        string         `json:"id"`
	Params    []grid.Binding `json:"params"`           // what the template is passed, in order
	Labels    []grid.Binding `json:"labels,omitempty"` // axis values that are not parameters
	Replicate int            `json:"replicate,omitempty"`
	Template  string         `json:"template,omitempty"` // the slot, when the template is an axis
	Unplanned bool           `json:"unplanned,omitempty"`
	Inputs    string         `json:"inputs,omitempty"`   // digest of what the run reads
	Settings  *Settings      `json:"settings,omitempty"` // only where overrides change the sweep's
}

// Settings are the limits of one run.
type Settings struct {
	StartTimeout time.Duration `json:"start_timeout,omitempty"` // nanoseconds; 0 is none
	CellTimeout  time.Duration `json:"cell_timeout,omitempty"`
	RunTimeout   time.Duration `json:"run_timeout,omitempty"`
	CellPercent  float64       `json:"cell_percent,omitempty"` // of the median of finished runs
	RunPercent   float64       `json:"run_percent,omitempty"`
	Memory       int64         `json:"memory,omitempty"` // bytes; 0 is no cap
	CPU          int           `json:"cpu,omitempty"`    // MHz, for a cluster
	Kernel       string        `json:"kernel,omitempty"`
	Placement    string        `json:"placement,omitempty"` // fields of a cluster's job as canonical JSON; empty for none
}

// Fingerprint says how an attempt was computed, a digest a part.
type Fingerprint struct {
	Code        string `json:"code,omitempty"`
	Text        string `json:"text,omitempty"`
	Files       string `json:"files,omitempty"`
	Inputs      string `json:"inputs,omitempty"`
	Environment string `json:"environment,omitempty"`
}

// An Outcome is how an attempt ended. It is never changed.
type Outcome struct {
	Status      Status        `json:"status"`
	Kind        ReasonKind    `json:"kind,omitempty"`
	Reason      string        `json:"reason,omitempty"` // a sentence for people
	Cell        int           `json:"cell"`             // index of the code cell that failed among code cells, from 1; 0 when none did
	Ename       string        `json:"ename,omitempty"`
	Evalue      string        `json:"evalue,omitempty"`
	Start       time.Time     `json:"start"`
	End         time.Time     `json:"end"`
	KernelStart time.Duration `json:"kernel_start_ns,omitempty"`
	CPU         time.Duration `json:"cpu_ns,omitempty"`
	PeakRSS     int64         `json:"peak_rss_bytes,omitempty"`
	Kernel      string        `json:"kernel,omitempty"` // how it was started: cold or warm
	Fingerprint Fingerprint   `json:"fingerprint"`
	Provenance  string        `json:"provenance,omitempty"` // key of frozen/<sha>.json
}

// Duration is the wall time from begin to end.
func (o Outcome) Duration() time.Duration { return o.End.Sub(o.Start) }

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
	Outcome *Outcome
}

// Scraps are the small recorded values of an attempt, as JSON.
type Scraps map[string]json.RawMessage

// A RunState is a run and everything known of it.
type RunState struct {
	Run      Run
	Status   Status
	Attempts int      // how many began
	Last     *Outcome // of the last attempt that ended
	Best     int      // number of the attempt that stands in runs/, 0 for none
	BestOut  *Outcome // its outcome
	Scraps   Scraps   // of the best attempt
	More     bool     // the notebook holds more than Scraps says
	Size     int64    // of the best attempt's notebook, bytes
	ModTime  int64    // of the best attempt's notebook, Unix nanoseconds
	Began    *Began   // the attempt that is open, nil when none is
	Key      string   // where the best notebook is
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
}
