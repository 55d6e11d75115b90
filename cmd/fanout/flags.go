package main

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

// addOneOf adds such a flag. It starts with the first word.
func addOneOf(fl *pflag.FlagSet, value *string, name string, words []string, usage string) {
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

// A group is a heading of the command's help.
type group struct {
	title    string
	commands []*cobra.Command
}

// addGroups adds commands under headings, all in the order given, each with its
// flags in the order in which they were added: the common ones first.
func addGroups(root *cobra.Command, groups []group) {
	cobra.EnableCommandSorting = false
	for _, g := range groups {
		root.AddGroup(&cobra.Group{ID: g.title, Title: g.title})
		for _, cmd := range g.commands {
			cmd.GroupID = g.title
			root.AddCommand(cmd)
		}
	}
	last := groups[len(groups)-1].title
	root.SetHelpCommandGroupID(last)
	root.SetCompletionCommandGroupID(last)
	for _, cmd := range root.Commands() {
		tidy(cmd)
	}
}

// helpWidth is how many columns help takes.
const helpWidth = 80

// tidy makes wrong arguments usage errors and keeps flags in order.
func tidy(cmd *cobra.Command) {
	cmd.Flags().SortFlags = false
	if cmd.Args != nil {
		cmd.Args = asUsage(cmd.Args)
	}
	for _, sub := range cmd.Commands() {
		tidy(sub)
	}
}

// wrapHelp breaks the lines of paragraphs that are not indented.
func wrapHelp(text string) string {
	parts := strings.Split(text, "\n\n")
	for i, p := range parts {
		if !strings.HasPrefix(p, " ") {
			parts[i] = unit.Wrap(p, helpWidth)
		}
	}
	return strings.Join(parts, "\n\n")
}
