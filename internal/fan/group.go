package fan

import (
	"slices"
	"time"

	"github.com/fanout-dev/fanout/internal/outcome"
)

// A shard should take long enough for its start to be negligible, and be short
// enough that the last ones do not hold up the sweep.
const (
	shardTime = 30 * time.Second
	maxGroup  = 500
)

// shardSize is how many runs the next shard gets: one while the canary is out, and
// while nothing is known of how long runs take.
func (f *fanner) shardSize() int {
	n := f.ex.Limits().PerShard
	switch {
	case f.canary.shut:
		return 1
	case n > 0:
		return n
	}
	return autoSize(f.typical(), len(f.queue), f.window)
}

// autoSize fills shardTime, but leaves two shards for every slot in the window, to
// even out a slow one, unless they would be too short to pay for their start: then
// every slot gets what is its own.
func autoSize(took time.Duration, left, window int) int {
	if took <= 0 {
		return 1
	}
	n := ceil(left, 2*window)
	if pays := int(worthSharing / took); n < pays {
		n = min(pays, ceil(left, window))
	}
	return max(1, min(n, int(shardTime/took), maxGroup))
}

func ceil(n, by int) int { return (n + by - 1) / by }

// typical is the median time of the runs that succeeded; 0 when none did. It looks
// at all runs, and so again only once a twentieth more have succeeded: a sweep with
// steps asks for it at almost every run.
func (f *fanner) typical() time.Duration {
	if f.typicalOf >= 0 && f.succeeded-f.typicalOf <= f.typicalOf/20 {
		return f.typicalTook
	}
	f.typicalOf = f.succeeded
	var took []time.Duration
	for st := range f.sweep.All() {
		if o := st.BestOut; o != nil && o.Status == outcome.Succeeded {
			took = append(took, o.Duration())
		}
	}
	if len(took) == 0 {
		return 0
	}
	slices.Sort(took)
	f.typicalTook = took[len(took)/2]
	return f.typicalTook
}
