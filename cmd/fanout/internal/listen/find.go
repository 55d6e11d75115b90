package listen

import (
	"context"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/spf13/cobra"

	"github.com/fanout-dev/fanout/internal/app"
	"github.com/fanout-dev/fanout/internal/outcome"
	"github.com/fanout-dev/fanout/internal/roots"
	"github.com/fanout-dev/fanout/internal/shelf"
	"github.com/fanout-dev/fanout/internal/store"
	"github.com/fanout-dev/fanout/internal/unit"
)

// FindCommand is `fanout find`. a is asked for when the command executes.
func FindCommand(a func() *app.App, stdout, stderr unit.Printer, asJSON *bool) *cobra.Command {
	var beneath []string
	var most int
	cmd := &cobra.Command{
		Use:   "find [WORD…]",
		Short: "Find sweeps by what they are about and how they stand",
		Long: `Find looks for sweeps beneath folders and buckets, by default the current folder. A
word is looked for in names, titles, tags, owners, axes and their values, metrics,
templates, places and reasons of failures; all words have to be found, the best
match comes first.

    fanout find churn owner:ana 'failed:>0'
    fanout find region:emea state:running --in /data --in s3://bucket/nightly

Conditions: ` + conditions() + ` and, by its name, any axis or fixed parameter.`,
		RunE: func(cmd *cobra.Command, args []string) error {
			if len(beneath) == 0 {
				beneath = []string{"."}
			}
			q, err := shelf.Parse(strings.Join(args, " "))
			if err != nil {
				return err
			}
			return find(cmd.Context(), a(), q, beneath, most, *asJSON, stdout, stderr)
		},
	}
	cmd.Flags().StringArrayVar(&beneath, "in", nil, "`folder` or bucket to look in (repeatable; default: the current folder)")
	cmd.Flags().BoolVar(asJSON, "json", false, "one JSON object a sweep")
	cmd.Flags().IntVarP(&most, "number", "n", 50, "print this `number` of sweeps at most")
	return cmd
}

func conditions() string {
	all := make([]string, len(shelf.Fields))
	for i, f := range shelf.Fields {
		all[i] = f + ":"
	}
	return strings.Join(all, ", ")
}

func find(ctx context.Context, a *app.App, q shelf.Question, beneath []string, most int, asJSON bool, stdout, stderr unit.Printer) error {
	r, err := roots.New(ctx, beneath, a.OpenStore)
	if err != nil {
		return err
	}
	listed, err := r.Sweeps(ctx)
	if err != nil {
		return err
	}
	if listed.Partial != "" {
		stderr.Printf("fanout: warning: %s\n", listed.Partial)
	}
	s := shelf.New(cacheFile(beneath), a.OpenStore)
	s.ReadAll(ctx, listed.Sweeps)
	if err := ctx.Err(); err != nil {
		return err
	}
	found := s.Find(q, listed.Sweeps).Sweeps
	if left := len(found) - most; left > 0 {
		stderr.Printf("%s more: say more of what you look for, or add -n %d\n", unit.Plural(left, "sweep"), len(found))
		found = found[:most]
	}
	if asJSON {
		return printFound(stdout, found)
	}
	if len(found) == 0 {
		stderr.Printf("none of %s fits\n", unit.Plural(len(listed.Sweeps), "sweep"))
		return nil
	}
	w := tabwriter.NewWriter(stdout.Lines(), 0, 0, 2, ' ', 0)
	fmt.Fprintln(w, "state\tsweep\truns\tfailed\tlast run\towner\ttitle")
	for _, k := range found {
		n := k.Tally.Counts
		fmt.Fprintf(w, "%s\t%s\t%d\t%d\t%s\t%s\t%s\n", k.State, unit.Line(unit.Path(k.Where)), k.Tally.Runs,
			n[outcome.Failed]+n[outcome.TimedOut]+n[outcome.Lost], day(k.Ended), dash(k.Owner), dash(k.Title))
	}
	return w.Flush()
}

func printFound(to unit.Printer, found []shelf.Record) error {
	enc := json.NewEncoder(to.Data())
	enc.SetEscapeHTML(false)
	for _, k := range found {
		if err := enc.Encode(k); err != nil {
			return err
		}
	}
	return nil
}

func day(t time.Time) string {
	if t.IsZero() {
		return "-"
	}
	return t.UTC().Format("2006-01-02 15:04")
}

func dash(text string) string {
	if text == "" {
		return "-"
	}
	return unit.Cut(text, 60)
}

// cacheFolder is fanout's own in the user's folder for caches; "" if he has none.
func cacheFolder() string {
	folder, err := os.UserCacheDir()
	if err != nil {
		return ""
	}
	return filepath.Join(folder, "fanout")
}

// cacheFile is where what is known of the sweeps of some roots is kept, if anywhere.
func cacheFile(places []string) string {
	folder := cacheFolder()
	if folder == "" {
		return ""
	}
	where := make([]string, len(places))
	for i, p := range places {
		absolute, err := store.Absolute(p)
		if err != nil {
			return ""
		}
		where[i] = absolute
	}
	return shelf.File(folder, where)
}

// cellsFolder is where what is known of the cells of runs is kept, if anywhere.
func cellsFolder() string {
	folder := cacheFolder()
	if folder == "" {
		return ""
	}
	return filepath.Join(folder, "cells")
}
