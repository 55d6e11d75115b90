package fan

import (
	"context"

	"github.com/fanout-dev/fanout/internal/sweep"
)

// An Executor executes the runs of a shard. Every clause of its contract is a
// sub-test of package fantest.
//
// Execute returns when every attempt that began has ended and is in the
// sweep; runs of the shard that never began stay planned. Whatever a notebook does
// is an outcome, not an error: an error means that the executor cannot tell
// whether something is still running, and fan then starts nothing more; if only
// the shard's class is gone (see Classer), nothing more of that class. When ctx
// ends, the work stops within the grace period, with the outcome canceled. When Execute has returned nothing is left of the shard:
// no process, socket, goroutine or temporary file. note may be called at any
// time before that, from any goroutine; nothing depends on it.
//
// A stored shard may be executed again, by another process: Execute then joins
// what is running. If ctx has already ended, it begins nothing of the shard.
type Executor interface {
	Execute(ctx context.Context, shard sweep.Shard, note func(sweep.Note)) error
	Limits() Limits
}

// Limits is what an executor can take.
type Limits struct {
	Parallel int  // shards at once; 0 is no limit
	PerShard int  // runs per shard; 0 lets fan decide
	Remote   bool // shards outlive this process and are stored before they are executed
}

// A Classer assigns runs to classes: only runs of one class share a shard.
// Executors to which all runs are alike need not be one.
type Classer interface {
	Class(run sweep.Run) string
	// Away lists the classes of which nothing can begin now. Those with an error
	// are given up: what is left of them is not executed, unless they come back
	// while others are. The others wait, and hold up no run of another class.
	Away() map[string]error
}

// A Recoverer ends what is left of attempts that an earlier process began, so
// that they may be declared lost. Executors whose shards die with the process
// need not be one.
type Recoverer interface {
	Recover(ctx context.Context, orphans []sweep.Began) error
}
