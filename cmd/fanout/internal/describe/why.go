package describe

import (
	"context"
	"encoding/json"
	"fmt"
	"strings"

	"github.com/spf13/cobra"

	"github.com/fanout-dev/fanout/internal/app"
	"github.com/fanout-dev/fanout/internal/lineage"
	"github.com/fanout-dev/fanout/internal/query"
	"github.com/fanout-dev/fanout/internal/sweep"
	"github.com/fanout-dev/fanout/internal/unit"
)

// WhyCommand is the verb that leads from a number back to the first notebooks. of
// is asked for the App when the command runs.
func WhyCommand(of func() *app.App, to unit.Printer, asJSON *bool) *cobra.Command {
	cmd := &cobra.Command{
		Use:   "why DIR.sweep [RUN [SCRAP]]",
		Short: "Show where what a run recorded comes from",
		Long: `Why leads from a run of a sweep with steps back to the first notebooks: the runs
that fed it, those that fed them in turn, what each recorded and kept, and which
attempt stands for it. It says where a run was fed something else than is there
now. RUN is the beginning of an id, or a step that has one run; without it, why
begins with the run that the sweep leads to, where there is only one. With SCRAP
it begins with that value.`,
		Args: cobra.RangeArgs(1, 3),
		RunE: func(cmd *cobra.Command, args []string) error {
			return why(cmd.Context(), of(), to, args, *asJSON)
		},
	}
	cmd.Flags().BoolVar(asJSON, "json", false, "one JSON object a run, also of those that the list for people leaves out")
	return cmd
}

func why(ctx context.Context, a *app.App, to unit.Printer, args []string, asJSON bool) error {
	s, err := a.OpenPlanned(ctx, args[0])
	if err != nil {
		return err
	}
	find := func() (string, error) { return query.Last(s) }
	if len(args) > 1 {
		find = func() (string, error) { return query.ResolveOne(s, args[1]) }
	}
	id, err := find()
	if err != nil {
		return err
	}
	st, _ := s.Run(id)
	if len(args) == 3 {
		if _, recorded := st.Scraps.Get(args[2]); !recorded {
			return unit.Mistake(fmt.Errorf("%s recorded no small scrap %q; it recorded %s", s.RunName(id), args[2], known(st.Scraps)))
		}
	}
	if asJSON {
		enc := json.NewEncoder(to.Data())
		enc.SetEscapeHTML(false)
		for _, o := range lineage.Why(s, id, 0) {
			if err := enc.Encode(o); err != nil {
				return err
			}
		}
		return nil
	}
	for _, o := range lineage.Why(s, id, maxRelatives) {
		only := ""
		if o.Depth == 0 && len(args) == 3 {
			only = args[2]
		}
		printOrigin(to, s, o, only)
	}
	return nil
}

func known(scraps sweep.Scraps) string {
	if scraps.Len() == 0 {
		return "none"
	}
	return unit.All(scraps.Names())
}

// printOrigin prints a run and what it left, or of that only one scrap.
func printOrigin(to unit.Printer, s *sweep.Sweep, o lineage.Origin, only string) {
	indent := strings.Repeat("  ", o.Depth)
	switch {
	case o.Rest != "":
		to.Printf("%s%s\n", indent, o.Rest)
		return
	case o.Shown:
		to.Printf("%s%s  %s (above)\n", indent, o.ID, o.Name)
		return
	case o.Attempt == 0:
		to.Printf("%s%s  %s: %s\n", indent, o.ID, o.Name, o.Words())
		if w := s.Waits(o.ID); w != "" {
			to.Printf("%s    %s\n", indent, w)
		}
		return
	}
	to.Printf("%s%s  %s: %s\n", indent, o.ID, o.Name, o.Words())
	p := func(format string, args ...any) { to.Printf(indent+"    "+format+"\n", args...) }
	for name, data := range o.Scraps.All() {
		if only == "" || only == name {
			p("%s = %s", name, recorded(data))
		}
	}
	if len(o.Files) > 0 && only == "" {
		p("kept %s", unit.Cut(unit.All(o.Files), maxShown))
	}
	p("attempt %d, %s, %s", o.Attempt, o.Ended.Local().Format("2006-01-02 15:04:05"), app.PlaceOf(s, o.Notebook))
	for _, w := range o.With {
		p("%s ← %s", w.Param, w.Expr)
	}
	if o.Changed {
		p("it was fed something else than is there now: %s %s executes it again", "fanout rerun "+unit.Quote(unit.Path(s.Where())), o.ID)
	}
}
