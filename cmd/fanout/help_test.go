package main

import (
	"bytes"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"github.com/fanout-dev/fanout/cmd/fanout/internal/help"
)

// visit calls check with every command that help shows.
func visit(cmd *cobra.Command, check func(*cobra.Command)) {
	check(cmd)
	for _, sub := range cmd.Commands() {
		if sub.IsAvailableCommand() {
			visit(sub, check)
		}
	}
}

// TestHelp checks that every help text fits a terminal of 80 columns, and that
// flags name their values by what they mean.
func TestHelp(t *testing.T) {
	root := (&cli{}).rootCommand()
	visit(root, func(cmd *cobra.Command) {
		var out bytes.Buffer
		cmd.SetOut(&out)
		cmd.Help()
		for line := range strings.Lines(out.String()) {
			if n := utf8.RuneCountInString(strings.TrimRight(line, "\n")); n > help.Width {
				t.Errorf("%s --help: %d columns: %s", cmd.CommandPath(), n, line)
			}
		}
		cmd.LocalFlags().VisitAll(func(f *pflag.Flag) {
			name, _ := pflag.UnquoteUsage(f)
			switch name {
			case "string", "strings", "stringArray", "int", "float", "word", "duration":
				if !strings.Contains(f.Usage, "`"+name+"`") {
					t.Errorf("%s: the value of --%s has no name: put a word of its usage in backquotes", cmd.CommandPath(), f.Name)
				}
			}
		})
		if cmd.Parent() == root && cmd.GroupID == "" && cmd.Name() != "help" && cmd.Name() != "completion" {
			t.Errorf("%s stands under no heading: add it to a group", cmd.CommandPath())
		}
	})
}
