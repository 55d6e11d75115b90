package listen

import (
	"context"
	"errors"

	"github.com/spf13/cobra"

	"github.com/fanout-dev/fanout/internal/app"
	"github.com/fanout-dev/fanout/internal/serve"
	"github.com/fanout-dev/fanout/internal/store"
	"github.com/fanout-dev/fanout/internal/unit"
)

// PublishCommand is `fanout publish`. a is asked for when the command executes.
func PublishCommand(a func() *app.App, stderr unit.Printer) *cobra.Command {
	var to string
	var pages serve.Pages
	cmd := &cobra.Command{
		Use:   "publish DIR.sweep -o FOLDER",
		Short: "Write the pages of a sweep as files, for any web server",
		Long: `Publish writes the pages that fanout serve shows of a sweep as files: the sweep,
its runs with their notebooks, the cells that differ and the tables. They open
from a disk and from any web server, at any path. What fanout wrote to the
folder before is replaced once the new pages are whole.

    fanout publish demo.sweep -o site/`,
		Args: cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			return publish(cmd.Context(), a(), args[0], to, pages, stderr)
		},
	}
	cmd.Flags().StringVarP(&to, "output", "o", "", "`folder` to write: new, empty, or with pages that fanout wrote")
	cmd.Flags().BoolVar(&pages.NoCode, "no-code", false, "leave out the code, and the notebooks that hold it")
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
