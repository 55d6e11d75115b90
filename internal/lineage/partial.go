package lineage

import (
	"fmt"
	"slices"

	"github.com/fanout-dev/fanout/internal/needs"
	"github.com/fanout-dev/fanout/internal/outcome"
	"github.com/fanout-dev/fanout/internal/sweep"
	"github.com/fanout-dev/fanout/internal/unit"
)

// maxMissing is how many missing runs a sentence names.
const maxMissing = 3

// Partial names the runs of a step, or of all where it is empty, that succeeded without
// all that they need, which a share allows: "world has 3 of 4 runs of report, without report region=Monaco". It has most
// of them, and a line that counts the others.
func Partial(s *sweep.Sweep, of string, most int) []string {
	head, _ := s.Head()
	share := func(n needs.Need) bool { return n.Share < 1 }
	var lines []string
	left := 0
	for st := range s.All() {
		step, is := head.Step(st.Run.Step())
		if !is || of != "" && of != step.Name || st.Run.Unplanned || st.Status != outcome.Succeeded || !slices.ContainsFunc(step.Needs, share) {
			continue
		}
		for _, n := range s.Needed(st.Run.ID) {
			lacking, _ := n.Lacking()
			if len(lacking) == 0 {
				continue
			}
			if len(lines) == most {
				left++
				continue
			}
			var names []string
			for _, l := range lacking[:min(len(lacking), maxMissing)] {
				names = append(names, s.RunName(l.Run.ID))
			}
			line := fmt.Sprintf("%s has %d of %s of %s, without %s", s.RunName(st.Run.ID), len(n.Runs)-len(lacking), unit.Plural(len(n.Runs), "run"), n.Step, unit.All(names))
			if more := len(lacking) - len(names); more > 0 {
				line += fmt.Sprintf(" and %d more", more)
			}
			lines = append(lines, line)
		}
	}
	if left > 0 {
		lines = append(lines, unit.Plural(left, "more run")+" without all that they need")
	}
	return lines
}
