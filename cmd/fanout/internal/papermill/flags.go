package papermill

import (
	"fmt"
	"io"
	"os"
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

// A Log is where what the cells print goes.
type Log struct {
	on             bool
	level          string
	stdout, stderr string // files
}

// Add adds the flags.
func (l *Log) Add(fl *pflag.FlagSet) {
	fl.StringVar(&l.stdout, "stdout-file", "", "`file` to write what cells print to stdout to")
	fl.StringVar(&l.stderr, "stderr-file", "", "`file` to write what cells print to stderr to")
	Toggle(fl, &l.on, "log-output", "no-log-output", false, "print what the cells print", "print nothing of the cells, the default")
	fl.StringVar(&l.level, "log-level", "INFO", "`level` from which to print: WARNING leaves out what cells print to stdout, ERROR warnings, too")
}

// levels are those of Python's logging, each above the one before.
var levels = []string{"NOTSET", "DEBUG", "INFO", "WARNING", "ERROR", "CRITICAL"}

// Check refuses a level that there is not.
func (l *Log) Check() error {
	if !slices.Contains(levels, l.level) {
		return fmt.Errorf("--log-level %q: want %s", l.level, strings.Join(levels, ", "))
	}
	return nil
}

// passes reports whether papermill's logger lets a level pass.
func (l *Log) passes(level string) bool {
	return slices.Index(levels, l.level) <= slices.Index(levels, level)
}

// Warnings reports whether warnings are printed. What cells print to stdout
// papermill logs as information, what they print to stderr as warnings.
func (l *Log) Warnings() bool { return l.passes("WARNING") }

// Open creates the files. The log it returns writes text of a stream to its file,
// or to screen where that is asked for.
func (l *Log) Open(screen io.Writer) (log func(stream string, text []byte) error, closeFiles func(), err error) {
	to := map[string]io.Writer{"stdout": io.Discard, "stderr": io.Discard}
	if l.on && l.passes("INFO") {
		to["stdout"] = screen
	}
	if l.on && l.Warnings() {
		to["stderr"] = screen
	}
	var files []*os.File
	closeFiles = func() {
		for _, file := range files {
			file.Close()
		}
	}
	for stream, name := range map[string]string{"stdout": l.stdout, "stderr": l.stderr} {
		if name == "" {
			continue
		}
		file, err := os.Create(name)
		if err != nil {
			closeFiles()
			return nil, nil, err
		}
		files = append(files, file)
		to[stream] = file
	}
	return func(stream string, text []byte) error {
		if stream != "stderr" {
			stream = "stdout"
		}
		_, err := to[stream].Write(text)
		return err
	}, closeFiles, nil
}
