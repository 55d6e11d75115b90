package align

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/fanout-dev/fanout/internal/query"
	"github.com/fanout-dev/fanout/internal/sweep"
	"github.com/fanout-dev/fanout/internal/unit"
	"github.com/fanout-dev/fanout/internal/value"
)

// A Question says which runs of a sweep are compared, and how.
type Question struct {
	Runs      []string // beginnings of ids: the others with the first, one alone with the baseline; none: all
	Step      string   // only runs of this step; "" is any
	Where     string   // only runs for which this expression is true
	By        []string // axes whose values are compared; "variant" stands for those of the baseline
	Tolerance float64  // as in Options
	Most      int      // as in Options
	Bytes     int64    // how large the notebooks may be together; 0 is any size
	Memory    *Memory  // as in Options
}

// Variant stands for the axes of the baseline in Question.By.
const Variant = "variant"

// ErrTooLarge reports that the notebooks are larger than Question.Bytes allows.
var ErrTooLarge = errors.New("the notebooks are too large to be compared in passing")

// ErrSteps reports that runs of several steps were asked for.
var ErrSteps = errors.New("these runs are of several steps, which have cells of their own")

// maxRuns is how many runs of a sweep are compared at once.
const maxRuns = 5000

// Sweep compares the cells of a sweep's runs, those under way and those that
// failed among them. What does not fit the sweep is a mistake.
func Sweep(ctx context.Context, s *sweep.Sweep, q Question) (*Report, error) {
	o, err := options(s, q)
	if err != nil {
		return nil, err
	}
	chosen, err := choose(s, q, o)
	if err != nil {
		return nil, err
	}
	if err := oneStep(s, q, chosen); err != nil {
		return nil, err
	}
	var runs []Run
	var left []Left
	var size int64
	for _, r := range chosen {
		if r.Best == 0 {
			left = append(left, Left{r.Run.ID, s.RunName(r.Run.ID), "it has no notebook: " + r.Status.Words()})
			continue
		}
		size += r.Size
		runs = append(runs, runOf(ctx, s, r))
	}
	if q.Bytes > 0 && size > q.Bytes {
		return nil, ErrTooLarge
	}
	switch {
	case len(runs) < 2:
		return nil, tooFew(left)
	case len(runs) > maxRuns:
		return nil, unit.Mistake(unit.WithHint(fmt.Errorf("%d runs have notebooks, and %d can be compared at once", len(runs), maxRuns), "choose some with --where"))
	}
	if o.First = len(q.Runs) > 0; !o.First {
		sortByValues(runs)
	}
	report, err := Notebooks(ctx, runs, o)
	if err == nil {
		report.Left = append(left, report.Left...)
	}
	return report, err
}

// oneStep refuses runs of several steps, unless they were named: their notebooks are
// of different templates.
func oneStep(s *sweep.Sweep, q Question, chosen []query.Run) error {
	head, _ := s.Head()
	if len(head.Steps) == 0 || len(q.Runs) > 0 {
		return nil
	}
	var steps []string
	for _, r := range chosen {
		if step := r.Run.Step(); !slices.Contains(steps, step) {
			steps = append(steps, step)
		}
	}
	if len(steps) < 2 {
		return nil
	}
	one := fmt.Sprintf("%s == %q", query.Step, steps[0])
	return unit.Mistake(unit.WithHint(fmt.Errorf("%w: choose one of %s, as with %s", ErrSteps, unit.List(steps), one),
		"--where %s", unit.Quote(one)))
}

// sortByValues orders runs by their values, the same however the sweep file
// orders its axes.
func sortByValues(runs []Run) {
	var names []string
	for _, b := range runs[0].Values {
		names = append(names, b.Name)
	}
	slices.Sort(names)
	slices.SortStableFunc(runs, func(a, b Run) int {
		for _, name := range names {
			v, _ := value.Lookup(a.Values, name)
			w, _ := value.Lookup(b.Values, name)
			if order := value.Compare(v, w); order != 0 {
				return order
			}
		}
		return 0
	})
}

