package progress

import (
	"fmt"
	"slices"
	"strings"

	"github.com/fanout-dev/fanout/internal/outcome"
	"github.com/fanout-dev/fanout/internal/sweep"
	"github.com/fanout-dev/fanout/internal/unit"
)

// Work is what is to be executed.
type Work struct {
	Runs int
	Name func(run string) string // for people
	// Of a sweep with steps:
	Step  func(run string) string // of a run
	Steps []Step
}

// A Step is a step, and how many of its runs are due.
type Step struct {
	Name string
	Due  int
	Kept int // runs that stand as they are
}

// WorkOf is what is to be executed of a sweep.
func WorkOf(s *sweep.Sweep, runs []string) Work {
	w := Work{Runs: len(runs), Name: s.RunName}
	head, _ := s.Head()
	if len(head.Steps) == 0 {
		return w
	}
	at := map[string]int{}
	for i, step := range head.Steps {
		at[step.Name] = i
		w.Steps = append(w.Steps, Step{Name: step.Name})
	}
	w.Step = func(run string) string { st, _ := s.Run(run); return st.Run.Step() }
	for st := range s.All() {
		if i, is := at[st.Run.Step()]; is && !st.Run.Unplanned {
			w.Steps[i].Kept++
		}
	}
	for _, run := range runs {
		if i, is := at[w.Step(run)]; is {
			w.Steps[i].Due++
			w.Steps[i].Kept--
		}
	}
	return w
}

// A stage is how the runs of a step go.
type stage struct {
	Step
	running int
	ended   map[outcome.Status]int
	blocked int
	whys    []string // for whom they wait, the most frequent first
	of      map[string]int
}

func newStages(steps []Step) []*stage {
	var all []*stage
	for _, s := range steps {
		all = append(all, &stage{Step: s, ended: map[outcome.Status]int{}, of: map[string]int{}})
	}
	return all
}

// stageOf is the stage that a run belongs to; nil without steps.
func (p *progress) stageOf(run string) *stage {
	if p.step == nil {
		return nil
	}
	name := p.step(run)
	if i := slices.IndexFunc(p.stages, func(s *stage) bool { return s.Name == name }); i >= 0 {
		return p.stages[i]
	}
	return nil
}

// joined counts a run that stood and is due now.
func (p *progress) joined(run string) {
	p.total++
	if s := p.stageOf(run); s != nil {
		s.Due++
		s.Kept--
	}
}

// block counts a run that cannot begin, with why.
func (p *progress) block(run, why string) {
	p.blocked++
	s := p.stageOf(run)
	if s == nil {
		return
	}
	s.blocked++
	if s.of[why]++; s.of[why] == 1 {
		s.whys = append(s.whys, why)
	}
	if s.of[why] > s.of[s.whys[0]] {
		i := slices.Index(s.whys, why)
		s.whys[0], s.whys[i] = s.whys[i], s.whys[0]
	}
}

func (s *stage) done() (n, bad int) {
	for status, k := range s.ended {
		n += k
		if status != outcome.Succeeded {
			bad += k
		}
	}
	return n, bad
}

// maxStages is how many steps the live view shows.
const maxStages = 12

const stageBar = 20 // columns

// stageLines are a line a step: those that are finished make room for others where
// there are many.
func (p *progress) stageLines(width int) []string {
	shown := p.stages
	if len(shown) > maxStages {
		shown = slices.DeleteFunc(slices.Clone(shown), func(s *stage) bool {
			n, _ := s.done()
			return n+s.blocked == s.Due
		})
	}
	shown = shown[:min(len(shown), maxStages)]
	var lines []string
	names, counts := 0, 0
	for _, s := range shown {
		names, counts = max(names, len([]rune(unit.Cut(unit.Line(s.Name), maxName)))), max(counts, len(s.count()))
	}
	for _, s := range shown {
		n, bad := s.done()
		drawn := bar(n, bad, s.blocked, s.Due, min(stageBar, width/4))
		if s.Due == 0 {
			drawn = strings.Repeat(" ", min(stageBar, width/4))
		}
		line := fmt.Sprintf("  %-*s  %s  %*s", names, unit.Cut(unit.Line(s.Name), maxName), drawn, counts, s.count())
		lines = append(lines, strings.TrimRight(line+s.words(), " "))
	}
	if rest := len(p.stages) - len(shown); rest > 0 {
		lines = append(lines, fmt.Sprintf("  … and %s", unit.Plural(rest, "more step")))
	}
	return lines
}

const maxName = 24 // columns

func (s *stage) count() string {
	if s.Due == 0 {
		return fmt.Sprintf("%d kept", s.Kept)
	}
	n, _ := s.done()
	return fmt.Sprintf("%d/%d", n, s.Due)
}

// words are what a step's counts leave open.
func (s *stage) words() string {
	var words []string
	if s.running > 0 {
		words = append(words, fmt.Sprintf("%d running", s.running))
	}
	for _, status := range outcome.Statuses() {
		if status != outcome.Succeeded && s.ended[status] > 0 {
			words = append(words, fmt.Sprintf("%d %s", s.ended[status], status.Words()))
		}
	}
	if s.blocked > 0 {
		words = append(words, fmt.Sprintf("%d blocked: %s", s.blocked, s.whys[0]))
		if more := len(s.whys) - 1; more > 0 {
			words[len(words)-1] += ", and " + unit.Plural(more, "other reason")
		}
	}
	if len(words) == 0 {
		return ""
	}
	return "  " + strings.Join(words, ", ")
}
