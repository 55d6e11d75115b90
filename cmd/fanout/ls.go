package main

import (
	"context"
	"encoding/json"
	"fmt"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/spf13/cobra"

	"github.com/fanout-dev/fanout/internal/query"
	"github.com/fanout-dev/fanout/internal/sweep"
	"github.com/fanout-dev/fanout/internal/unit"
)

func (c *cli) lsCommand() *cobra.Command {
	var where string
	var all bool
	cmd := &cobra.Command{
		Use:   "ls DIR.sweep",
		Short: "List the runs of a sweep",
		Long: `Ls prints a line for every planned run: its status, what makes it stale, how
long it took, and what it was given.

` + whereHelp,
		Args: cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error { return c.ls(cmd.Context(), args[0], where, all) },
	}
	cmd.Flags().StringVar(&where, "where", "", "only runs for which this expression is true")
	cmd.Flags().BoolVar(&all, "all", false, "also runs that are no longer planned")
	cmd.Flags().BoolVar(&c.json, "json", false, "one JSON object a run")
	return cmd
}

const whereHelp = `An expression sees the parameters and the plain scraps under their own names,
and run_id, run_status, run_reason_kind, run_attempts, run_replicate,
run_duration_s, run_planned and run_stale. A run that did not record a scrap the
expression names is left out:

    fanout ls DIR.sweep --where 'region == "apac" && run_status != "succeeded"'
    fanout ls DIR.sweep --where 'auc > 0.9'`

// runLine is one run as ls --json prints it.
type runLine struct {
	planLine
	Status   string         `json:"status"`
	Planned  bool           `json:"planned"`
	Stale    []string       `json:"stale,omitempty"`
	Kind     string         `json:"kind,omitempty"`
	Reason   string         `json:"reason,omitempty"`
	Attempts int            `json:"attempts"`
	Duration float64        `json:"duration_s,omitempty"`
	PeakRSS  int64          `json:"peak_rss_bytes,omitempty"`
	Ended    *time.Time     `json:"ended_at,omitempty"`
	Scraps   map[string]any `json:"scraps,omitempty"`
	Notebook string         `json:"notebook,omitempty"`
}

func (c *cli) ls(ctx context.Context, dir, where string, all bool) error {
	s, err := c.app.OpenPlanned(ctx, dir)
	if err != nil {
		return err
	}
	keep, err := query.Filter(s, where)
	if err != nil {
		return err
	}
	print, flush := c.runPrinter(s)
	n := 0
	for _, st := range s.Runs() {
		if st.Run.Unplanned && !all {
			continue
		}
		ok, err := keep(st)
		if err != nil {
			return err
		}
		if ok {
			n++
			print(st)
		}
	}
	if err := flush(); err != nil {
		return err
	}
	if !c.json {
		fmt.Fprintln(c.stderr, unit.Plural(n, "run"))
	}
	return nil
}

// openPlanned opens a sweep that has a plan, with the sweep file it was
// planned from.
func (c *cli) openPlanned(ctx context.Context, where string) (*sweep.Sweep, error) {
	st, err := c.openStore(ctx, where)
	if err != nil {
		return nil, err
	}
	return sweep.OpenPlanned(ctx, st)
}

// openSweep opens the sweep at where: a directory, or a bucket's URL.
func (c *cli) openSweep(ctx context.Context, where string) (*sweep.Sweep, error) {
	st, err := c.openStore(ctx, where)
	if err != nil {
		return nil, err
	}
	return sweep.Open(ctx, st)
}

// runPrinter prints runs as a table or as JSON lines.
func (c *cli) runPrinter(s *sweep.Sweep) (print func(sweep.RunState), flush func() error) {
	if c.json {
		enc := json.NewEncoder(c.stdout)
		enc.SetEscapeHTML(false)
		var failed error
		return func(st sweep.RunState) {
			if err := enc.Encode(lineOfState(s, st)); failed == nil {
				failed = err
			}
		}, func() error { return failed }
	}
	w := tabwriter.NewWriter(c.stdout, 0, 0, 2, ' ', 0)
	head, _ := s.Head()
	row := tablePrinter(tabbed(w), head.Axes,
		column{"status", func(st sweep.RunState) string { return statusWords(s, st) }}, column{"took", took})
	return func(st sweep.RunState) { row(st) }, w.Flush
}

// statusWords say the status and what makes a success stale.
func statusWords(s *sweep.Sweep, st sweep.RunState) string {
	text := st.Status.Words()
	if stale := s.Stale(st, s.Spec().StaleOn); len(stale) > 0 {
		text += ", stale (" + strings.Join(stale, ", ") + ")"
	}
	if st.Run.Unplanned {
		text += ", no longer planned"
	}
	return text
}

func took(st sweep.RunState) string {
	if st.Last == nil {
		return "-"
	}
	return unit.Duration(st.Last.Duration())
}

func lineOfState(s *sweep.Sweep, st sweep.RunState) runLine {
	l := runLine{
		planLine: lineOf(st.Run), Status: string(st.Status), Planned: !st.Run.Unplanned, Stale: s.Stale(st, s.Spec().StaleOn),
		Attempts: st.Attempts, Scraps: query.Scraps(st),
	}
	if o := st.Last; o != nil {
		l.Kind, l.Reason, l.Duration, l.PeakRSS, l.Ended = string(o.Kind), o.Reason, o.Duration().Seconds(), o.PeakRSS, &o.End
		l.Notebook = sweep.RunKey(st.Run.ID)
	}
	return l
}
