package due

import (
	"fmt"
	"time"

	"github.com/fanout-dev/fanout/internal/outcome"
	"github.com/fanout-dev/fanout/internal/sweep"
	"github.com/fanout-dev/fanout/internal/unit"
)

// A Forecast is what executing runs will take, learnt from those that succeeded.
type Forecast struct {
	From    int           // how many successes it was learnt from
	Jobs    int           // runs at once
	Wall    time.Duration // until the last one ends
	CPU     time.Duration // of all together
	PeakRSS int64         // bytes, the largest seen of one run; 0 when unknown
}

// Expect estimates what executing the runs takes with up to jobs of them at
// once. A run that succeeded before takes what it took then, another one what
// the others took on average. ok is false when nothing has succeeded yet.
func Expect(s *sweep.Sweep, ids []string, jobs int) (f Forecast, ok bool) {
	f.Jobs = max(jobs, 1)
	var wall, cpu time.Duration
	for st := range s.All() {
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
	f.Wall = max(total/time.Duration(f.Jobs), longest)
	return f, true
}

// String is the forecast for people, in one line.
func (f Forecast) String() string {
	memory := ""
	if f.PeakRSS > 0 {
		memory = ", up to " + unit.Bytes(f.PeakRSS) + " a run"
	}
	cpu := unit.Duration(f.CPU) + " of CPU"
	if f.CPU > 6*time.Minute {
		cpu = fmt.Sprintf("%.1f core-hours", f.CPU.Hours())
	}
	return fmt.Sprintf("%s at -j %d, %s%s; from %s", unit.Duration(f.Wall), f.Jobs, cpu, memory, unit.Plural(f.From, "finished run"))
}

// Left estimates how long until all runs that are not done have ended, from how
// many ended since a time. ok is false when none has.
func Left(s *sweep.Sweep, since time.Time) (left time.Duration, ok bool) {
	done, open := 0, 0
	for st := range s.All() {
		switch {
		case st.Run.Unplanned:
		case st.Last != nil && st.Last.End.After(since):
			done++
		case st.Status != outcome.Succeeded:
			open++
		}
	}
	if done == 0 {
		return 0, false
	}
	return time.Duration(float64(time.Since(since)) / float64(done) * float64(open)), true
}
