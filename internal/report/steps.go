package report

import (
	"fmt"
	"slices"
	"strings"

	"github.com/fanout-dev/fanout/internal/align"
	"github.com/fanout-dev/fanout/internal/compare"
	"github.com/fanout-dev/fanout/internal/lineage"
	"github.com/fanout-dev/fanout/internal/outcome"
	"github.com/fanout-dev/fanout/internal/report/internal/picture"
	"github.com/fanout-dev/fanout/internal/unit"
)

// A Step is a step of the sweep, and what its runs say by themselves.
type Step struct {
	lineage.Step
	Compare *compare.Report
	Cells   *align.Report // as Input.Cells
}

// eachStep makes a part of the summary, of each step where it is about one. Titles
// begin with the step.
func eachStep(p part, in Input) ([]section, error) {
	if len(in.Steps) == 0 || !slices.Contains(byStep, p.name) {
		return p.make(in)
	}
	var all []section
	for _, step := range in.Steps {
		made, err := p.make(in.of(step))
		if err != nil {
			return nil, err
		}
		for _, s := range made {
			if s.title == "" {
				continue
			}
			s.title = strings.Replace(s.title, "## ", "## "+safe(step.Name)+": ", 1)
			for i := range s.figures {
				s.figures[i].file = fmt.Sprintf("step-%d-%s", slices.IndexFunc(in.Steps, func(x Step) bool { return x.Name == step.Name })+1, s.figures[i].file)
			}
			all = append(all, s)
		}
	}
	return all, nil
}

// of is the input as a step has it.
func (in Input) of(step Step) Input {
	in.Compare, in.Cells = step.Compare, step.Cells
	in.Axes = slices.DeleteFunc(slices.Clone(in.Axes), func(a Axis) bool { return !slices.Contains(step.Axes, a.Name) })
	return in
}

// stepsSection draws the chain, and says how each step stands.
func stepsSection(in Input) ([]section, error) {
	if len(in.Steps) == 0 {
		return nil, nil
	}
	var rows [][]string
	chain := make([]lineage.Step, len(in.Steps))
	for i, step := range in.Steps {
		var needs []string
		for _, n := range step.Needs {
			needs = append(needs, safe(lineage.NeedWord(n)))
		}
		state := safe(step.Words())
		if step.Waiting > 0 {
			state += fmt.Sprintf(" (%d waiting)", step.Waiting)
		}
		rows = append(rows, []string{safe(step.Name), safe(step.Template), joined(needs), joined(textsOf(step.Axes, safe)), state})
		chain[i] = step.Step
	}
	s := written("steps", struct {
		Rows             [][]string
		Waiting, Partial []string
	}{rows, in.Waiting, in.Partial})
	boxes, fits := boxesOf(chain)
	if !fits {
		return []section{s}, nil
	}
	p, err := picture.Chain(boxes)
	if err != nil {
		return nil, fmt.Errorf("draw the steps: %w", err)
	}
	s.figures = []figure{{file: "steps.png", Picture: p, caption: "The steps from left to right. The bar of each says how its runs stand."}}
	return []section{s}, nil
}

// boxesOf lays steps out, unless they are more than can be read.
func boxesOf(chain []lineage.Step) (boxes []picture.Box, fits bool) {
	columns := lineage.Depths(chain)
	inColumn, at := map[int]int{}, map[string]int{}
	for i, step := range chain {
		b := picture.Box{Name: step.Name, Line: unit.Plural(step.Runs, "run"), Column: columns[i], Good: step.Counts[outcome.Succeeded]}
		b.Other = step.Counts[outcome.Planned] + step.Counts[outcome.Running]
		b.Bad = step.Runs - b.Good - b.Other
		if words := step.Words(); words != "" {
			b.Line = words
		}
		at[step.Name] = i
		for _, n := range step.Needs {
			b.From = append(b.From, at[n.Step])
		}
		if inColumn[b.Column]++; inColumn[b.Column] > picture.MaxBoxes || b.Column >= picture.MaxBoxes {
			return nil, false
		}
		boxes = append(boxes, b)
	}
	return boxes, true
}
