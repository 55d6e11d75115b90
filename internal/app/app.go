// Package app is what fanout does, apart from printing: open, plan, run,
// collect, report, compare, follow and cancel sweeps. The command and every
// other front end call the same functions and turn their results into words
// or pages.
//
// In go names of files and places and choices as values; out come results as
// values. Package app prints nothing and knows no flag, no terminal and no
// HTTP. Nor does it know which machines there are: it is given Machines, and
// drives what they execute through package fan.
package app

import (
	"context"
	"fmt"
	"io"
	"time"

	"github.com/fanout-dev/fanout/internal/fan"
	"github.com/fanout-dev/fanout/internal/grid"
	"github.com/fanout-dev/fanout/internal/notebook"
	"github.com/fanout-dev/fanout/internal/outcome"
	"github.com/fanout-dev/fanout/internal/store"
	"github.com/fanout-dev/fanout/internal/sweep"
	"github.com/fanout-dev/fanout/internal/unit"
)

// An App is what all calls have in common. Its fields are set once, before
// the first call.
type App struct {
	OpenStore func(ctx context.Context, where string) (store.Store, error)
	Machines  Machines
	Stdin     io.Reader         // what the name "-" reads
	Warn      func(text string) // warnings that do not stop the work; never nil
	Version   string            // of fanout, for the summary

	// Publish writes the pages of a sweep that has ended, where its sweep file says so;
	// held is why those that were published before stay. nil: nothing is published.
	Publish func(ctx context.Context, s *sweep.Sweep, held string) error

	Queue   func(fan.Queue) // called with how many runs wait for what, as that changes; may be nil
	Jobs    int             // runs at once; 0 is the number of cores
	Timeout string          // limit of one run in the sweep file's language, over the sweep's own; "" is none
	Retries int             // further attempts at a failed run; below 0 the sweep file decides
	Canary  bool            // one run goes ahead
	Refresh time.Duration   // how often the tables are written while runs execute; 0 is only at the end
	Grace   time.Duration   // how long a run may take to stop when asked to
}

// Machines are where runs execute, as this invocation has them.
type Machines interface {
	// Check reports what would keep every run of the templates from starting
	// on this machine. It writes nothing and starts nothing.
	Check(templates []Template) error
	// Connect prepares the place where the runs of a sweep are to execute.
	// The caller holds the lease, and closes the Machine.
	Connect(ctx context.Context, s *sweep.Sweep) (Machine, error)
	// Attach prepares the place where an earlier process left shards of the
	// sweep, and stops what is running there. With an error comes a Machine if
	// some of it can be reached. The caller holds the lease,
	// and closes the Machine.
	Attach(ctx context.Context, s *sweep.Sweep) (Machine, error)
	// ExecuteSingle executes a prepared notebook on this machine.
	ExecuteSingle(ctx context.Context, doc *notebook.Notebook, o Single) (status outcome.Status, reason string, err error)
}

// A Machine executes runs of one sweep until it is closed.
type Machine interface {
	// Executor executes runs, which will probably be asked for in the order
	// of the queue. It is called once.
	Executor(ctx context.Context, queue []string) (fan.Executor, error)
	Close() error
}

// A Template is a notebook and the kernel that is to execute it.
type Template struct {
	Path   string
	Kernel string // name of a kernelspec; "" is the usual one
	Python string // interpreter or virtual environment; "" is the usual one
}

// Single is how a notebook that is not a run is executed, and where it goes.
type Single struct {
	Kernel, Python string
	Dir            string // working directory
	Save           func(doc []byte) error
	// Recipe is that of the sweep the notebook belongs to: its kernel has the
	// sweep's variables and none of its secrets, whose values are not written.
	Recipe *sweep.Recipe
}

// LimitRuns applies Timeout to a sweep.
func (a *App) LimitRuns(s *sweep.Sweep) error {
	if a.Timeout == "" {
		return nil
	}
	limit, err := grid.ParseLimit(a.Timeout)
	if err != nil {
		return unit.Mistake(unit.WithHint(fmt.Errorf("timeout %q: %w", a.Timeout, err), "write 30s, 10m, 2h or 300%%"))
	}
	s.LimitRuns(limit)
	return nil
}
