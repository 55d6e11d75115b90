package main

import (
	"context"
	"encoding/json"
	"maps"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"github.com/fanout-dev/fanout/internal/app"
	"github.com/fanout-dev/fanout/internal/listing"
	"github.com/fanout-dev/fanout/internal/query"
	"github.com/fanout-dev/fanout/internal/sweep"
	"github.com/fanout-dev/fanout/internal/unit"
	"github.com/fanout-dev/fanout/internal/value"
)

func (c *cli) showCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "show DIR.sweep RUN",
		Short: "Show everything known about one run",
		Long: `Show prints a run's parameters, every attempt at it, what it recorded, the cell
that failed, why it is stale, and the command that reproduces it. RUN is the id
that ls prints, or an unambiguous prefix of it.`,
		Args: cobra.ExactArgs(2),
		RunE: func(cmd *cobra.Command, args []string) error { return c.show(cmd.Context(), args[0], args[1]) },
	}
	cmd.Flags().BoolVar(&c.json, "json", false, "print JSON")
	return cmd
}

// shown is one run as show --json prints it.
type shown struct{ app.Description }

func (v shown) MarshalJSON() ([]byte, error) {
	o := listing.Of(v.Run)
	o.Set("attempts", v.Attempts)
	if v.Failure != nil {
		o.Set("failure", v.Failure)
	}
	if len(v.Artifacts) > 0 {
		o.Set("artifacts", v.Artifacts)
	}
	o.Set("reproduce", v.Reproduce)
	return o.MarshalJSON()
}

func (c *cli) show(ctx context.Context, dir, name string) error {
	s, err := c.app.OpenPlanned(ctx, dir)
	if err != nil {
		return err
	}
	id, err := query.ResolveOne(s, name)
	if err != nil {
		return err
	}
	v, err := app.Describe(ctx, s, id)
	if err != nil {
		return err
	}
	if c.json {
		enc := json.NewEncoder(c.stdout.Data())
		enc.SetIndent("", "  ")
		enc.SetEscapeHTML(false)
		return enc.Encode(shown{v})
	}
	c.printShown(s, id, v)
	return nil
}

func (c *cli) printShown(s *sweep.Sweep, id string, v app.Description) {
	st, _ := s.Run(id)
	p := func(format string, args ...any) { c.stdout.Printf(format+"\n", args...) }
	p("%s  %s", id, s.RunName(id))
	p("  %s%s", listing.Status(v.Run), listing.Usage(v.Run))
	for _, part := range v.Run.Stale {
		p("  stale: %s", listing.StaleWhy(part))
	}
	if a := st.Accepted; a != nil && a.Attempt == st.Best {
		p("  accepted with other %s by %s, %s", strings.Join(a.Parts, ", "), a.By, a.At.Local().Format("2006-01-02 15:04:05"))
	}
	c.printGiven(slices.Concat(st.Run.Labels, st.Run.Params))
	p("attempts")
	for _, a := range v.Attempts {
		if a.Unread != "" {
			p("  %d  %s", a.Number, a.Unread)
			continue
		}
		p("  %d  %s  %s, %s  %s", a.Number, a.Outcome.Start.Local().Format("2006-01-02 15:04:05"), a.Outcome.Status.Words(),
			unit.Duration(a.Outcome.Duration()), unit.Line(a.Outcome.Reason))
		p("     %s", app.PlaceOf(s, a.Notebook))
		if a.Log != "" {
			p("     %s", app.PlaceOf(s, a.Log))
		}
	}
	if len(v.Attempts) == 0 {
		p("  none")
	}
	c.printScraps(query.Scraps(st), st.More)
	printFailure(c.stdout, v.Failure)
	if len(v.Artifacts) > 0 {
		p("artifacts")
		for _, a := range v.Artifacts {
			p("  %s", app.PlaceOf(s, a))
		}
	}
	p("reproduce")
	p("  %s", v.Reproduce)
}

func (c *cli) printGiven(pairs []value.Binding) {
	if len(pairs) == 0 {
		return
	}
	c.stdout.Println("given")
	for _, b := range pairs {
		c.stdout.Printf("  %s = %s\n", b.Name, unit.Cut(unit.Line(b.Value.String()), maxShown))
	}
}

// maxShown is how many characters of one value are worth a line.
const maxShown = 200

func (c *cli) printScraps(scraps map[string]any, more bool) {
	if len(scraps) == 0 && !more {
		return
	}
	c.stdout.Println("scraps")
	for _, n := range slices.Sorted(maps.Keys(scraps)) {
		text, _ := json.Marshal(scraps[n])
		c.stdout.Printf("  %s = %s\n", n, unit.Cut(unit.Line(string(text)), maxShown))
	}
	if more {
		c.stdout.Println("  larger values are in results/")
	}
}

func printFailure(w unit.Printer, f *app.FailedCell) {
	if f == nil {
		return
	}
	w.Printf("failed in cell %d of %d\n", f.Cell, f.Cells)
	for line := range strings.Lines(f.Source) {
		w.Printf("  | %s\n", printable(line))
	}
	for _, part := range f.Traceback {
		for line := range strings.Lines(part) {
			w.Printf("  %s\n", printable(line))
		}
	}
}

// printable is a line of a notebook that keeps its indent and nothing a
// terminal would obey.
func printable(line string) string {
	line = strings.TrimRight(line, "\r\n")
	return unit.Line(strings.ReplaceAll(line, "\t", "    "))
}
