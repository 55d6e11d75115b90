package report

import (
	"bytes"
	"image/png"
	"strings"
	"testing"

	"github.com/fanout-dev/fanout/internal/lineage"
	"github.com/fanout-dev/fanout/internal/needs"
	"github.com/fanout-dev/fanout/internal/outcome"
)

// A diamond: each step is drawn and listed, and its metrics are its own.
func TestSteps(t *testing.T) {
	in := inputOf(t, []string{"a", "b"}, 3)
	step := func(name string, ok, failed, planned, waiting int, needed ...needs.Need) Step {
		return Step{Compare: in.Compare, Step: lineage.Step{
			Name: name, Template: name + ".ipynb", Axes: []string{"variant"}, Needs: needed, Runs: ok + failed + planned, Waiting: waiting,
			Counts: map[outcome.Status]int{outcome.Succeeded: ok, outcome.Failed: failed, outcome.Planned: planned},
		}}
	}
	in.Steps = []Step{
		step("load", 3, 1, 0, 0),
		step("left", 3, 0, 1, 1, needs.Need{Step: "load", Share: 1}),
		step("right", 0, 0, 4, 1, needs.Need{Step: "load", Share: 1}),
		step("end", 0, 0, 1, 0, needs.Need{Step: "left", Share: .9}, needs.Need{Step: "right", Share: 1}),
	}
	in.Waiting = []string{"needs load variant=" + hostile + ": failed (2 runs)"}
	in.Partial = []string{"end has 9 of 10 runs of left, without left variant=c"}
	s := mustSummary(t, in)
	text := string(s.Markdown())
	for _, want := range []string{
		"| left | left.ipynb | load | variant | 3 succeeded, 1 planned (1 waiting) |",
		"| end | end.ipynb | 90% of left, right | variant | 1 planned |",
		"\n\n- Waiting: needs load variant=",
		"\n- ⚠ end has 9 of 10 runs of left, without left variant=c",
		"## left: y",
		"## end: y",
	} {
		if !strings.Contains(text, want) {
			t.Errorf("%q is missing:\n%s", want, text)
		}
	}
	if strings.Contains(text, "<script>") || strings.Contains(text, "\n# head") {
		t.Errorf("a name breaks out:\n%s", text)
	}
	files := map[string]bool{}
	for _, section := range s.sections {
		for _, f := range section.figures {
			if files[f.file] {
				t.Errorf("two pictures are called %s", f.file)
			}
			files[f.file] = true
			if f.file == "steps.png" {
				if c, err := png.DecodeConfig(bytes.NewReader(f.PNG)); err != nil || c.Width < c.Height {
					t.Errorf("three columns are drawn in %d × %d, %v", c.Width, c.Height, err)
				}
			}
		}
	}
	if !files["steps.png"] || !files["step-2-metric-1-1.png"] {
		t.Errorf("pictures %v", files)
	}
	code := strings.Join(codeCells(in), "\n")
	if !strings.Contains(code, `by_variant("y", by=["variant"], step="left")`) {
		t.Errorf("code:\n%s", code)
	}
}

// More steps than can be read are listed, and not drawn.
func TestManySteps(t *testing.T) {
	in := inputOf(t, []string{"a", "b"}, 2)
	for i := range 9 {
		name := string(rune('a' + i))
		s := Step{Compare: in.Compare, Step: lineage.Step{Name: name, Runs: 1}}
		if i > 0 {
			s.Needs = []needs.Need{{Step: in.Steps[i-1].Name, Share: 1}}
		}
		in.Steps = append(in.Steps, s)
	}
	for _, section := range mustSummary(t, in).sections {
		if section.title == "## Which step feeds which" && (len(section.figures) > 0 || !strings.Contains(section.text, "| i |")) {
			t.Errorf("%d figures and\n%s", len(section.figures), section.text)
		}
	}
}
