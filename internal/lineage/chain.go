package lineage

import (
	"fmt"
	"strings"

	"github.com/fanout-dev/fanout/internal/needs"
	"github.com/fanout-dev/fanout/internal/outcome"
	"github.com/fanout-dev/fanout/internal/sweep"
)

// A Step is a step of a sweep, and how its planned runs stand.
type Step struct {
	Name     string                 `json:"step"`
	Template string                 `json:"template"`
	Axes     []string               `json:"axes,omitempty"` // that its runs differ in
	Needs    []needs.Need           `json:"needs,omitempty"`
	Runs     int                    `json:"runs"`
	Counts   map[outcome.Status]int `json:"counts,omitempty"` // none where nothing is planned yet
	Waiting  int                    `json:"waiting,omitempty"`
}

// Chain is the steps of a sweep, each after those it needs; none where it has no
// steps.
func Chain(s *sweep.Sweep) []Step {
	head, _ := s.Head()
	if len(head.Steps) == 0 {
		return nil
	}
	steps, at := Planned(head), map[string]int{}
	for i := range steps {
		steps[i].Counts, at[steps[i].Name] = map[outcome.Status]int{}, i
	}
	for _, st := range s.Runs() {
		i, is := at[st.Run.Step()]
		if !is || st.Run.Unplanned {
			continue
		}
		steps[i].Runs++
		steps[i].Counts[st.Status]++
		if st.Status == outcome.Planned && s.Waits(st.Run.ID) != "" {
			steps[i].Waiting++
		}
	}
	return steps
}

// Planned is the steps of a plan, with no runs counted.
func Planned(head sweep.Head) []Step {
	steps := make([]Step, len(head.Steps))
	for i, x := range head.Steps {
		steps[i] = Step{Name: x.Name, Axes: x.Axes, Needs: x.Needs}
		for _, t := range head.Templates {
			if t.Slot == x.Name {
				steps[i].Template = t.Path
			}
		}
	}
	return steps
}

// Words say how the runs of a step stand: "8 succeeded, 1 planned".
func (s Step) Words() string {
	var words []string
	for _, status := range outcome.Statuses() {
		if n := s.Counts[status]; n > 0 {
			words = append(words, fmt.Sprintf("%d %s", n, status.Words()))
		}
	}
	return strings.Join(words, ", ")
}

// NeedWord is a need for people: "report", or "90% of report".
func NeedWord(n needs.Need) string {
	if n.Share < 1 {
		return fmt.Sprintf("%.4g%% of %s", 100*n.Share, n.Step)
	}
	return n.Step
}

// Depths are how far each step is from the beginning of its longest chain.
func Depths(steps []Step) []int {
	depth, at := make([]int, len(steps)), map[string]int{}
	for i, s := range steps {
		at[s.Name] = i
		for _, n := range s.Needs {
			depth[i] = max(depth[i], depth[at[n.Step]]+1)
		}
	}
	return depth
}
