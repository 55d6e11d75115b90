package app

import (
	"context"
	"fmt"
	"strings"

	"github.com/fanout-dev/fanout/internal/app/internal/facts"
	"github.com/fanout-dev/fanout/internal/app/internal/growth"
	"github.com/fanout-dev/fanout/internal/app/internal/news"
	"github.com/fanout-dev/fanout/internal/app/internal/stages"
	"github.com/fanout-dev/fanout/internal/changes"
	"github.com/fanout-dev/fanout/internal/collect"
	"github.com/fanout-dev/fanout/internal/compare"
	"github.com/fanout-dev/fanout/internal/cost"
	"github.com/fanout-dev/fanout/internal/grid"
	"github.com/fanout-dev/fanout/internal/lineage"
	"github.com/fanout-dev/fanout/internal/publish"
	"github.com/fanout-dev/fanout/internal/query"
	"github.com/fanout-dev/fanout/internal/report"
	"github.com/fanout-dev/fanout/internal/store"
	"github.com/fanout-dev/fanout/internal/sweep"
	"github.com/fanout-dev/fanout/internal/table"
	"github.com/fanout-dev/fanout/internal/unit"
)

// Summary compares what a sweep recorded and lays it out. It writes nothing.
func (a *App) Summary(ctx context.Context, s *sweep.Sweep) (*report.Summary, error) {
	res, err := a.Tables(ctx, s, nil)
	if err != nil {
		return nil, err
	}
	defer res.Close()
	sum, _, err := a.summaryOf(ctx, s, res)
	return sum, err
}

func (a *App) summaryOf(ctx context.Context, s *sweep.Sweep, res *collect.Result) (*report.Summary, *compare.Report, error) {
	in, err := a.summaryInput(ctx, s, res)
	if err != nil {
		return nil, nil, fmt.Errorf("compare: %w", err)
	}
	sum, err := report.New(in)
	if err != nil {
		return nil, nil, fmt.Errorf("write summary: %w", err)
	}
	return sum, in.Compare, nil
}

// summarize writes the summary and returns what it compared.
func (a *App) summarize(ctx context.Context, s *sweep.Sweep, res *collect.Result) (*compare.Report, error) {
	sum, compared, err := a.summaryOf(ctx, s, res)
	if err != nil {
		return nil, err
	}
	pages, err := publish.PagesOf(ctx, s).All(ctx)
	if err != nil {
		a.Warn(fmt.Sprintf("html: %v", err))
	}
	page, err := sum.HTML()
	if err != nil {
		return nil, fmt.Errorf("write summary: %w", err)
	}
	page = publish.Link(page, pages)
	for _, f := range []struct {
		key  string
		data []byte
	}{{sweep.SummaryNotebook, sum.Notebook().Encode()}, {sweep.SummaryMarkdown, sum.Markdown()}, {sweep.SummaryHTML, page}, {sweep.Unusual, news.Nights(compared)}} {
		if f.data == nil {
			continue
		}
		if err := s.Store().Put(ctx, f.key, f.data, store.Cached); err != nil {
			return nil, fmt.Errorf("write summary: %w", err)
		}
	}
	return compared, nil
}

// summaryInput gathers the input of the summary.
func (a *App) summaryInput(ctx context.Context, s *sweep.Sweep, res *collect.Result) (report.Input, error) {
	head, _ := s.Head()
	spec := s.Spec()
	tally := query.TallyOf(s)
	parts, err := stages.Compare(s, res.Table, compareOptions(s))
	if err != nil {
		return report.Input{}, err
	}
	cmp := stages.Whole(parts)
	stale, err := withStale(s, res, tally)
	if err != nil {
		return report.Input{}, err
	}
	in := report.Input{
		Name: head.Name, Template: strings.Join(head.Notebooks(), ", "), AsOf: head.AsOf, Planned: head.Runs, Unplanned: head.Kept,
		Counts: tally.Words(), Compare: cmp, Stale: stale, Rerun: "fanout run " + unit.Quote(rerunTarget(s, head)), Reruns: reruns(s, cmp.Failures),
		Facts: facts.Of(ctx, s, a.Version),
	}
	if in.Growth, err = growth.Shown(ctx, s, cmp); err != nil {
		return report.Input{}, err
	}
	if spec.Report != nil {
		in.Sections = spec.Report.Sections
	}
	if in.Wants("cells") {
		in.Cells = cellsInPassing(ctx, s, "")
	}
	in.Waiting, in.Partial = query.Waiting(s, maxWaiting), lineage.Partial(s, "", maxWaiting)
	for i, step := range lineage.Chain(s) {
		in.Steps = append(in.Steps, report.Step{Step: step, Compare: parts[i].Report})
		if in.Wants("cells") {
			in.Steps[i].Cells = cellsInPassing(ctx, s, step.Name)
		}
	}
	in.Cost = cost.Of(s)
	in.Changes = changes.Of(s) // asked for by every metric, several times
	for _, axis := range head.Axes {
		in.Axes = append(in.Axes, reportAxis(axis))
	}
	for _, p := range res.Table.Problems() {
		in.Problems = append(in.Problems, problemLine(s, p))
	}
	return in, nil
}

