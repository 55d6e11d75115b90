package plan

import (
	"fmt"

	"github.com/fanout-dev/fanout/internal/unit"
)

// FormatError reports a sweep written by another version of fanout.
type FormatError struct {
	Where   string
	Version int // of the sweep
	Reads   int // what this fanout reads
}

func (e *FormatError) Error() string {
	return fmt.Sprintf("open sweep %s: its format is version %d, this fanout reads version %d", e.Where, e.Version, e.Reads)
}

// Hint says what to do about it.
func (e *FormatError) Hint() string {
	if e.Version > e.Reads {
		return "use the newer fanout that wrote it, or give another place with -o"
	}
	return "use the older fanout that wrote it, or give another place with -o"
}

// OtherSweepError reports a place that is taken by a sweep of another name.
type OtherSweepError struct{ Where, Has, Wanted string }

func (e *OtherSweepError) Error() string {
	return fmt.Sprintf("open sweep %s: it holds the sweep %q, not %q", e.Where, e.Has, e.Wanted)
}

// Hint says what to do about it.
func (e *OtherSweepError) Hint() string {
	return "give another place with -o, or set `name:` in the sweep file"
}

// UnplannedError reports a sweep without a plan.
type UnplannedError struct{ Where string }

func (e *UnplannedError) Error() string { return e.Where + ": nothing is planned yet" }

// Hint says what to do about it.
func (e *UnplannedError) Hint() string { return "fanout run SWEEP.yaml -o " + unit.Quote(e.Where) }
