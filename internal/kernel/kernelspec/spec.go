// Package kernelspec finds kernels where Jupyter looks for them, and how to
// start them.
//
// In go the name of a kernel, an environment and perhaps a Python installation;
// out comes a Spec: the command, variables and manner of interruption of a
// kernel.json, with the interpreter of its environment. A Python that has
// ipykernel and no kernel.json is found as well.
//
// It promises Jupyter's order of places, and that a Spec it returns names a
// program that exists and, for a Python kernel, has ipykernel; else the error
// has a hint. It starts nothing but, where a look at its files is not enough,
// an interpreter to ask for a module.
package kernelspec

import (
	"encoding/json"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"github.com/fanout-dev/fanout/internal/kernel/internal/environ"
)

// Spec is how to start a kernel: the contents of a kernel.json, with the
// interpreter of its environment instead of a bare "python".
type Spec struct {
	Name          string
	Dir           string // directory of kernel.json; "" for an environment that has ipykernel and no kernel.json
	DisplayName   string
	Language      string
	Argv          []string
	Env           map[string]string
	InterruptMode string // signal or message
	Metadata      map[string]any
}

// pythonName matches what a kernel.json means by "the Python of Jupyter".
var pythonName = regexp.MustCompile(`^python(3(\.\d+)?)?$`)

// readNamed reads the specification called name, whatever its case.
func readNamed(d specDir, name string) (Spec, error) {
	dir := filepath.Join(d.path, name)
	if _, err := os.Stat(dir); err != nil {
		entries, _ := os.ReadDir(d.path)
		i := slices.IndexFunc(entries, func(e os.DirEntry) bool { return strings.EqualFold(e.Name(), name) })
		if i < 0 {
			return Spec{}, fs.ErrNotExist
		}
		dir = filepath.Join(d.path, entries[i].Name())
	}
	b, err := os.ReadFile(filepath.Join(dir, "kernel.json"))
	if err != nil {
		return Spec{}, err
	}
	return decode(b, dir, d.env)
}

// decode reads a kernel.json.
func decode(b []byte, dir string, env environment) (Spec, error) {
	file := filepath.Join(dir, "kernel.json")
	var doc struct {
		Argv          []string          `json:"argv"`
		DisplayName   string            `json:"display_name"`
		Language      string            `json:"language"`
		Env           map[string]string `json:"env"`
		InterruptMode string            `json:"interrupt_mode"`
		Metadata      map[string]any    `json:"metadata"`
	}
	if err := json.Unmarshal(b, &doc); err != nil {
		return Spec{}, fmt.Errorf("read %s: %w", file, err)
	}
	if len(doc.Argv) == 0 || doc.Argv[0] == "" {
		return Spec{}, fmt.Errorf("read %s: argv is empty", file)
	}
	if !slices.ContainsFunc(doc.Argv, func(a string) bool { return strings.Contains(a, "{connection_file}") }) {
		return Spec{}, fmt.Errorf("read %s: argv has no {connection_file}", file)
	}
	s := Spec{
		Name: filepath.Base(dir), Dir: dir, DisplayName: doc.DisplayName, Language: doc.Language,
		Argv: doc.Argv, Env: doc.Env, InterruptMode: doc.InterruptMode, Metadata: doc.Metadata,
	}
	if s.InterruptMode == "" {
		s.InterruptMode = "signal"
	}
	for i, a := range s.Argv {
		a = strings.ReplaceAll(a, "{resource_dir}", dir)
		s.Argv[i] = strings.ReplaceAll(a, "{prefix}", env.prefix)
	}
	if pythonName.MatchString(s.Argv[0]) && env.python != "" {
		s.Argv[0] = env.python
	}
	return s, nil
}

// IsPython reports whether the kernel is a Python program, as ipykernel is and
// all that wrap it.
func (s Spec) IsPython() bool {
	return len(s.Argv) > 0 && strings.HasPrefix(filepath.Base(s.Argv[0]), "python")
}

// IsIPykernel reports whether argv starts ipykernel's own launcher.
func (s Spec) IsIPykernel() bool {
	for i, a := range s.Argv[1:] {
		if (a == "ipykernel_launcher" || a == "ipykernel") && s.Argv[i] == "-m" {
			return true
		}
	}
	return false
}

// Key identifies a specification.
func (s Spec) Key() string { return s.Dir + "\x00" + strings.Join(s.Argv, "\x00") }

const memoryHistory = "--HistoryManager.hist_file=:memory:"

// Command is argv for a connection file. ipykernel keeps its history in
// memory: parallel kernels would wait for the lock of the shared one.
func (s Spec) Command(connectionFile string) []string {
	argv := slices.Clone(s.Argv)
	for i, a := range argv {
		argv[i] = strings.ReplaceAll(a, "{connection_file}", connectionFile)
	}
	if s.IsIPykernel() {
		argv = append(argv, memoryHistory)
	}
	return argv
}

// Environ is base, nil for our own environment, with the specification's own
// variables, in whose values ${NAME} is replaced by a variable of base.
func (s Spec) Environ(base []string) []string {
	set := map[string]string{}
	for name, v := range s.Env {
		set[name] = os.Expand(v, func(n string) string {
			if v := environ.Get(base, n); v != "" {
				return v
			}
			return "${" + n + "}"
		})
	}
	// 1 means that the kernel need not watch its parent: package proc does.
	set["JPY_PARENT_PID"] = "1"
	// Else the debugger's complaint about frozen modules, written while an
	// ipykernel starts, turns up in the first cell now and then.
	if environ.Get(base, "PYDEVD_DISABLE_FILE_VALIDATION") == "" {
		set["PYDEVD_DISABLE_FILE_VALIDATION"] = "1"
	}
	return environ.With(base, set)
}

// pythonProgram matches an interpreter that the warm server's source runs in.
var pythonProgram = regexp.MustCompile(`^(python|pypy)[0-9.]*t?$`)

// SplitIPykernel takes the argv of a plain ipykernel apart: the interpreter,
// its flags, and the arguments of the kernel's application without the
// connection file. The error is why a kernel is not a plain one.
func (s Spec) SplitIPykernel() (python string, flags, args []string, err error) {
	if !s.IsIPykernel() || !pythonProgram.MatchString(filepath.Base(s.Argv[0])) {
		return "", nil, nil, fmt.Errorf("kernel %q is not a plain ipykernel", s.Name)
	}
	at := slices.Index(s.Argv, "-m")
	for _, f := range s.Argv[1:at] {
		if !strings.HasPrefix(f, "-") {
			return "", nil, nil, fmt.Errorf("kernel %q starts Python in an unusual way", s.Name)
		}
	}
	rest := s.Argv[at+2:]
	for i := 0; i < len(rest); i++ {
		switch {
		case (rest[i] == "-f" || rest[i] == "--f") && i+1 < len(rest):
			i++
		case strings.Contains(rest[i], "{connection_file}"):
		default:
			args = append(args, rest[i])
		}
	}
	return s.Argv[0], s.Argv[1:at], append(args, memoryHistory), nil
}

// WithModules returns a specification whose Python kernels find modules in
// dir, after all other places, so that nothing of the user's is hidden. Other
// kernels are left as they are.
func (s Spec) WithModules(dir string) Spec {
	if !s.IsIPykernel() {
		return s
	}
	// PYTHONPATH would come before what is installed.
	line := fmt.Sprintf("import sys; sys.path.append(%s); del sys", strconv.QuoteToASCII(dir))
	s.Argv = append(slices.Clone(s.Argv), "--InteractiveShellApp.exec_lines="+line)
	return s
}
