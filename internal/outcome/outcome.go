// Package outcome describes the state of a run and how an attempt ended: statuses,
// the kinds of reasons, the sentences for people and the outcome itself. It is
// the only package that spells them. It imports nothing of fanout.
package outcome

import (
	"strings"
	"time"
)

// Status is the state of a run.
type Status string

// The statuses of a run, exactly.
const (
	// Planned: no attempt has begun, or the last one was interrupted before it began.
	Planned Status = "planned"
	// Running: an attempt has begun and nothing says that it ended.
	Running Status = "running"
	// Succeeded: every cell ran, or the notebook ended itself, as with sys.exit(0) or quit().
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

// Words is the status as people write it: "timed out".
func (s Status) Words() string { return strings.ReplaceAll(string(s), "_", " ") }

// Ended reports whether s is how an attempt can end.
func (s Status) Ended() bool {
	switch s {
	case Succeeded, Failed, TimedOut, Canceled, Lost:
		return true
	}
	return false
}

// Kind classifies why an attempt ended as it did. It is empty for an
// attempt that simply succeeded.
type Kind string

// The kinds of reasons.
const (
	Exception   Kind = "exception"     // a cell raised
	KernelDied  Kind = "kernel_died"   // the kernel's process ended by itself
	OutOfMemory Kind = "out_of_memory" // the system or a cap killed the kernel for its memory
	EarlyExit   Kind = "early_exit"    // sys.exit(0), quit(): a success
	StartFailed Kind = "start_failed"  // no kernel started
	CellTimeout Kind = "cell_timeout"
	RunTimeout  Kind = "run_timeout"
	Halted      Kind = "halted"      // stopped by the halt policy
	Interrupted Kind = "interrupted" // stopped by the user
	InputAsked  Kind = "input_asked" // a cell asked for input
	WorkerGone  Kind = "worker_gone" // the worker that executed the run is gone
	Unfinished  Kind = "unfinished"  // the notebook does not say how its execution ended
)

// statusOf is the status that goes with a kind.
var statusOf = map[Kind]Status{
	Exception: Failed, KernelDied: Failed, OutOfMemory: Failed, StartFailed: Failed, InputAsked: Failed,
	CellTimeout: TimedOut, RunTimeout: TimedOut, Halted: Canceled, Interrupted: Canceled,
	WorkerGone: Lost, Unfinished: Lost, EarlyExit: Succeeded,
}

// Words is the kind as people read it: "out of memory".
func (k Kind) Words() string { return strings.ReplaceAll(string(k), "_", " ") }

// Fingerprint describes how an attempt was computed, as one digest per part.
type Fingerprint struct {
	Code        string `json:"code,omitempty"`
	Text        string `json:"text,omitempty"`
	Files       string `json:"files,omitempty"`
	Inputs      string `json:"inputs,omitempty"`
	Environment string `json:"environment,omitempty"`
	Upstream    string `json:"upstream,omitempty"` // what the runs that it needed left, a dot, and what of it was passed
}

// FedAs reports whether both were fed the same. What of it was passed is not known of
// attempts that were written before it was noted.
func (f Fingerprint) FedAs(now Fingerprint) bool {
	left, passed, noted := strings.Cut(f.Upstream, ".")
	leaves, passes, notes := strings.Cut(now.Upstream, ".")
	return left == leaves && (passed == passes || !noted || !notes)
}

// Differs names the parts, of those asked for, in which the two fingerprints
// differ.
func (f Fingerprint) Differs(now Fingerprint, parts []string) (names []string) {
	differs := map[string]bool{
		"code": f.Code != now.Code, "text": f.Text != now.Text, "files": f.Files != now.Files,
		"inputs": f.Inputs != now.Inputs, "environment": f.Environment != now.Environment,
		"upstream": !f.FedAs(now),
	}
	for _, p := range parts {
		if differs[p] {
			names = append(names, p)
		}
	}
	return names
}

// An Outcome is how an attempt ended. It is never changed.
type Outcome struct {
	Status      Status        `json:"status"`
	Kind        Kind          `json:"kind,omitempty"`
	Reason      string        `json:"reason,omitempty"` // a sentence for people
	Cell        int           `json:"cell"`             // number of the code cell that failed among code cells, from 1; 0 when none did
	Ename       string        `json:"ename,omitempty"`
	Evalue      string        `json:"evalue,omitempty"`
	Start       time.Time     `json:"start"`
	End         time.Time     `json:"end"`
	KernelStart time.Duration `json:"kernel_start_ns,omitempty"`
	CPU         time.Duration `json:"cpu_ns,omitempty"`
	PeakRSS     int64         `json:"peak_rss_bytes,omitempty"`
	Kernel      string        `json:"kernel,omitempty"` // how it was started: cold, warm or, with ZeroMQ's sockets, warm zmq
	Host        string        `json:"host,omitempty"`   // that executed it
	Node        string        `json:"node,omitempty"`   // as a cluster calls that
	Load        float64       `json:"load,omitempty"`   // of the host as it began: processes that run or wait, for each core
	Fingerprint Fingerprint   `json:"fingerprint"`
	Provenance  string        `json:"provenance,omitempty"` // key of frozen/<sha>.json
	Left        string        `json:"left,omitempty"`       // digest of the scraps and kept files, where other runs may need them
	Files       []string      `json:"files,omitempty"`      // kept ones by name, where other runs may need them
	Unkept      string        `json:"unkept,omitempty"`     // which of its files could not be kept, and why: a sentence
}

// Duration is the wall time from begin to end; none where the clock was set back
// between them.
func (o Outcome) Duration() time.Duration { return max(0, o.End.Sub(o.Start)) }

// maxReason bounds, in bytes, a reason that is believed.
const maxReason = 64 << 10

// Plausible reports whether o, read from where anybody can write, is how an
// attempt can end: a status with a kind that goes with it, times in order, and
// a reason of a reasonable length.
func (o Outcome) Plausible() bool {
	goes, known := statusOf[o.Kind]
	kind := o.Kind == "" || known && goes == o.Status
	return o.Status.Ended() && kind && o.Cell >= 0 && !o.End.Before(o.Start) && len(o.Reason) <= maxReason
}
