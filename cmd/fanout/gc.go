package main

import (
	"context"
	"errors"

	"github.com/spf13/cobra"

	"github.com/fanout-dev/fanout/internal/gc"
	"github.com/fanout-dev/fanout/internal/sweep"
	"github.com/fanout-dev/fanout/internal/unit"
)

func (c *cli) gcCommand() *cobra.Command {
	chosen := map[gc.Kind]*bool{}
	var yes bool
	cmd := &cobra.Command{
		Use:   "gc DIR.sweep",
		Short: "Show what a sweep no longer needs, and remove it on request",
		Long: `Gc shows what a sweep no longer needs and how much space that takes. With a
choice and --yes it is removed. The notebook that stands for a planned run is never
removed.`,
		Args: cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			var kinds []gc.Kind
			for _, k := range gc.Kinds() {
				if *chosen[k] {
					kinds = append(kinds, k)
				}
			}
			return c.gc(cmd.Context(), args[0], kinds, yes)
		},
	}
	fl := cmd.Flags()
	for _, k := range gc.Kinds() {
		chosen[k] = fl.Bool(string(k), false, leftoverHelp[k])
	}
	fl.BoolVar(&yes, "yes", false, "remove what was chosen")
	return cmd
}

var leftoverHelp = map[gc.Kind]string{
	gc.Unplanned: "runs that are no longer planned: notebooks, logs, artifacts and rows of the tables",
	gc.Attempts:  "attempts that are neither the run's best nor its latest",
	gc.Plans:     "earlier plans, and frozen copies that nothing refers to any more",
}

func (c *cli) gc(ctx context.Context, dir string, kinds []gc.Kind, yes bool) error {
	s, err := c.app.OpenPlanned(ctx, dir)
	if err != nil {
		return err
	}
	if !yes {
		return c.showGarbage(ctx, s, kinds)
	}
	if len(kinds) == 0 {
		return unit.Mistake(unit.WithHint(errors.New("--yes needs a choice of what to remove"), "add --unplanned, --attempts or --plans"))
	}
	return c.app.Remove(ctx, s, kinds, func(g gc.Garbage) { c.stdout.Printf("removed %s\n", garbageWords(g)) })
}

func (c *cli) showGarbage(ctx context.Context, s *sweep.Sweep, kinds []gc.Kind) error {
	if len(kinds) == 0 {
		kinds = gc.Kinds()
	}
	for _, k := range kinds {
		g, err := gc.Find(ctx, s, k)
		if err != nil {
			return err
		}
		c.stdout.Printf("--%-10s %s\n", k, garbageWords(g))
		for i, id := range g.Runs {
			if i == maxFailures {
				c.stdout.Printf("  … and %d more\n", len(g.Runs)-i)
				break
			}
			c.stdout.Printf("  %s  %s\n", id, s.RunName(id))
		}
	}
	c.stderr.Printf("nothing was removed; choose what to remove and add --yes: fanout gc %s --attempts --yes\n", unit.Quote(unit.Path(s.Where())))
	return nil
}

func garbageWords(g gc.Garbage) string {
	text := unit.Plural(len(g.Keys), "object") + ", " + unit.Bytes(g.Bytes)
	if len(g.Runs) > 0 {
		text = unit.Plural(len(g.Runs), "run") + ": " + text
	}
	return text
}
