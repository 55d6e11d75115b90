package main

import (
	"context"
	"encoding/json"
	"fmt"
	"time"

	"github.com/spf13/cobra"

	"github.com/fanout-dev/fanout/internal/app"
	"github.com/fanout-dev/fanout/internal/due"
	"github.com/fanout-dev/fanout/internal/lease"
	"github.com/fanout-dev/fanout/internal/lineage"
	"github.com/fanout-dev/fanout/internal/outcome"
	"github.com/fanout-dev/fanout/internal/query"
	"github.com/fanout-dev/fanout/internal/sweep"
	"github.com/fanout-dev/fanout/internal/unit"
)

func (c *cli) statusCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "status DIR.sweep",
		Short: "Show how far a sweep is and what failed",
		Args:  cobra.ExactArgs(1),
		RunE:  func(cmd *cobra.Command, args []string) error { return c.status(cmd.Context(), args[0]) },
	}
	cmd.Flags().BoolVar(&c.json, "json", false, "print JSON")
	return cmd
}

// statusReport is what status --json prints.
type statusReport struct {
	Name string `json:"name"`
	query.Tally
	Unplanned int             `json:"no_longer_planned,omitempty"`
	Holder    *lease.Holder   `json:"holder,omitempty"`
	LeftS     *float64        `json:"left_s,omitempty"`
	Failures  []query.Failure `json:"failures,omitempty"`
	Growth    *app.Progress   `json:"growth,omitempty"`
	Steps     []lineage.Step  `json:"steps,omitempty"`
}

func (c *cli) status(ctx context.Context, dir string) error {
	s, err := c.app.OpenPlanned(ctx, dir)
	if err != nil {
		return err
	}
	head, _ := s.Head()
	r := statusReport{Name: s.Name(), Unplanned: head.Kept, Tally: query.TallyOf(s), Growth: app.Growing(s)}
	if h, held := s.Held(ctx); held {
		r.Holder = &h
		if left, ok := due.Left(s, h.Since); ok {
			seconds := left.Seconds()
			r.LeftS = &seconds
		}
	}
	r.Failures, r.Steps = query.Failures(s), lineage.Chain(s)
	if c.json {
		enc := json.NewEncoder(c.stdout.Data())
		enc.SetIndent("", "  ")
		return enc.Encode(r)
	}
	open, err := s.OpenShards(ctx)
	if err != nil {
		return err
	}
	c.printStatus(s, r, len(open) > 0 || due.Remote(s))
	return nil
}

// maxFailures is how many failures status lists one by one.
const maxFailures = 20

// printStatus prints the report. elsewhere says that workers may be running without
// a controller.
func (c *cli) printStatus(s *sweep.Sweep, r statusReport, elsewhere bool) {
	c.stdout.Printf("%s: %s%s\n", r.Name, r.Tally, r.Growth.Words())
	if r.Unplanned > 0 {
		c.stdout.Printf("%s no longer planned\n", unit.Plural(r.Unplanned, "more run"))
	}
	switch {
	case r.Holder != nil && r.LeftS != nil:
		c.stdout.Printf("process %d on %s is running, about %s left\n", r.Holder.PID, r.Holder.Host, unit.Duration(time.Duration(*r.LeftS*float64(time.Second))))
	case r.Holder != nil:
		c.stdout.Printf("process %d on %s is running\n", r.Holder.PID, r.Holder.Host)
	case elsewhere:
		c.stdout.Printf("its fanout is gone, and workers may still be running; to resume: %s\n", c.resumeWith(s))
	case r.Counts[outcome.Succeeded] < r.Runs:
		next := due.NextOf(s, c.onNomad())
		c.stdout.Printf("nothing is running; to %s: %s\n", next.To, next.Command)
	}
	if r.Stale > 0 {
		c.stdout.Println(c.staleWords(s, r.Tally))
	}
	for _, step := range r.Steps {
		c.stdout.Printf("  step       %s\n", unit.Line(step.Line()))
	}
	if r.Holder == nil {
		printWaiting(c.stdout, s)
	}
	for i, f := range r.Failures {
		if i == maxFailures {
			c.stdout.Printf("… and %d more. Of all %d:\n", len(r.Failures)-maxFailures, len(r.Failures))
			c.printReasons(r.Failures)
			return
		}
		c.stdout.Printf("  %s  %s: %s\n      %s\n", f.Status.Words(), f.Name, f.Reason, f.Notebook)
	}
}

// printWaiting says for whom runs wait that cannot begin.
func printWaiting(p unit.Printer, s *sweep.Sweep) {
	for _, w := range query.Waiting(s, maxReasons) {
		p.Printf("  waiting    %s\n", unit.Line(w))
	}
}

// staleWords are what can be done about stale runs.
func (c *cli) staleWords(s *sweep.Sweep, t query.Tally) string {
	return fmt.Sprintf("%d stale: to execute again: %s --stale; to count as current: fanout accept %s --stale", t.Stale, c.command("rerun", s), unit.Quote(unit.Path(s.Where())))
}

// resumeWith is the command that runs what is left of a sweep.
func (c *cli) resumeWith(s *sweep.Sweep) string { return c.command("run", s) }

// command is what to type to execute runs of a sweep.
func (c *cli) command(verb string, s *sweep.Sweep) string {
	return due.Command(verb, s, c.onNomad())
}

// maxReasons is how many reasons status counts.
const maxReasons = 5

// printReasons counts failures by their reasons, the most frequent first.
func (c *cli) printReasons(failures []query.Failure) {
	reasons, rest := query.Reasons(failures), len(failures)
	for _, r := range reasons[:min(len(reasons), maxReasons)] {
		c.stdout.Printf("  %5d  %s\n", r.Count, r.Text)
		rest -= r.Count
	}
	if rest > 0 {
		c.stdout.Printf("  %5d  of %s\n", rest, unit.Plural(len(reasons)-maxReasons, "other reason"))
	}
}
