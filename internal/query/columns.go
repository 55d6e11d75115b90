package query

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/fanout-dev/fanout/internal/outcome"
	"github.com/fanout-dev/fanout/internal/sweep"
)

// A Column is one of the columns that fanout itself has for a run. Their names
// begin with run_, which is reserved for them.
type Column struct {
	Name  string
	Type  Type
	Unit  string // of its numbers; "s" or "B"
	Means string // a phrase of Markdown for people
	Field string // its name in `ls --json`, "" where it is not a field of its own there

	read func(Run) any
}

// Type is the type of a column's values.
type Type string

// The types of columns.
const (
	Text  Type = "text"
	Bool  Type = "bool"
	Int   Type = "int" // 64 bits
	Float Type = "float"
	Time  Type = "time" // an instant
)

// zero is what an expression sees of a value that is unknown.
func (t Type) zero() any {
	switch t {
	case Bool:
		return false
	case Int:
		return int64(0)
	case Float:
		return 0.0
	}
	return ""
}

// Replicate is the column that is only in tables of repeated sweeps.
const Replicate = "run_replicate"

// Step is the column that is only in tables of sweeps with steps.
const Step = "run_step"

const startedColumn = "run_started_at"

// columns is the list that the table of runs, expressions, ls and the
// documentation have in common.
var columns = []Column{
	{Name: "run_id", Type: Text, Means: "identity of the run: its parameters, replicate and template", read: func(r Run) any { return r.Run.ID }},
	{Name: Step, Type: Text, Means: "step of the run; only where the sweep file has `steps`", Field: "step", read: stepOf},
	{Name: "run_status", Type: Text, Means: "how it is going, or how it went: a [status](states.md)", Field: "status", read: func(r Run) any { return string(r.Status) }},
	{Name: "run_reason_kind", Type: Text, Means: "why it did not succeed, in a word: a [reason](states.md#reasons)", Field: "kind", read: func(r Run) any { return string(r.Outcome.Kind) }},
	{Name: "run_error", Type: Text, Means: "why it did not succeed, in a sentence", Field: "reason", read: func(r Run) any { return r.Reason() }},
	{Name: "run_planned", Type: Bool, Means: "it is in the newest plan", Field: "planned", read: func(r Run) any { return !r.Run.Unplanned }},
	{Name: "run_stale", Type: Bool, Means: "something that `stale_on` names has changed since it succeeded", read: func(r Run) any { return len(r.Stale) > 0 }},
	{Name: "run_attempts", Type: Int, Means: "how many attempts have begun", Field: "attempts", read: func(r Run) any { return int64(r.Attempts) }},
	{Name: "run_as_of", Type: Time, Means: "logical date of the newest plan", Field: "as_of", read: func(r Run) any { return r.AsOf }},
	{Name: startedColumn, Type: Time, Means: "when the attempt began", Field: "started_at", read: startedAt},
	{Name: "run_duration_s", Type: Float, Unit: "s", Means: "how long the attempt took", Field: "duration_s", read: duration},
	{Name: "run_kernel_start_s", Type: Float, Unit: "s", Means: "how long the kernel took to start", Field: "kernel_start_s", read: func(r Run) any { return seconds(r.Outcome.KernelStart) }},
	{Name: "run_cpu_s", Type: Float, Unit: "s", Means: "CPU time of the kernel and its children", Field: "cpu_s", read: func(r Run) any { return seconds(r.Outcome.CPU) }},
	{Name: "run_peak_rss_bytes", Type: Int, Unit: "B", Means: "peak memory of the kernel and its children", Field: "peak_rss_bytes", read: func(r Run) any { return positive(r.Outcome.PeakRSS) }},
	{Name: "run_host", Type: Text, Means: "host that executed it", read: func(r Run) any { return r.Outcome.Host }},
	{Name: "run_node", Type: Text, Means: "the same, as the cluster calls it; only of runs on a cluster", read: func(r Run) any { return r.Outcome.Node }},
	{Name: "run_load", Type: Float, Means: "load of the host when the attempt began: processes that ran or waited in the last minute, for each core", read: func(r Run) any { return known(r.Outcome.Load) }},
	{Name: "run_code", Type: Text, Means: "digest of the code cells that were executed", Field: "code", read: func(r Run) any { return r.Outcome.Fingerprint.Code }},
	{Name: "run_notebook", Type: Text, Means: "the executed notebook, in the sweep directory", Field: "notebook", read: notebookOf},
	{Name: Replicate, Type: Int, Means: "number of the repetition, from 0; only where the sweep file says `repeat`", read: func(r Run) any { return int64(r.Run.Replicate) }},
}

