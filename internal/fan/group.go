package fan

import (
	"slices"
	"time"

	"github.com/fanout-dev/fanout/internal/outcome"
	"github.com/fanout-dev/fanout/internal/sweep"
)

// A shard should take long enough for its start to be negligible, and be short
// enough that the last ones do not hold up the sweep.
const (
	shardTime = 30 * time.Second
	maxGroup  = 500
)

// lastShare is how long a slot may take for its share of all that is left when it
// gets that at once: less does not pay for starting another shard, and what turns
// out to be slow is shared.
const lastShare = shardTime / 2

// shardSize is how many runs the shard gets that begins with this one: one while the
// canary is out, and while nothing is known of how long runs take.
func (f *fanner) shardSize(first sweep.Run) int {
	n := f.ex.Limits().PerShard
	switch {
	case f.canary.shut:
		return 1
	case n > 0:
		return n
	}
	return autoSize(f.pace(first), len(f.queue), f.rates.open(), f.window)
}

// Of the runs before it in the plan, whose parameters are mostly like its
// own, so many are asked how long they took, and no more are looked at.
const (
	neighbors = 4
	nearby    = 40
)

// pace is how long a run may take: as long as is typical, or as its neighbors took or
// have taken so far.
func (f *fanner) pace(run sweep.Run) time.Duration {
	typical := f.typical()
	if typical == 0 {
		return 0
	}
	var took time.Duration
	n, running := time.Duration(0), f.rates.running()
	next := f.canary.place[run.ID]
	for i := next - 1; i >= max(0, next-nearby) && n < neighbors; i-- {
		id := f.order[i]
		if st, _ := f.sweep.Run(id); st.BestOut != nil && st.BestOut.Status == outcome.Succeeded {
			took += st.BestOut.Duration()
			n++
		} else if running[id] > typical {
			took += running[id]
			n++
		}
	}
	return max(typical, took/max(n, 1))
}

// autoSize divides what is open, the runs that are left and those that are out,
// among the slots of the window: a slot gets what is its own where that takes no
// longer than lastShare, and else half of it, to even out a slow one, up to
// shardTime.
func autoSize(took time.Duration, left, out, window int) int {
	if took <= 0 {
		return 1
	}
	n := ceil(left+out, window)
	if time.Duration(n)*took > lastShare {
		n = min(ceil(left+out, 2*window), int(shardTime/took))
	}
	return max(1, min(n, left, maxGroup))
}

func ceil(n, by int) int { return (n + by - 1) / by }

// typical is the median time of the runs that succeeded; 0 when none did. It looks
// at all runs, and so again only once a twentieth more have succeeded: a sweep with
// steps asks for it at almost every run. Of a single one, the canary, the start of
// its kernel does not count: those of a shard share one.
func (f *fanner) typical() time.Duration {
	if f.typicalOf >= 0 && f.succeeded-f.typicalOf <= f.typicalOf/20 {
		return f.typicalTook
	}
	f.typicalOf = f.succeeded
	var took []time.Duration
	var start time.Duration
	for st := range f.sweep.All() {
		if o := st.BestOut; o != nil && o.Status == outcome.Succeeded {
			took = append(took, o.Duration())
			start = o.KernelStart
		}
	}
	switch len(took) {
	case 0:
		return 0
	case 1:
		took[0] = max(took[0]-start, 1)
	}
	slices.Sort(took)
	f.typicalTook = took[len(took)/2]
	return f.typicalTook
}
