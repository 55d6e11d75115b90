package fan

import (
	"slices"
	"time"

	"github.com/fanout-dev/fanout/internal/sweep"
)

// A shard should take long enough that starting it does not count, and short
// enough that the last ones do not keep everybody waiting.
const (
	shardTime = 30 * time.Second
	maxGroup  = 500
)

// shardSize is how many runs the next shard gets. While the canary flies, and
// until something is known of what runs take, they travel alone.
func (f *fanner) shardSize() int {
	limits := f.ex.Limits()
	if !limits.Remote || f.canary.shut {
		return 1
	}
	n := f.o.Group
	if n <= 0 {
		n = autoSize(f.typical(), len(f.queue), f.window)
	}
	if limits.PerShard > 0 {
		n = min(n, limits.PerShard)
	}
	return max(n, 1)
}

// autoSize fills shardTime, but leaves two shards for every place in the
// window, so that a slow one is made up for.
func autoSize(took time.Duration, left, window int) int {
	if took <= 0 {
		return 1
	}
	return max(1, min(int(shardTime/took), (left+2*window-1)/(2*window), maxGroup))
}

// typical is the median time of the runs that succeeded; 0 when none did.
func (f *fanner) typical() time.Duration {
	if f.succeeded == f.typicalOf && f.typicalOf > 0 {
		return f.typicalTook
	}
	var took []time.Duration
	for _, st := range f.sweep.Runs() {
		if o := st.BestOut; o != nil && o.Status == sweep.Succeeded {
			took = append(took, o.Duration())
		}
	}
	if len(took) == 0 {
		return 0
	}
	slices.Sort(took)
	f.typicalOf, f.typicalTook = f.succeeded, took[len(took)/2]
	return f.typicalTook
}