// Columns lists the columns in the order of the table of runs.
func Columns() []Column { return slices.Clone(columns) }

// Of reads the column of a run: a string, bool, int64, float64 or time.Time,
// and nil where it is unknown.
func (c Column) Of(r Run) any {
	v := c.read(r)
	if t, isTime := v.(time.Time); v == "" || isTime && t.IsZero() {
		return nil
	}
	return v
}

// A Run is a run with all that its columns are read from.
type Run struct {
	sweep.RunState
	Outcome outcome.Outcome // which Status is about, or of the best attempt while another is running; zero while there is none
	Waits   string          // for whom, where it is planned and cannot begin: "needs extract region=eu: failed, KeyError"
	Stale   []string        // parts of the fingerprint in which its success is stale
	AsOf    time.Time       // logical date of the newest plan
}

// RunOf looks at a run of the sweep.
func RunOf(s *sweep.Sweep, st sweep.RunState) Run {
	head, _ := s.Head()
	r := Run{RunState: st, Stale: s.Stale(st, staleOn(s)), AsOf: head.AsOf}
	if st.Status == outcome.Planned && !st.Run.Unplanned {
		r.Waits = s.Waits(st.Run.ID)
	}
	if o := outcomeOf(st); o != nil {
		r.Outcome = *o
	}
	return r
}

// outcomeOf is that of the attempt which a run is shown by; nil where none has ended.
func outcomeOf(st sweep.RunState) *outcome.Outcome {
	if st.Last != nil && st.Last.Status == st.Status {
		return st.Last
	}
	return st.BestOut
}

// Started is when the attempt began that a run is shown by: the column run_started_at.
// Zero is not yet.
func Started(st sweep.RunState) time.Time {
	o := outcomeOf(st)
	if (o == nil || o.Status == "") && st.Began != nil {
		return st.Began.At
	}
	if o == nil {
		return time.Time{}
	}
	return o.Start
}

// Among is an expression that is true of the runs with these ids.
func Among(ids []string) string { return `run_id in ["` + strings.Join(ids, `", "`) + `"]` }

// During is an expression that is true of the runs which began from one second to another.
func During(from, to time.Time) string {
	return fmt.Sprintf("%s >= %q and %s <= %q", startedColumn, from.UTC().Format(time.RFC3339), startedColumn, to.UTC().Format(time.RFC3339))
}

// Reason is why the run did not succeed, or why it did not begin.
func (r Run) Reason() string {
	if r.Waits != "" {
		return r.Waits
	}
	return r.Outcome.Reason
}

// staleOn are the parts of the fingerprint that count.
func staleOn(s *sweep.Sweep) []string {
	if spec := s.Spec(); spec != nil {
		return spec.StaleOn
	}
	return []string{"code", "files", "inputs", "upstream"}
}

func stepOf(r Run) any {
	if step := r.Run.Step(); step != "" {
		return step
	}
	return nil
}

func startedAt(r Run) any { return Started(r.RunState) }

func duration(r Run) any {
	if r.Outcome.Start.IsZero() || r.Outcome.End.IsZero() {
		return nil
	}
	return r.Outcome.Duration().Seconds()
}

func notebookOf(r Run) any {
	if r.Best == 0 {
		return nil
	}
	return sweep.RunKey(r.Run.ID)
}

// seconds are nil where nothing was measured.
func seconds(d time.Duration) any {
	if d <= 0 {
		return nil
	}
	return d.Seconds()
}

// known is nil where nothing was measured.
func known(x float64) any {
	if x <= 0 {
		return nil
	}
	return x
}

func positive(n int64) any {
	if n <= 0 {
		return nil
	}
	return n
}
