package report

import (
	"fmt"
	"math"

	"github.com/fanout-dev/fanout/internal/unit"
)

// Growth is how a sweep that grows came to its number of runs.
type Growth struct {
	Looks      []Look
	Replicates int // at the last look
	Most       int // replicates there may be
	Runs       int // planned runs, had all variants Most replicates
	Ended      bool
	Why        string // it ended though something is open
}

// A Look is what was found when so many replicates had ended.
type Look struct {
	Replicates int
	Level      float64 // the share of alpha that it used
	Found      []LookFound
}

// LookFound is what a look found of one variant by one metric. Lo and Hi may be
// infinite.
type LookFound struct {
	Variant, Metric string
	Change, Lo, Hi  float64 // in the metric's unit
	Verdict         string
}

// looksSection is the path of a sweep that grows.
func looksSection(in Input) section {
	g := in.Growth
	if g == nil || len(g.Looks) == 0 {
		return section{}
	}
	var rows [][]string
	for i, look := range g.Looks {
		for j, f := range look.Found {
			row := []string{"", "", ""}
			if j == 0 {
				row = []string{fmt.Sprint(i + 1), fmt.Sprint(look.Replicates), unit.P(look.Level)}
			}
			rows = append(rows, append(row, safe(f.Variant), safe(f.Metric), unit.Change(f.Change), between(f.Lo, f.Hi), f.Verdict))
		}
	}
	shown := min(len(rows), maxRows)
	return written("looks", struct {
		*Growth
		Planned, Saved, Left int
		Rows                 [][]string
	}{g, in.Planned, g.Runs - in.Planned, len(rows) - shown, rows[:shown]})
}

func between(lo, hi float64) string {
	if math.IsInf(lo, 0) || math.IsInf(hi, 0) {
		return "too few"
	}
	return unit.Change(lo) + " … " + unit.Change(hi)
}
