package listen

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"

	"github.com/spf13/cobra"

	"github.com/fanout-dev/fanout/internal/app"
	"github.com/fanout-dev/fanout/internal/serve"
	"github.com/fanout-dev/fanout/internal/store"
	"github.com/fanout-dev/fanout/internal/sweep"
	"github.com/fanout-dev/fanout/internal/unit"
)

// A HeldError is why the pages that were published before stay.
type HeldError string

func (e HeldError) Error() string { return string(e) }

// Ended publishes the pages of a sweep that has ended, if its sweep file says so. held is
// why those that were published before stay. Its error is no mistake in what was typed:
// the runs were executed.
func Ended(ctx context.Context, a *app.App, s *sweep.Sweep, held string, stderr unit.Printer) error {
	p := s.Spec().Publish
	if p == nil {
		return nil
	}
	if held != "" {
		stderr.Printf("fanout: %s\n", unit.Line(held))
		return nil
	}
	to, err := beside(s, p.To)
	if err == nil {
		err = publish(ctx, a, s.Where(), to, serve.Pages{NoCode: p.NoCode}, stderr)
	}
	if err != nil {
		return unit.WithHint(fmt.Errorf("publish the pages: %v", err), "publish.to of the sweep file names their folder; after a repair: fanout publish %s -o FOLDER", unit.Quote(unit.Path(s.Where())))
	}
	return nil
}

// beside is the folder that a sweep file names: beside the sweep, unless it is absolute.
func beside(s *sweep.Sweep, to string) (string, error) {
	if filepath.IsAbs(to) {
		return to, nil
	}
	if store.IsURL(s.Where()) {
		return "", fmt.Errorf("the sweep is in a bucket, so `to: %s` is beside nothing: name an absolute folder", unit.Line(to))
	}
	where, err := store.Absolute(s.Where())
	return filepath.Join(filepath.Dir(where), to), err
}

// PublishCommand is `fanout publish`. a is asked for when the command executes.
func PublishCommand(a func() *app.App, stderr unit.Printer) *cobra.Command {
	var to string
	var pages serve.Pages
	var force bool
	cmd := &cobra.Command{
		Use:   "publish DIR.sweep -o FOLDER",
		Short: "Write the pages of a sweep as files, for any web server",
		Long: `Publish writes the pages that fanout serve shows of a sweep as files: the sweep,
its runs with their notebooks, the cells that differ and the tables. They open
from a disk and from any web server, at any path. What fanout wrote to the
folder before is replaced once the new pages are whole.

    fanout publish demo.sweep -o site/

What the sweep file says under publish.when holds here, too: with "no guardrail
unusual", pages of a date that is unusual leave the earlier ones up, and the exit
code is 5.`,
		Args: cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			held := ""
			if !force {
				var err error
				if held, err = a().HeldAt(cmd.Context(), args[0]); err != nil {
					return err
				}
			}
			if held != "" {
				return unit.WithHint(HeldError(held), "add --force to publish them all the same")
			}
			if err := publish(cmd.Context(), a(), args[0], to, pages, stderr); err != nil {
				return err
			}
			a().Record(cmd.Context(), args[0])
			return nil
		},
	}
	cmd.Flags().StringVarP(&to, "output", "o", "", "`folder` to write: new, empty, or with pages that fanout wrote")
	cmd.Flags().BoolVar(&pages.NoCode, "no-code", false, "leave out the code, and the notebooks that hold it")
	cmd.Flags().BoolVar(&force, "force", false, "publish although publish.when of the sweep file says not to")
	return cmd
}

func publish(ctx context.Context, a *app.App, sweep, to string, pages serve.Pages, stderr unit.Printer) error {
	switch {
	case to == "":
		return unit.Mistake(unit.WithHint(errors.New("publish: no folder is named"), "add -o site"))
	case store.IsURL(to):
		return unit.Mistake(unit.WithHint(errors.New("publish: pages are written to a folder of this machine"), "copy the folder to the bucket afterwards"))
	}
	done, err := serve.Publish(ctx, a, sweep, to, pages)
	if err != nil {
		return err
	}
	stderr.Printf("%s: %s and %s, %s\n", unit.Path(to), unit.Plural(done.Pages, "page"), unit.Plural(done.Files, "file"), unit.Bytes(done.Bytes))
	return nil
}
