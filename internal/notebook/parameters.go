package notebook

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/fanout-dev/fanout/internal/notebook/internal/dialect"
	"github.com/fanout-dev/fanout/internal/notebook/internal/pyformat"
)

// A Parameter is one name that the parameters cell declares.
type Parameter = dialect.Parameter

// An Argument is a parameter with the value it is given. Value is nil, bool,
// string, a whole number, *big.Int, float64, []any or map[string]any, or
// something encoding/json renders as one of these. A Secret is the name of the
// environment variable that holds the value where the notebook runs; the
// notebook then holds code that reads it, never the value.
type Argument = dialect.Argument

// dialect is the language of the notebook, Python by default.
func (n *Notebook) dialect() *dialect.Dialect {
	d, err := dialect.Of(n.Kernel())
	if err != nil {
		return dialect.Python()
	}
	return d
}

// Parameters returns what the first cell tagged "parameters" declares, in
// order; found is false when there is no such cell. A name assigned twice is
// listed once, with its last default.
//
// Python is read by its grammar. R, Julia, Scala, JavaScript, TypeScript,
// bash, MATLAB, C#, F# and PowerShell are read line by line: assignments at
// the beginning of a line. An error names the line of the cell that cannot be
// read; the parameters before it are returned with it.
func (n *Notebook) Parameters() (ps []Parameter, found bool, err error) {
	return n.parameters(n.dialect())
}

func (n *Notebook) parameters(d *dialect.Dialect) (ps []Parameter, found bool, err error) {
	at := n.tagged(tagParameters)
	if at < 0 {
		return nil, false, nil
	}
	ps, err = d.Declarations(n.Cells[at].Source)
	if err != nil {
		err = fmt.Errorf("read parameters of cell %d: %w", n.CodeCell(at), err)
	}
	return ps, true, err
}

// Arguments returns the values the notebook was given, by name: from
// papermill's metadata, else from the injected cell, where each is the value
// of a literal or the source text of anything else. found is false when there
// is neither.
func (n *Notebook) Arguments() (args []Argument, found bool) {
	record, _ := n.Metadata["papermill"].(map[string]any)
	if m, ok := record["parameters"].(map[string]any); ok && len(m) > 0 {
		for _, name := range slices.Sorted(maps.Keys(m)) {
			args = append(args, argument(name, m[name]))
		}
		return args, true
	}
	at := n.tagged(tagInjected)
	if at < 0 {
		return nil, record != nil
	}
	ps, _ := n.dialect().Declarations(n.Cells[at].Source) // as far as it can be read
	for _, p := range ps {
		a := Argument{Name: p.Name, Value: p.Value}
		if !p.HasValue {
			a.Value = p.Default
		}
		args = append(args, a)
	}
	slices.SortFunc(args, func(a, b Argument) int { return strings.Compare(a.Name, b.Name) })
	return args, true
}

func argument(name string, v any) Argument {
	if m, ok := v.(map[string]any); ok && len(m) == 1 {
		if env, ok := m["secret"].(string); ok {
			return Argument{Name: name, Secret: env}
		}
	}
	return Argument{Name: name, Value: v}
}

// Imports returns the modules that the notebook's code cells import at the top
// level, in order, if its language is Python: the names after `import` and
// `from`, dots included. Imports in functions, in try and if, and relative
// ones are left out, and so are cells that are not executed.
func (n *Notebook) Imports() []string {
	if d, err := dialect.Of(n.Kernel()); err == nil && d != dialect.Python() {
		return nil
	} else if _, language := n.Kernel(); err != nil && language != "" {
		return nil
	}
	var sources []string
	for _, c := range n.Cells {
		if c.runs() {
			sources = append(sources, c.Source)
		}
	}
	return dialect.Imports(sources...)
}

// ImportsOf returns the modules that a Python file imports at its top level.
func ImportsOf(source string) []string { return dialect.Imports(source) }

// FormatPath fills the fields of a path with arguments, as papermill does
// before it reads anything: Python's str.format, with {name}, {name[key]},
// {name!r}, and its format specifications. The argument `pm`, unless there is
// one, holds run_uuid, current_datetime_local and current_datetime_utc.
//
// A name without an argument is an error, and so is what Python's format
// refuses, and a secret.
func FormatPath(path string, args []Argument, runUUID string, now time.Time) (string, error) {
	named := map[string]any{"pm": map[string]any{
		"run_uuid": runUUID, "current_datetime_local": pyformat.Naive(now.Local()), "current_datetime_utc": now.UTC(),
	}}
	for _, a := range args {
		named[a.Name] = a.Value
		if a.Secret != "" {
			named[a.Name] = pyformat.Secret{}
		}
	}
	out, err := pyformat.Format(path, named)
	if err != nil {
		return "", fmt.Errorf("format path %q: %w", path, err)
	}
	return out, nil
}
