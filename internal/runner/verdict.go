package runner

import (
	"time"

	"github.com/fanout-dev/fanout/internal/kernel"
	"github.com/fanout-dev/fanout/internal/notebook"
	"github.com/fanout-dev/fanout/internal/outcome"
)

// A stop is why the walk, and not the notebook, ended a run.
type stop uint8

const (
	notStopped stop = iota
	stopCancel      // the context ended
	stopCell        // a cell took too long
	stopRun         // the run took too long
	stopInput       // the kernel asked for input that nobody can give
)

// An ending is all that decides how a run ended.
type ending struct {
	start  error             // no kernel started
	stop   stop              // why the walk stopped the kernel
	exit   *kernel.Exit      // the kernel ended by itself
	early  bool              // a cell ended the notebook, successfully: SystemExit, or the kernel was asked to quit
	raised *notebook.Failure // the error that no tag allows
}

// verdict is the one table of how a run ended: the first row that applies.
//
//	the context ended                           canceled   interrupted (or the kind the cause names)
//	the run took too long                       timed_out  run_timeout
//	a cell took too long                        timed_out  cell_timeout
//	no kernel started                           failed     start_failed
//	a cell asked for input                      failed     input_asked
//	the kernel ended, out of memory             failed     out_of_memory
//	the kernel ended                            failed     kernel_died
//	an error output, or a reply, not allowed    failed     exception, or input_asked
//	SystemExit or quit, of 0 or nothing         succeeded  early_exit
//	none of these                               succeeded
func (e ending) verdict() (outcome.Status, outcome.Kind) {
	switch {
	case e.stop == stopCancel:
		return outcome.Canceled, outcome.Interrupted
	case e.stop == stopRun:
		return outcome.TimedOut, outcome.RunTimeout
	case e.stop == stopCell:
		return outcome.TimedOut, outcome.CellTimeout
	case e.start != nil:
		return outcome.Failed, outcome.StartFailed
	case e.stop == stopInput:
		return outcome.Failed, outcome.InputAsked
	case e.exit != nil && e.exit.OOM:
		return outcome.Failed, outcome.OutOfMemory
	case e.exit != nil:
		return outcome.Failed, outcome.KernelDied
	case e.raised != nil && e.raised.Ename == noStdin:
		return outcome.Failed, outcome.InputAsked
	case e.raised != nil:
		return outcome.Failed, outcome.Exception
	case e.early:
		return outcome.Succeeded, outcome.EarlyExit
	}
	return outcome.Succeeded, ""
}

// noStdin is what kernels raise when a cell asks for input.
const noStdin = "StdinNotImplementedError"

// reason is the verdict as a sentence. cell counts code cells from 1.
func (e ending) reason(kind outcome.Kind, cell int, limits Timeouts) string {
	switch kind {
	case outcome.Interrupted:
		return outcome.StoppedIn(cell)
	case outcome.RunTimeout:
		return outcome.RunTooLong(cell, limits.Run)
	case outcome.CellTimeout:
		return outcome.CellTooLong(cell, limits.Cell)
	case outcome.StartFailed:
		return e.start.Error()
	case outcome.InputAsked:
		return outcome.AskedForInput(cell)
	case outcome.KernelDied, outcome.OutOfMemory:
		return outcome.Died(cell, e.exit.String())
	case outcome.Exception:
		return outcome.Raised(cell, e.raised.Ename, e.raised.Evalue)
	case outcome.EarlyExit:
		return outcome.EndedEarly(cell)
	}
	return ""
}

// Timeouts limit the parts of a run; zero is no limit.
type Timeouts struct {
	Start time.Duration // until the kernel answers, each time it is started
	Cell  time.Duration // each cell
	Run   time.Duration // all cells together
}
