package main

import (
	"cmp"
	"context"
	"fmt"

	"github.com/spf13/cobra"

	"github.com/fanout-dev/fanout/internal/outcome"
	"github.com/fanout-dev/fanout/internal/unit"
)

func (c *cli) doctorCommand() *cobra.Command {
	var name string
	cmd := &cobra.Command{
		Use:   "doctor [DIR]",
		Short: "Check that runs can execute here, or on a cluster",
		Long: `Doctor checks whether runs can execute and says how to fix what is missing:
kernels that start on this machine, and DIR, where sweeps will be kept. If DIR is
a sweep, that is its own kernel and Python. With --on nomad it also checks the
cluster, and sends a worker to a client to check that machine.`,
		Args: cobra.MaximumNArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			dir := "."
			if len(args) == 1 {
				dir = args[0]
			}
			p, err := c.place()
			if err != nil {
				return err
			}
			return p.doctor(c, cmd.Context(), name, dir)
		},
	}
	cmd.Flags().String("on", "local", "`place` where runs will execute: "+placeWords())
	cmd.Flags().String("python", "", "`path` of a virtual environment or interpreter to look in")
	cmd.Flags().StringVarP(&name, "kernel", "k", "", "`name` of the kernel to start (default: python3)")
	return cmd
}

func (c *cli) doctor(ctx context.Context, name, dir string) error {
	kernel, python := c.app.KernelOf(ctx, dir)
	return c.printFindings(append(c.here(ctx, cmp.Or(name, kernel), python), c.app.CheckPlace(ctx, dir)))
}

// here is what this machine has, with this Python where no other is asked for.
func (c *cli) here(ctx context.Context, kernel, python string) []outcome.Finding {
	return lookHere(ctx, kernel, cmp.Or(c.settings.GetString("python"), python), c.kernelEnv())
}

func (c *cli) printFindings(findings []outcome.Finding) error {
	bad := 0
	for _, f := range findings {
		if f.Err == nil {
			c.stdout.Printf("ok    %s  %s\n", f.What, f.Detail)
			continue
		}
		bad++
		c.stdout.Printf("FAIL  %s: %s\n", f.What, f.Err)
		if hint := unit.HintOf(f.Err); hint != "" {
			c.stdout.Printf("      %s\n", hint)
		}
	}
	if bad > 0 {
		return fmt.Errorf("%d of %d checks failed", bad, len(findings))
	}
	return nil
}
