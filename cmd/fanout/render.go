package main

import (
	"context"
	"io"

	"github.com/spf13/cobra"

	"github.com/fanout-dev/fanout/internal/publish"
	"github.com/fanout-dev/fanout/internal/render"
	"github.com/fanout-dev/fanout/internal/unit"
)

func (c *cli) renderCommand() *cobra.Command {
	var output string
	var o render.Options
	cmd := &cobra.Command{
		Use:   "render NOTEBOOK… | DIR.sweep RUN…",
		Short: "Write notebooks as one HTML page that is safe to open",
		Long: `Render writes notebooks, or the best attempts at runs of a sweep, as one HTML
file that needs nothing else: to mail, to print or to put on any web server.
What a notebook shows is read and written anew, or shown in a frame that
reaches neither the page nor the network, so a notebook of a stranger can be
opened without trusting it. A page of a failed run opens at the cell that
failed.`,
		Args: cobra.MinimumNArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error { return c.render(cmd.Context(), args, output, o) },
	}
	fl := cmd.Flags()
	fl.StringVarP(&output, "output", "o", "", "`file` to write, or an object of a bucket (default: standard output)")
	fl.BoolVar(&o.NoCode, "no-code", false, "leave out the code")
	fl.BoolVar(&o.Online, "online", false, "let outputs load scripts, pictures and data from other hosts")
	fl.BoolVar(&o.Still, "no-scripts", false, "show a picture or text instead of what needs a script")
	return cmd
}

func (c *cli) render(ctx context.Context, names []string, output string, o render.Options) error {
	books, err := publish.Read(ctx, c.openStore, names)
	if err != nil {
		return err
	}
	write := func(w io.Writer) error { return publish.Page(w, books, o) }
	if output == "" || output == "-" {
		return write(c.stdout.Data())
	}
	if err := c.writeTo(ctx, output, write); err != nil {
		return err
	}
	c.stderr.Printf("%s\n", unit.Path(output))
	return nil
}
