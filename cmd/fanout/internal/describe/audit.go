package describe

import (
	"encoding/json"
	"fmt"
	"os"
	"strconv"
	"strings"
	"text/tabwriter"

	"github.com/spf13/cobra"
	"golang.org/x/term"

	"github.com/fanout-dev/fanout/internal/app"
	"github.com/fanout-dev/fanout/internal/lease"
	"github.com/fanout-dev/fanout/internal/unit"
)

// AuditCommand is the verb that shows who changed a sweep. of is asked for the App
// when the command runs.
func AuditCommand(of func() *app.App, to unit.Printer, asJSON *bool) *cobra.Command {
	last := 0
	cmd := &cobra.Command{
		Use:   "audit DIR.sweep",
		Short: "Show who changed a sweep, when, from where and with which command",
		Long: `Audit lists every command that took the lease of a sweep, and so could change it:
run, rerun, accept, gc and the end of cancel; who asked a running one to stop; and
who scheduled, paused or fired it, took its schedule away, or published it.
FROM is a terminal, a program such as cron, a schedule, or the web, where fanout
serve executes what people order: FOR is who did. It is what they said of
themselves: whoever may write to the sweep may write there, too.`,
		Args: cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			s, err := of().Open(cmd.Context(), args[0])
			if err != nil {
				return err
			}
			entries, err := lease.History(cmd.Context(), s.Store(), last)
			if err != nil {
				return err
			}
			return printAudit(to, entries, *asJSON)
		},
	}
	cmd.Flags().IntVar(&last, "last", 100, "of the last `N` terms of the lease, and as many deeds without it")
	cmd.Flags().BoolVar(asJSON, "json", false, "one JSON object a line")
	return cmd
}

func printAudit(to unit.Printer, entries []lease.Entry, asJSON bool) error {
	if asJSON {
		enc := json.NewEncoder(to.Data())
		enc.SetEscapeHTML(false)
		for _, e := range entries {
			if err := enc.Encode(e); err != nil {
				return err
			}
		}
		return nil
	}
	w := tabwriter.NewWriter(to.Lines(), 0, 0, 2, ' ', 0)
	fmt.Fprintln(w, "TERM\tWHEN\tWHO\tFROM\tFOR\tCOMMAND")
	for _, e := range entries {
		command := e.Command
		if e.Cancel {
			command = strings.TrimSpace("asked it to stop: " + command)
		}
		term := "-"
		if e.Term > 0 {
			term = strconv.Itoa(e.Term)
		}
		fmt.Fprintf(w, "%s\t%s\t%s@%s\t%s\t%s\t%s\n", term, e.Since.Local().Format("2006-01-02 15:04:05"), field(e.User), field(e.Host), field(e.From), field(e.For), field(command))
	}
	return w.Flush()
}

// field is foreign text in a column, and "-" where there is none.
func field(text string) string {
	if text = unit.Cut(unit.Line(text), maxField); text == "" {
		return "-"
	}
	return text
}

// maxField is how many characters of a field are worth a line.
const maxField = 300

// AskedVariable is the environment variable in which a server tells the command that
// it executes who asked for it.
const AskedVariable = "FANOUT_ASKED_BY"

// DeedOf is what a command line does, for the audit of sweeps. The process forgets who
// asked for it, so that kernels have the environment that they always have.
func DeedOf(verb string, args []string) lease.Deed {
	d := lease.Deed{From: "program", For: os.Getenv(AskedVariable)}
	os.Unsetenv(AskedVariable)
	switch {
	case verb == "fire": // its line is the schedule's, with addresses to notify
		d.From, args = "schedule", []string{"schedule", "fire"}
	case d.For != "":
		d.From = "web"
	case term.IsTerminal(int(os.Stdin.Fd())):
		d.From = "terminal"
	}
	words := []string{"fanout"}
	for _, a := range args {
		words = append(words, unit.Quote(a))
	}
	d.Command = unit.Cut(strings.Join(words, " "), maxCommand)
	return d
}

// maxCommand is how many characters of a command are kept.
const maxCommand = 2000
