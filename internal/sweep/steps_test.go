package sweep_test

import (
	"testing"

	"github.com/fanout-dev/fanout/internal/needs"
	"github.com/fanout-dev/fanout/internal/outcome"
	"github.com/fanout-dev/fanout/internal/store"
	"github.com/fanout-dev/fanout/internal/sweep"
)

// stepsOf plans a run of `first` and one of `then`, which needs it, for each name.
func stepsOf(t *testing.T, names ...string) sweep.Plan {
	t.Helper()
	p := planOf(t, "c", names...)
	firsts := p.Runs
	p.Runs, p.Templates, p.TemplateDocs = nil, nil, nil
	p.Steps = []sweep.Step{
		{Name: "first", Axes: []string{"x"}},
		{Name: "then", Axes: []string{"x"}, Needs: []needs.Need{{Step: "first", Share: 1}}},
	}
	for _, step := range p.Steps {
		p.Templates = append(p.Templates, sweep.Template{Slot: step.Name, Path: step.Name + ".ipynb", Code: "c"})
		p.TemplateDocs = append(p.TemplateDocs, []byte(template))
		for _, r := range firsts {
			p.Runs = append(p.Runs, sweep.Run{ID: step.Name + "-" + r.ID, Params: r.Params, Template: step.Name})
		}
	}
	return p
}

// What was forgotten and is planned again is fed as before, in a sweep that is opened,
// too.
func TestForgottenStepsArePlannedAgain(t *testing.T) {
	st := store.Mem()
	s := held(t, st)
	whole := stepsOf(t, "a", "b")
	plan(t, s, whole)
	for _, r := range whole.Runs {
		attempt(t, s, r.ID, outcome.Succeeded, "1")
	}
	plan(t, s, stepsOf(t, "a"))
	if err := s.Lease().Forget(t.Context(), []string{"first-b", "then-b"}); err != nil {
		t.Fatal(err)
	}
	plan(t, s, whole)
	attempt(t, s, "first-b", outcome.Succeeded, "1")
	attempt(t, s, "then-b", outcome.Succeeded, "1")
	again, err := sweep.Open(t.Context(), st)
	if err != nil {
		t.Fatal(err)
	}
	for _, of := range []*sweep.Sweep{s, again} {
		for _, name := range []string{"a", "b"} {
			needed := of.Needed("then-" + name)
			if len(needed) != 1 || len(needed[0].Runs) != 1 || needed[0].Runs[0].Run.ID != "first-"+name {
				t.Errorf("then %s needs %+v", name, needed)
			}
			if run, _ := of.Run("then-" + name); len(of.Stale(run, []string{"upstream"})) > 0 {
				t.Errorf("then %s is stale", name)
			}
		}
	}
}
