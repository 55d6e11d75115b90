package main

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"text/tabwriter"

	"github.com/spf13/cobra"

	"github.com/fanout-dev/fanout/internal/outcome"
	"github.com/fanout-dev/fanout/internal/query"
	"github.com/fanout-dev/fanout/internal/sweep"
	"github.com/fanout-dev/fanout/internal/unit"
)

func (c *cli) topCommand() *cobra.Command {
	var by, where string
	var n int
	var ascending bool
	cmd := &cobra.Command{
		Use:   "top DIR.sweep",
		Short: "Show the leading runs by a metric, also while others are made",
		Long: `Top lists the runs that succeeded by a scrap, the best first: the largest, or the
smallest where the sweep file says minimize. While a sweep is made it shows the
leaders so far, runs under way among them once they recorded it.

` + whereHelp,
		Args: cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			return c.top(cmd.Context(), args[0], by, where, n, ascending)
		},
	}
	fl := cmd.Flags()
	fl.StringVar(&by, "by", "", "`scrap` or parameter to sort by (default: the first metric)")
	fl.StringVar(&where, "where", "", "only runs for which this expression is true")
	fl.IntVarP(&n, "lines", "n", 10, "how many")
	fl.BoolVar(&ascending, "ascending", false, "the smallest first, whatever the sweep file says")
	return cmd
}

// A leader is a run with its value.
type leader struct {
	st    sweep.RunState
	value float64
}

func (c *cli) top(ctx context.Context, dir, by, where string, n int, ascending bool) error {
	s, err := c.app.OpenPlanned(ctx, dir)
	if err != nil {
		return err
	}
	spec := s.Spec()
	if by == "" && len(spec.Metrics) > 0 {
		by = spec.Metrics[0].Name
	}
	if by == "" {
		return unit.Mistake(unit.WithHint(errors.New("the sweep file declares no metric"), "say which scrap with --by"))
	}
	for _, m := range spec.Metrics {
		ascending = ascending || m.Name == by && m.Goal == "minimize"
	}
	if err := s.UnderWay(ctx); err != nil {
		return err
	}
	leaders, err := leadersOf(s, by, where)
	if err != nil {
		return err
	}
	slices.SortStableFunc(leaders, func(a, b leader) int {
		if ascending {
			return cmp.Compare(a.value, b.value)
		}
		return cmp.Compare(b.value, a.value)
	})
	w := tabwriter.NewWriter(c.stdout, 0, 0, 2, ' ', 0)
	values := map[string]string{}
	head, _ := s.Head()
	columns := []column{{by, func(st sweep.RunState) string { return values[st.Run.ID] }}}
	if slices.ContainsFunc(leaders, func(l leader) bool { return l.st.Status == outcome.Running }) {
		columns = append(columns, column{"run_status", func(st sweep.RunState) string { return string(st.Status) }})
	}
	row := tablePrinter(tabbed(w), head.Axes, columns...)
	for i, l := range leaders {
		if i == n {
			break
		}
		values[l.st.Run.ID] = fmt.Sprintf("%.6g", l.value)
		if err := row(l.st); err != nil {
			return err
		}
	}
	if err := w.Flush(); err != nil {
		return err
	}
	fmt.Fprintf(c.stderr, "%d of %s recorded %s\n", len(leaders), unit.Plural(head.Runs, "run"), by)
	return nil
}

// leadersOf are the planned runs that succeeded and are not stale, or are under
// way, and have a number of this name.
func leadersOf(s *sweep.Sweep, by, where string) ([]leader, error) {
	keep, err := query.Filter(s, where)
	if err != nil {
		return nil, err
	}
	var leaders []leader
	for _, st := range s.Runs() {
		fresh := st.Status == outcome.Succeeded && len(s.Stale(st, s.Spec().StaleOn)) == 0
		if st.Run.Unplanned || !fresh && st.Status != outcome.Running {
			continue
		}
		x, isNumber := asNumber(query.Environment(s, st)[by])
		if !isNumber {
			continue
		}
		ok, err := keep(st)
		if err != nil {
			return nil, err
		}
		if ok {
			leaders = append(leaders, leader{st, x})
		}
	}
	return leaders, nil
}

func asNumber(v any) (float64, bool) {
	switch v := v.(type) {
	case int:
		return float64(v), true
	case int64:
		return float64(v), true
	case float64:
		return v, true
	}
	return 0, false
}
