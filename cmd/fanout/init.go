package main

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"

	"github.com/spf13/cobra"

	"github.com/fanout-dev/fanout/internal/unit"
	"github.com/fanout-dev/fanout/templates"
)

func (c *cli) initCommand() *cobra.Command {
	return &cobra.Command{
		Use:   "init [DIR]",
		Short: "Write a starter sweep file and template notebook",
		Args:  cobra.MaximumNArgs(1),
		RunE: func(_ *cobra.Command, args []string) error {
			dir := "."
			if len(args) == 1 {
				dir = args[0]
			}
			return c.init(dir)
		},
	}
}

// init writes the starter files. It never overwrites one.
func (c *cli) init(dir string) error {
	files := templates.Starter()
	for _, f := range files {
		if _, err := os.Lstat(filepath.Join(dir, f.Name)); !errors.Is(err, fs.ErrNotExist) {
			return unit.Mistake(unit.WithHint(fmt.Errorf("%s already exists, and init never overwrites", filepath.Join(dir, f.Name)), "give another folder: fanout init NAME"))
		}
	}
	if err := os.MkdirAll(dir, 0o777); err != nil {
		return err
	}
	for _, f := range files {
		if err := createFile(filepath.Join(dir, f.Name), f.Data); err != nil {
			return err
		}
		c.stderr.Println("wrote", filepath.Join(dir, f.Name))
	}
	c.stdout.Println("fanout run", unit.Quote(filepath.Join(dir, "sweep.yaml")))
	return nil
}

func createFile(name string, data []byte) error {
	f, err := os.OpenFile(name, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o666)
	if err != nil {
		return err
	}
	_, err = f.Write(data)
	return errors.Join(err, f.Close())
}