// maxWaiting is how many runs that wait, or lack something, the summary names.
const maxWaiting = 8

// withStale compares all runs that succeeded, if some of them are stale.
func withStale(s *sweep.Sweep, res *collect.Result, t query.Tally) (*report.Stale, error) {
	if t.Stale == 0 {
		return nil, nil
	}
	o := compareOptions(s)
	o.Stale, o.Brief = true, true
	cmp, err := stages.Compare(s, res.Table, o)
	head, _ := s.Head()
	where := unit.Quote(rerunTarget(s, head))
	return &report.Stale{Runs: t.Stale, Parts: strings.Join(t.Parts, ", "), Compare: cmp,
		Rerun: "fanout rerun " + where + " --stale", Accept: "fanout accept " + where + " --stale"}, err
}

// rerunTarget is what resumes the sweep. A directory may be moved, with its
// summary.
func rerunTarget(s *sweep.Sweep, head sweep.Head) string {
	if store.IsURL(s.Where()) {
		return s.Where()
	}
	return head.Name + ".sweep"
}

func problemLine(s *sweep.Sweep, p table.Problem) string {
	where := ""
	if p.Run != "" {
		where = s.RunName(p.Run) + ": "
	}
	return where + p.Detail
}

func reportAxis(a grid.Axis) report.Axis {
	kind := map[string]string{"param": "parameter", "label": "bundle", "template": "template", "replicate": "replicate"}[a.Kind]
	out := report.Axis{Name: a.Name, Kind: kind, Ordered: a.Ordered}
	for _, v := range a.Values {
		out.Values = append(out.Values, v.Text())
	}
	return out
}

// compareOptions are the metrics, axes and baseline of the sweep file.
func compareOptions(s *sweep.Sweep) compare.Options {
	head, _ := s.Head()
	spec := s.Spec()
	o := compare.Options{Baseline: spec.Baseline, Metrics: spec.Metrics}
	for _, a := range head.Axes {
		o.Axes = append(o.Axes, compare.Axis{Name: a.Name, Ordered: a.Ordered, Replicate: a.Kind == "replicate", Template: a.Kind == "template", Values: a.Values})
	}
	growth.Recall(s, &o)
	return o
}

// Summarize writes the tables and the summary of a sweep again.
func (a *App) Summarize(ctx context.Context, s *sweep.Sweep) error {
	res, err := a.Collect(ctx, s, nil)
	if err != nil {
		return err
	}
	defer res.Close()
	_, err = a.summarize(ctx, s, res)
	return err
}

// Report writes the tables and the summary of a sweep again. With execute it
// executes the code of the summary and the user's own report, too, and their
// outputs are kept; otherwise nothing of the sweep is executed.
func (a *App) Report(ctx context.Context, s *sweep.Sweep, execute bool) error {
	if err := a.Summarize(ctx, s); err != nil {
		return err
	}
	if own := s.Spec().Report; !execute {
		if own != nil && own.Template != "" {
			a.Warn(fmt.Sprintf("the report %s was not executed again; to do so: fanout report %s --execute", unit.Line(own.Template), unit.Quote(unit.Path(s.Where()))))
		}
		return nil
	}
	a.warnForeign(ctx, s)
	if MainSummary(s) == sweep.SummaryNotebook {
		if err := a.executeSummary(ctx, s); err != nil {
			return err
		}
	}
	return a.ownReport(ctx, s)
}
