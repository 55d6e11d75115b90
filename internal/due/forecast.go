package due

import (
	"time"

	"github.com/fanout-dev/fanout/internal/outcome"
	"github.com/fanout-dev/fanout/internal/sweep"
)

// A Forecast is what executing runs will take, learnt from those that succeeded.
type Forecast struct {
	From    int           // how many successes it was learnt from
	Wall    time.Duration // until the last one ends
	CPU     time.Duration // of all together
	PeakRSS int64         // bytes, the largest seen of one run; 0 when unknown
}

// Expect estimates what executing the runs takes with up to jobs of them at
// once. A run that succeeded before takes what it took then, another one what
// the others took on average. ok is false when nothing has succeeded yet.
func Expect(s *sweep.Sweep, ids []string, jobs int) (f Forecast, ok bool) {
	var wall, cpu time.Duration
	for _, st := range s.Runs() {
		if o := st.BestOut; o != nil && o.Status == outcome.Succeeded {
			f.From++
			wall, cpu = wall+o.Duration(), cpu+o.CPU
			f.PeakRSS = max(f.PeakRSS, o.PeakRSS)
		}
	}
	if f.From == 0 {
		return f, false
	}
	wall, cpu = wall/time.Duration(f.From), cpu/time.Duration(f.From)
	var total, longest time.Duration
	for _, id := range ids {
		took, used := wall, cpu
		if st, _ := s.Run(id); st.BestOut != nil && st.BestOut.Status == outcome.Succeeded {
			took, used = st.BestOut.Duration(), st.BestOut.CPU
		}
		total, longest, f.CPU = total+took, max(longest, took), f.CPU+used
	}
	f.Wall = max(total/time.Duration(max(jobs, 1)), longest)
	return f, true
}
