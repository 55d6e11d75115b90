package papermill

import (
	"fmt"
	"slices"
	"strconv"
	"strings"

	"github.com/spf13/pflag"
)

// Toggle adds a pair of flags, --name and the one that is called off, to switch
// one thing on and off. The last of them on the line decides.
func Toggle(fl *pflag.FlagSet, on *bool, name, off string, value bool, usage, offUsage string) {
	fl.BoolVar(on, name, value, usage)
	fl.VarPF(negated{on}, off, "", offUsage).NoOptDefVal = "true"
}

// negated is the value of a flag that switches another one off.
type negated struct{ on *bool }

func (n negated) String() string { return "false" }
func (n negated) Type() string   { return "bool" }

func (n negated) Set(text string) error {
	off, err := strconv.ParseBool(text)
	*n.on = !off
	return err
}

// CheckEngine refuses the name of an engine, unless it is that of papermill's
// own, which does what fanout does.
func CheckEngine(name string) error {
	if name != "" && name != "nbclient" {
		return fmt.Errorf("--engine %q: fanout executes notebooks itself and cannot load papermill's engines", name)
	}
	return nil
}

// A Level is what papermill's logger would let pass.
type Level int

// levels are the names of the logger's levels, each above the one before.
var levels = []string{"NOTSET", "DEBUG", "INFO", "WARNING", "ERROR", "CRITICAL"}

// LevelOf reads --log-level.
func LevelOf(name string) (Level, error) {
	i := slices.Index(levels, name)
	if i < 0 {
		return 0, fmt.Errorf("--log-level %q: want %s", name, strings.Join(levels, ", "))
	}
	return Level(i), nil
}

// Stdout reports whether what cells print passes, which papermill logs as
// information.
func (l Level) Stdout() bool { return l <= Level(slices.Index(levels, "INFO")) }

// Stderr reports whether warnings pass, and what cells print as errors.
func (l Level) Stderr() bool { return l <= Level(slices.Index(levels, "WARNING")) }
