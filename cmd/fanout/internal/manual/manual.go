// Package manual writes the manual pages of a command and of each command below
// it: fanout.1, fanout-run.1 and so on. The binary that people get does not have
// it; `make dist` builds one that does.
package manual

import (
	"fmt"
	"os"
	"time"

	"github.com/spf13/cobra"
	"github.com/spf13/cobra/doc"
)

// Write writes the pages into the folder dir, which it creates. They have the date
// and the version that they are given, and nothing of this machine.
func Write(root *cobra.Command, dir, version string, date time.Time) error {
	if err := os.MkdirAll(dir, 0o777); err != nil {
		return fmt.Errorf("create the folder for manual pages: %w", err)
	}
	root.InitDefaultHelpCmd()
	root.InitDefaultCompletionCmd()
	quiet(root)
	header := &doc.GenManHeader{Section: "1", Date: &date, Source: "fanout " + version, Manual: "fanout"}
	if err := doc.GenManTree(root, header, dir); err != nil {
		return fmt.Errorf("write manual pages: %w", err)
	}
	return nil
}

// quiet leaves out by what the pages were written.
func quiet(cmd *cobra.Command) {
	cmd.DisableAutoGenTag = true
	for _, sub := range cmd.Commands() {
		quiet(sub)
	}
}
