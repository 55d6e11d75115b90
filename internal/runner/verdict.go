package runner

import (
	"fmt"
	"time"

	"github.com/fanout-dev/fanout/internal/kernel"
	"github.com/fanout-dev/fanout/internal/notebook"
)

// The statuses and reason kinds of a Result.
const (
	Succeeded = "succeeded"
	Failed    = "failed"
	TimedOut  = "timed_out"
	Canceled  = "canceled"

	Exception   = "exception"
	KernelDied  = "kernel_died"
	OutOfMemory = "out_of_memory"
	EarlyExit   = "early_exit"
	StartFailed = "start_failed"
	CellTimeout = "cell_timeout"
	RunTimeout  = "run_timeout"
	Interrupted = "interrupted"
	InputAsked  = "input_asked"
)

// A stop is why the walk, and not the notebook, ended a run.
type stop uint8

const (
	notStopped stop = iota
	stopCancel      // the context ended
	stopCell        // a cell took too long
	stopRun         // the run took too long
	stopInput       // the kernel asked somebody who is not there
)

// An ending is all that decides how a run ended.
type ending struct {
	start  error             // no kernel came up
	stop   stop              // why the walk stopped the kernel
	exit   *kernel.Exit      // the kernel ended by itself
	quit   bool              // a cell told the kernel to quit
	early  bool              // a cell ended the notebook with SystemExit, successfully
	raised *notebook.Failure // the error that no tag allows
}

// verdict is the one table of how a run ended: the first row that applies.
//
//	the context ended                           canceled   interrupted (or the kind the cause names)
//	the run took too long                       timed_out  run_timeout
//	a cell took too long                        timed_out  cell_timeout
//	no kernel came up                           failed     start_failed
//	a cell asked for input                      failed     input_asked
//	a cell told the kernel to quit              succeeded  early_exit
//	the kernel ended, out of memory             failed     out_of_memory
//	the kernel ended                            failed     kernel_died
//	an error output, or a reply, not allowed    failed     exception, or input_asked
//	SystemExit of 0 or nothing                  succeeded  early_exit
//	none of these                               succeeded
func (e ending) verdict() (status, kind string) {
	switch {
	case e.stop == stopCancel:
		return Canceled, Interrupted
	case e.stop == stopRun:
		return TimedOut, RunTimeout
	case e.stop == stopCell:
		return TimedOut, CellTimeout
	case e.start != nil:
		return Failed, StartFailed
	case e.stop == stopInput:
		return Failed, InputAsked
	case e.quit:
		return Succeeded, EarlyExit
	case e.exit != nil && e.exit.OOM:
		return Failed, OutOfMemory
	case e.exit != nil:
		return Failed, KernelDied
	case e.raised != nil && e.raised.Ename == noStdin:
		return Failed, InputAsked
	case e.raised != nil:
		return Failed, Exception
	case e.early:
		return Succeeded, EarlyExit
	}
	return Succeeded, ""
}

// noStdin is what kernels raise when a cell asks for input.
const noStdin = "StdinNotImplementedError"

// reason says the verdict in a sentence. cell counts code cells from 1.
func (e ending) reason(kind string, cell int, limits Timeouts) string {
	switch kind {
	case Interrupted:
		if cell == 0 {
			return "stopped before its first cell"
		}
		return fmt.Sprintf("stopped on request in cell %d", cell)
	case RunTimeout:
		return fmt.Sprintf("the run took longer than %v; it was in cell %d", limits.Run, cell)
	case CellTimeout:
		return fmt.Sprintf("cell %d took longer than %v", cell, limits.Cell)
	case StartFailed:
		return e.start.Error()
	case InputAsked:
		return fmt.Sprintf("cell %d asked for input, and nobody is there to answer", cell)
	case KernelDied, OutOfMemory:
		return fmt.Sprintf("the kernel died in cell %d: %s", cell, e.exit)
	case Exception:
		return fmt.Sprintf("cell %d raised %s", cell, raisedText(e.raised))
	case EarlyExit:
		return fmt.Sprintf("cell %d ended the notebook early, on purpose", cell)
	}
	return ""
}

// raisedText is the exception as Python prints it, its first line.
func raisedText(f *notebook.Failure) string {
	s := f.Ename
	if f.Evalue != "" {
		s += ": " + f.Evalue
	}
	return firstLine(s)
}

func firstLine(s string) string {
	const most = 500
	for i, r := range s {
		if r == '\n' || i >= most {
			return s[:i] + " …"
		}
	}
	return s
}

// Timeouts limit the parts of a run; zero is no limit.
type Timeouts struct {
	Start time.Duration // until the kernel answers, each time it is started
	Cell  time.Duration // each cell
	Run   time.Duration // all cells together
}
