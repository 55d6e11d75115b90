package local

import (
	"iter"
	"slices"
	"sync"
	"time"

	"github.com/fanout-dev/fanout/internal/outcome"
	"github.com/fanout-dev/fanout/internal/sweep"
)

// medians knows how long successful runs took, so that a limit can be a percentage
// of the median.
type medians struct {
	mu    sync.Mutex
	times []time.Duration // sorted
}

// enough is how many runs a median needs to be trusted.
const enough = 3

func newMedians(states iter.Seq[sweep.RunState]) *medians {
	m := &medians{}
	for st := range states {
		if st.BestOut != nil && st.BestOut.Status == outcome.Succeeded {
			m.times = append(m.times, st.BestOut.Duration())
		}
	}
	slices.Sort(m.times)
	return m
}

func (m *medians) add(o outcome.Outcome) {
	if o.Status != outcome.Succeeded {
		return
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	i, _ := slices.BinarySearch(m.times, o.Duration())
	m.times = slices.Insert(m.times, i, o.Duration())
}

// percent is p percent of the median, at least a second, because the time of short
// runs varies most. It is 0 while too little is known.
func (m *medians) percent(p float64) time.Duration {
	m.mu.Lock()
	defer m.mu.Unlock()
	if p <= 0 || len(m.times) < enough {
		return 0
	}
	return max(time.Second, time.Duration(float64(m.times[len(m.times)/2])*p/100))
}
