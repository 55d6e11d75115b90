package cost

import (
	"fmt"
	"strconv"
	"time"

	"github.com/fanout-dev/fanout/internal/unit"
)

// Texts are a run's time, peak memory and status, for people.
func (r Run) Texts() []string {
	return []string{unit.Duration(r.Wall), atPeak(r.Memory), r.Status.Words()}
}

// Each is the time that a run took on average.
func (c Cost) Each() time.Duration { return c.Wall / time.Duration(c.Runs) }

// A Part is how the values of one axis share what was taken, for people.
type Part struct {
	Most       string     // the value that took most: "region=apac"
	Share, Due string     // of all time, and of all runs
	CPU        bool       // the time is CPU time
	Rows       [][]string // value, runs, time, share, time of each run on average, peak memory
	Left       int        // values without a row
}

// Parts are the most unequal axes, at most so many, each with its rows for so many values.
// Names of axes and values go through clean.
func (c Cost) Parts(axes, values int, clean func(string) string) (all []Part) {
	for _, a := range c.Axes[:min(len(c.Axes), axes)] {
		most := a.Values[0]
		p := Part{Most: clean(a.Name + "=" + most.Name), Share: percent(c.Share(most)), Due: percent(float64(most.Runs) / float64(c.Runs)),
			CPU: c.CPU > 0, Left: max(0, len(a.Values)-values)}
		for _, v := range a.Values[:len(a.Values)-p.Left] {
			took := v.Wall
			if p.CPU {
				took = v.CPU
			}
			p.Rows = append(p.Rows, []string{clean(v.Name), strconv.Itoa(v.Runs), unit.Duration(took), percent(c.Share(v)),
				unit.Duration(took / time.Duration(v.Runs)), atPeak(v.Memory)})
		}
		all = append(all, p)
	}
	return all
}

func percent(share float64) string { return fmt.Sprintf("%.0f%%", 100*share) }

func atPeak(memory int64) string {
	if memory == 0 {
		return ""
	}
	return unit.Bytes(memory)
}