func runOf(ctx context.Context, s *sweep.Sweep, r query.Run) Run {
	mark := ""
	if r.BestOut != nil {
		mark = fmt.Sprint(r.Run.ID, r.Best, r.Size, r.BestOut.End.UnixNano())
	}
	return Run{
		Mark: mark,
		ID:   r.Run.ID, Name: s.RunName(r.Run.ID), Values: valuesOf(s, r), Stale: r.Stale, Size: r.Size,
		Read: func() ([]byte, error) { return s.Notebook(ctx, r.RunState) },
	}
}

// valuesOf are a run's values of the sweep's axes.
func valuesOf(s *sweep.Sweep, r query.Run) []value.Binding {
	head, _ := s.Head()
	given := slices.Concat(r.Run.Labels, r.Run.Params)
	var values []value.Binding
	for _, a := range head.Axes {
		v, ok := value.Lookup(given, a.Name)
		switch {
		case ok:
		case a.Kind == "replicate":
			v, _ = value.Of(r.Run.Replicate)
		case a.Kind == "template":
			v, _ = value.Of(r.Run.Template)
		}
		values = append(values, value.Binding{Name: axisName(a.Name), Value: v})
	}
	return values
}

// axisName is what people call an axis.
func axisName(name string) string { return strings.TrimPrefix(name, "run_") }

func options(s *sweep.Sweep, q Question) (Options, error) {
	head, _ := s.Head()
	o := Options{Tolerance: q.Tolerance, Most: q.Most, Memory: q.Memory}
	if spec := s.Spec(); spec != nil {
		o.Reference = spec.Baseline
	}
	var names []string
	for _, a := range head.Axes {
		names = append(names, axisName(a.Name))
	}
	for _, by := range q.By {
		switch {
		case by == Variant && !slices.Contains(names, Variant):
			if len(o.Reference) == 0 {
				return o, unit.Mistake(unit.WithHint(errors.New("the sweep file has no baseline, which says what its variants are"), "name the axes to compare: --by %s", strings.Join(names[:min(1, len(names))], ",")))
			}
			for _, b := range o.Reference {
				o.By = append(o.By, b.Name)
			}
		case slices.Contains(names, axisName(by)):
			o.By = append(o.By, axisName(by))
		default:
			return o, unit.Mistake(unit.WithHint(fmt.Errorf("the sweep has no axis %q", by), "its axes are %s", unit.List(names)))
		}
	}
	return o, nil
}

// choose finds the runs that are asked for, the reference first.
func choose(s *sweep.Sweep, q Question, o Options) ([]query.Run, error) {
	if head, _ := s.Head(); q.Step != "" {
		if _, is := head.Step(q.Step); !is {
			return nil, unit.Mistake(fmt.Errorf("the sweep has no step %q", q.Step))
		}
	}
	all, err := query.Choose(s, query.Choice{Where: q.Where, All: len(q.Runs) > 0})
	if err != nil || len(q.Runs) == 0 {
		return slices.DeleteFunc(all, func(r query.Run) bool { return q.Step != "" && r.Run.Step() != q.Step }), err
	}
	ids, err := query.Resolve(s, q.Runs)
	if err != nil {
		return nil, err
	}
	if len(ids) == 1 {
		if ids, err = withBaseline(s, all, ids[0], o); err != nil {
			return nil, err
		}
	}
	var chosen []query.Run
	for _, id := range ids {
		st, _ := s.Run(id)
		chosen = append(chosen, query.RunOf(s, st))
	}
	return chosen, nil
}

// withBaseline puts before a run the one that differs from it only in having
// the values of the baseline.
func withBaseline(s *sweep.Sweep, all []query.Run, id string, o Options) ([]string, error) {
	if len(o.Reference) == 0 {
		return nil, unit.Mistake(unit.WithHint(errors.New("the sweep file has no baseline to compare one run with"), "name two runs"))
	}
	st, _ := s.Run(id)
	want := valuesOf(s, query.RunOf(s, st))
	for _, b := range o.Reference {
		want = value.Bind(want, b.Name, b.Value)
	}
	key := func(values []value.Binding) string { return keyOf(values, func(string) bool { return true }) }
	for _, r := range all {
		if r.Run.ID != id && key(valuesOf(s, r)) == key(want) {
			return []string{r.Run.ID, id}, nil
		}
	}
	return nil, unit.Mistake(unit.WithHint(fmt.Errorf("%s is of the baseline itself, or the baseline has no run with its other values", s.RunName(id)), "name two runs"))
}
