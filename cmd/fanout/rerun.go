package main

import (
	"errors"
	"fmt"
	"slices"

	"github.com/spf13/cobra"

	"github.com/fanout-dev/fanout/internal/query"
	"github.com/fanout-dev/fanout/internal/sweep"
	"github.com/fanout-dev/fanout/internal/unit"
)

// rerunFlags choose runs of a sweep.
type rerunFlags struct {
	failed, stale bool
	only          string
}

func (c *cli) rerunCommand() *cobra.Command {
	var f runFlags
	var pick rerunFlags
	cmd := &cobra.Command{
		Use:   "rerun DIR.sweep [RUN…]",
		Short: "Make chosen runs of a sweep again",
		Long: `Rerun makes exactly the runs that are chosen again: those that did not succeed,
those that are stale, those for which an expression is true, or those whose ids
are given, by as many of their first characters as it takes. Everything else
stands as it is.

` + whereHelp,
		Args: cobra.MinimumNArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			if !isSweepDir(args[0]) {
				return unit.Mistake(unit.WithHint(fmt.Errorf("%s is no sweep directory", args[0]), "to make what a sweep file plans: fanout run %s", quote(args[0])))
			}
			if !pick.failed && !pick.stale && pick.only == "" && len(args) == 1 {
				return unit.Mistake(unit.WithHint(errors.New("rerun nothing"), "choose with --failed, --stale, --only EXPRESSION or the ids that `fanout ls` shows"))
			}
			f.pick = func(j *job) ([]string, error) { return pick.choose(j, args[1:]) }
			return c.run(cmd.Context(), args[0], f)
		},
	}
	fl := cmd.Flags()
	fl.BoolVar(&pick.failed, "failed", false, "runs that failed, timed out, were canceled or got lost")
	fl.BoolVar(&pick.stale, "stale", false, "runs whose code, files or inputs changed since")
	fl.StringVar(&pick.only, "only", "", "runs for which this expression is true")
	c.addMaking(cmd, &f)
	fl.BoolVar(&f.dryRun, "dry-run", false, "list the runs that would be made, and stop")
	return cmd
}

// choose finds the planned runs that satisfy everything asked for, in plan
// order.
func (p rerunFlags) choose(j *job, names []string) ([]string, error) {
	named, err := query.Resolve(j.Sweep, names)
	if err != nil {
		return nil, err
	}
	keep, err := query.Filter(j.Sweep, p.only)
	if err != nil {
		return nil, fmt.Errorf("--only: %w", err)
	}
	var ids []string
	for _, st := range j.Runs() {
		if st.Run.Unplanned || len(named) > 0 && !slices.Contains(named, st.Run.ID) || !p.wants(j, st) {
			continue
		}
		ok, err := keep(st)
		if err != nil {
			return nil, err
		}
		if ok {
			ids = append(ids, st.Run.ID)
		}
	}
	return ids, nil
}

// wants reports whether a run is of a kind that was asked for; all are when
// none was.
func (p rerunFlags) wants(j *job, st sweep.RunState) bool {
	switch {
	case p.failed && query.WentWrong(st):
		return true
	case p.stale && len(j.Stale(st, j.Spec().StaleOn)) > 0:
		return true
	}
	return !p.failed && !p.stale
}
