// Package help is how the command presents itself: commands under headings, flags in
// the order in which they were added, text that fits the width of a terminal.
package help

import (
	"errors"
	"fmt"
	"slices"
	"strconv"
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

// share is a flag of a number between 0 and 1, both excluded.
type share struct{ value *float64 }

// AddShare adds a flag that takes a number above 0 and below 1, and starts with one.
func AddShare(fl *pflag.FlagSet, value *float64, name string, start float64, usage string) {
	*value = start
	fl.Var(share{value}, name, usage)
}

func (s share) String() string { return strconv.FormatFloat(*s.value, 'g', -1, 64) }
func (s share) Type() string   { return "float" }

func (s share) Set(text string) error {
	x, err := strconv.ParseFloat(text, 64)
	if err != nil || !(x > 0 && x < 1) {
		return errors.New("want a number above 0 and below 1, such as 0.05")
	}
	*s.value = x
	return nil
}

// Once, as the command may be built several times in one process.
func init() { cobra.EnableCommandSorting = false }

// A Group is a heading of the command's help.
type Group struct {
	Title    string
	Commands []*cobra.Command
}

// AddGroups adds commands under headings, all in the order given, each with its
// flags in the order in which they were added: the common ones first. check wraps what
// checks their arguments.
func AddGroups(root *cobra.Command, groups []Group, check func(cobra.PositionalArgs) cobra.PositionalArgs) {
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
