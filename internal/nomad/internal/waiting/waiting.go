// Package waiting knows why shards have no node, and when to report it: one sentence
// for all runs that wait for the same reason, not one a shard.
package waiting

import (
	"fmt"
	"time"

	"github.com/fanout-dev/fanout/internal/unit"
)

// Shards are those that wait. They are not for several goroutines at once.
type Shards struct {
	shards  map[string]wait   // by id
	reports map[string]report // by reason
}

type wait struct {
	runs int
	why  string
}

// report is the last one about a reason.
type report struct {
	runs int
	at   time.Time
}

// New is none.
func New() Shards { return Shards{map[string]wait{}, map[string]report{}} }

// reportEvery is the shortest time between two reports about a reason.
const reportEvery = 30 * time.Second

// Set records why a shard waits and returns what to report, if anything: a shard
// that begins to wait is reported with the others, at the next look.
func (w *Shards) Set(shard string, runs int, why string) string {
	known := w.shards[shard].why == why
	w.shards[shard] = wait{runs, why}
	all := 0
	for _, s := range w.shards {
		if s.why == why {
			all += s.runs
		}
	}
	if was := w.reports[why]; !known || was.runs == all || time.Since(was.at) < reportEvery {
		return ""
	}
	w.reports[why] = report{all, time.Now()}
	verb := "wait"
	if all == 1 {
		verb = "waits"
	}
	return fmt.Sprintf("%s %s for a node: %s", unit.Plural(all, "run"), verb, why)
}

// Forget is told that a shard waits no longer.
func (w *Shards) Forget(shard string) { delete(w.shards, shard) }
