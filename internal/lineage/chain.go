package lineage

import (
	"cmp"
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
	Blocked  int                    `json:"blocked,omitempty"`    // of those that wait: needs have ended, and too few of them well
	By       string                 `json:"blocked_by,omitempty"` // what blocks most of them: "extract region=eu: failed, KeyError"
	Most     int                    `json:"-"`                    // how many that is
}

// Chain is the steps of a sweep, each after those it needs; none where it has no
// steps.
func Chain(s *sweep.Sweep) []Step {
	head, _ := s.Head()
	if len(head.Steps) == 0 {
		return nil
	}
	steps, at, b := Planned(head), map[string]int{}, blocks{sweep: s, by: map[string]string{}}
	for i := range steps {
		steps[i].Counts, at[steps[i].Name] = map[outcome.Status]int{}, i
	}
	for st := range s.All() {
		i, is := at[st.Run.Step()]
		if !is || st.Run.Unplanned {
			continue
		}
		steps[i].Runs++
		steps[i].Counts[st.Status]++
		if st.Status == outcome.Planned {
			b.see(st.Run.ID, &steps[i])
		}
	}
	return steps
}

// blocks finds which runs cannot begin any more as things stand, and the first run on
// the way back that went badly. Runs are seen after those they need.
type blocks struct {
	sweep *sweep.Sweep
	by    map[string]string         // blocked run → why
	n     map[string]map[string]int // step → why → runs
}

func (b *blocks) see(id string, step *Step) {
	waits := false
	for _, n := range b.sweep.Needed(id) {
		out, why := 0, ""
		lacking, short := n.Lacking()
		if short && !waits {
			waits = true
			step.Waiting++
		}
		for _, st := range lacking {
			by := b.by[st.Run.ID]
			if by == "" && st.Status.Ended() {
				r := relative(b.sweep, st)
				by = r.Name + ": " + r.Words()
			}
			if by != "" {
				out++
				why = cmp.Or(why, by)
			}
		}
		if n.Lacks(out) {
			b.by[id] = why
			b.count(why, step)
			return
		}
	}
}

func (b *blocks) count(why string, step *Step) {
	if b.n == nil {
		b.n = map[string]map[string]int{}
	}
	of := b.n[step.Name]
	if of == nil {
		of = map[string]int{}
		b.n[step.Name] = of
	}
	step.Blocked++
	if of[why]++; of[why] > step.Most {
		step.By, step.Most = why, of[why]
	}
}

// Line is the step in a line: "report: 3 succeeded, 1 planned; 1 blocked by extract
// region=eu: failed, KeyError".
func (s Step) Line() string {
	line := s.Name + ": " + s.Words()
	if b := s.BlockedWords(); b != "" {
		line += "; " + b
	}
	return line
}

// BlockedWords say how many runs cannot begin and because of which: "3 blocked, 2 of
// them by extract region=eu: failed, KeyError". They are empty where none is blocked.
func (s Step) BlockedWords() string {
	if s.Blocked == 0 {
		return ""
	}
	if s.Most < s.Blocked {
		return fmt.Sprintf("%d blocked, %d of them by %s", s.Blocked, s.Most, s.By)
	}
	return fmt.Sprintf("%d blocked by %s", s.Blocked, s.By)
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
