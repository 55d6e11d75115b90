// Package help is how the command presents itself: commands under headings, flags in
// the order in which they were added, text that fits the width of a terminal.
package help

import (
	"fmt"
	"slices"
	"strings"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"github.com/fanout-dev/fanout/internal/unit"
)

// oneOf is a flag that takes one of a few words.
type oneOf struct {
	value *string
	words []string
}

// AddOneOf adds a flag that takes one of a few words. It starts with the first word.
func AddOneOf(fl *pflag.FlagSet, value *string, name string, words []string, usage string) {
	*value = words[0]
	fl.Var(oneOf{value, words}, name, usage)
}

func (o oneOf) String() string { return *o.value }
func (o oneOf) Type() string   { return "word" }

func (o oneOf) Set(text string) error {
	if !slices.Contains(o.words, text) {
		return fmt.Errorf("want %s", unit.Either(o.words))
	}
	*o.value = text
	return nil
}

// A Group is a heading of the command's help.
type Group struct {
	Title    string
	Commands []*cobra.Command
}

// AddGroups adds commands under headings, all in the order given, each with its
// flags in the order in which they were added: the common ones first. check wraps what
// checks their arguments.
func AddGroups(root *cobra.Command, groups []Group, check func(cobra.PositionalArgs) cobra.PositionalArgs) {
	cobra.EnableCommandSorting = false
	for _, g := range groups {
		root.AddGroup(&cobra.Group{ID: g.Title, Title: g.Title})
		for _, cmd := range g.Commands {
			cmd.GroupID = g.Title
			root.AddCommand(cmd)
		}
	}
	last := groups[len(groups)-1].Title
	root.SetHelpCommandGroupID(last)
	root.SetCompletionCommandGroupID(last)
	for _, cmd := range root.Commands() {
		tidy(cmd, check)
	}
}

// Width is how many columns help takes.
const Width = 80

// tidy wraps what checks arguments, and keeps flags in order.
func tidy(cmd *cobra.Command, check func(cobra.PositionalArgs) cobra.PositionalArgs) {
	cmd.Flags().SortFlags = false
	if cmd.Args != nil {
		cmd.Args = check(cmd.Args)
	}
	for _, sub := range cmd.Commands() {
		tidy(sub, check)
	}
}

// Wrap breaks the lines of paragraphs that are not indented.
func Wrap(text string) string {
	parts := strings.Split(text, "\n\n")
	for i, p := range parts {
		if !strings.HasPrefix(p, " ") {
			parts[i] = unit.Wrap(p, Width)
		}
	}
	return strings.Join(parts, "\n\n")
}
