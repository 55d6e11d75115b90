package local

import (
	"slices"
	"sync"
	"time"

	"github.com/fanout-dev/fanout/internal/outcome"
	"github.com/fanout-dev/fanout/internal/sweep"
)

// medians knows how long successful runs took, so that a limit can be given
// in per cent of what is usual.
type medians struct {
	mu    sync.Mutex
	times []time.Duration // sorted
}

// usual is how many runs make a median worth trusting.
const usual = 3

func newMedians(states []sweep.RunState) *medians {
	m := &medians{}
	for _, st := range states {
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

// percent is p per cent of the median, at least a second: what is over in no
// time varies by more than it takes. 0 while too little is known.
func (m *medians) percent(p float64) time.Duration {
	m.mu.Lock()
	defer m.mu.Unlock()
	if p <= 0 || len(m.times) < usual {
		return 0
	}
	return max(time.Second, time.Duration(float64(m.times[len(m.times)/2])*p/100))
}
