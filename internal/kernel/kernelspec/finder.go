package kernelspec

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path"
	"path/filepath"
	"regexp"
	"runtime"
	"slices"
	"strings"
	"time"

	"github.com/fanout-dev/fanout/internal/kernel/internal/environ"
)

// Finder finds kernel specifications where Jupyter looks for them:
// JUPYTER_PATH, the user's data directory, the active environment, then
// /usr/local and /usr. A named environment comes before all of them, and its
// Python kernels are never taken from elsewhere.
type Finder struct {
	Python string   // a virtual environment's directory, or an interpreter; "" is the active one
	Env    []string // of the process that will start the kernel; nil is our own
}

// Error is why a kernel cannot be started, before anything was.
type Error struct {
	Name string // of the kernel
	Msg  string
	hint string
	err  error
}

func (e *Error) Error() string {
	s := fmt.Sprintf("find kernel %q: %s", e.Name, e.Msg)
	if e.err != nil {
		s += ": " + e.err.Error()
	}
	return s
}

func (e *Error) Unwrap() error { return e.err }

// Hint is one line with what to type next.
func (e *Error) Hint() string { return e.hint }

// An environment is a Python installation: its prefix and interpreter.
type environment struct{ prefix, python string }

var specName = regexp.MustCompile(`^[A-Za-z0-9._-]+$`)

// Find returns the specification called name; case does not matter. A name
// of "" is python3. The error is a *Error with a hint.
func (f Finder) Find(name string) (Spec, error) {
	if name == "" {
		name = "python3"
	}
	if !specName.MatchString(name) {
		return Spec{}, &Error{Name: name, Msg: "not a kernel's name: letters, digits, '.', '_' and '-' are allowed",
			hint: "list the kernels with: fanout doctor"}
	}
	var named *environment
	if f.Python != "" {
		e, err := resolvePython(f.Python)
		if err != nil {
			return Spec{}, &Error{Name: name, Msg: "no Python at " + f.Python, err: err,
				hint: "name a virtual environment's directory or an interpreter, such as .venv or .venv/bin/python"}
		}
		named = &e
	}
	var broken error
	for _, d := range f.dirs() {
		s, err := readNamed(d, name)
		switch {
		case errors.Is(err, fs.ErrNotExist):
			continue
		case err != nil:
			// Jupyter skips a broken one too; it is reported if none is good.
			broken = errors.Join(broken, &Error{Name: name, Msg: "broken specification", err: err,
				hint: "repair or remove " + filepath.Join(d.path, name)})
			continue
		}
		if named != nil && strings.EqualFold(s.Language, "python") && d.env != *named {
			continue
		}
		return f.check(s, d.env)
	}
	if s, err := f.synthesise(name, named); err == nil || broken == nil {
		return s, err
	}
	return Spec{}, broken
}

// List returns every specification that can be read, the one Find would choose
// first, and an error for each that cannot be read.
func (f Finder) List() ([]Spec, error) {
	var specs []Spec
	var errs []error
	have := map[string]bool{}
	for _, d := range f.dirs() {
		entries, _ := os.ReadDir(d.path)
		for _, e := range entries {
			name := strings.ToLower(e.Name())
			if !specName.MatchString(name) || have[name] {
				continue
			}
			s, err := readNamed(d, e.Name())
			switch {
			case errors.Is(err, fs.ErrNotExist):
			case err != nil:
				errs = append(errs, err)
			default:
				have[name] = true
				specs = append(specs, s)
			}
		}
	}
	if !have["python3"] {
		if s, err := f.Find("python3"); err == nil {
			specs = append(specs, s)
		}
	}
	return specs, errors.Join(errs...)
}

// A specDir is a directory of specifications and the environment it is part of.
type specDir struct {
	path string
	env  environment
}

var systemPrefixes = []string{"/usr/local", "/usr"}

// dirs lists the directories in order, each once.
func (f Finder) dirs() []specDir {
	var dirs []specDir
	add := func(data string, env environment) {
		if data == "" {
			return
		}
		p := filepath.Join(data, "kernels")
		if !slices.ContainsFunc(dirs, func(d specDir) bool { return d.path == p }) {
			dirs = append(dirs, specDir{p, env})
		}
	}
	share := func(e environment) {
		if e.prefix != "" {
			add(filepath.Join(e.prefix, "share", "jupyter"), e)
		}
	}
	if f.Python != "" {
		if e, err := resolvePython(f.Python); err == nil {
			share(e)
		}
	}
	for p := range strings.SplitSeq(environ.Get(f.Env, "JUPYTER_PATH"), ":") {
		add(p, environment{})
	}
	active := f.active()
	preferUser := strings.EqualFold(environ.Get(f.Env, "JUPYTER_PREFER_ENV_PATH"), "0") || len(active) == 0
	if preferUser {
		add(f.userData(), environment{})
	}
	for _, e := range active {
		share(e)
	}
	add(f.userData(), environment{})
	if e, ok := f.pathPython(); ok {
		share(e)
	}
	for _, p := range systemPrefixes {
		add(filepath.Join(p, "share", "jupyter"), environment{p, firstFile("/usr/local/bin/python3", "/usr/bin/python3")})
	}
	return dirs
}

// active are the environments the caller has activated.
func (f Finder) active() []environment {
	var envs []environment
	for _, v := range []string{"VIRTUAL_ENV", "CONDA_PREFIX"} {
		if p := environ.Get(f.Env, v); p != "" {
			if e, err := resolvePython(p); err == nil {
				envs = append(envs, e)
			}
		}
	}
	return envs
}

// pathPython is the Python that the caller's PATH leads to.
func (f Finder) pathPython() (environment, bool) {
	for _, n := range []string{"python3", "python"} {
		if p, err := environ.LookPath(n, f.Env); err == nil {
			if e, err := resolvePython(p); err == nil {
				return e, true
			}
		}
	}
	return environment{}, false
}

func (f Finder) userData() string {
	if d := environ.Get(f.Env, "JUPYTER_DATA_DIR"); d != "" {
		return d
	}
	home := environ.Get(f.Env, "HOME")
	if runtime.GOOS == "darwin" && home != "" {
		return filepath.Join(home, "Library", "Jupyter")
	}
	if d := environ.Get(f.Env, "XDG_DATA_HOME"); d != "" {
		return filepath.Join(d, "jupyter")
	}
	if home == "" {
		return ""
	}
	return filepath.Join(home, ".local", "share", "jupyter")
}

// resolvePython takes a prefix or an interpreter. The path is made absolute
// but its links are kept: a virtual environment's interpreter is a link.
func resolvePython(p string) (environment, error) {
	p, err := filepath.Abs(p)
	if err != nil {
		return environment{}, err
	}
	st, err := os.Stat(p)
	if err != nil {
		return environment{}, err
	}
	if !st.IsDir() {
		return environment{filepath.Dir(filepath.Dir(p)), p}, nil
	}
	python := firstFile(filepath.Join(p, "bin", "python"), filepath.Join(p, "bin", "python3"))
	if python == "" {
		return environment{}, fmt.Errorf("%s has no bin/python", p)
	}
	return environment{p, python}, nil
}

func firstFile(paths ...string) string {
	for _, p := range paths {
		if st, err := os.Stat(p); err == nil && !st.IsDir() {
			return p
		}
	}
	return ""
}

// check refuses a specification whose program or ipykernel is missing.
func (f Finder) check(s Spec, env environment) (Spec, error) {
	if _, err := environ.LookPath(s.Argv[0], f.Env); err != nil {
		hint := "reinstall the kernel, or remove " + s.Dir
		if s.IsIPykernel() {
			hint = "create the environment again, or choose another with --python"
		}
		return Spec{}, &Error{Name: s.Name, Msg: fmt.Sprintf("%s names a program that does not exist", filepath.Join(s.Dir, "kernel.json")), err: err, hint: hint}
	}
	if s.IsIPykernel() {
		interpreter, _ := environ.LookPath(s.Argv[0], f.Env)
		if !f.has(interpreter, "ipykernel") {
			return Spec{}, missingIPykernel(s.Name, interpreter)
		}
		s.Argv[0] = interpreter
	}
	return s, nil
}

func missingIPykernel(name, interpreter string) error {
	return &Error{Name: name, Msg: interpreter + " has no ipykernel",
		hint: fmt.Sprintf("%s -m pip install ipykernel", interpreter)}
}

// synthesise builds a specification for a Python environment that has
// ipykernel and no kernel.json of that name.
func (f Finder) synthesise(name string, named *environment) (Spec, error) {
	envs := f.active()
	if e, ok := f.pathPython(); ok {
		envs = append(envs, e)
	}
	if named != nil {
		envs = []environment{*named}
	}
	lower := strings.ToLower(name)
	if lower != "python3" && lower != "python" && (named == nil || !f.pythonElsewhere(name)) {
		return Spec{}, f.unknown(name)
	}
	for _, e := range envs {
		if f.has(e.python, "ipykernel") {
			return Spec{
				Name: name, DisplayName: "Python 3 (ipykernel)", Language: "python", InterruptMode: "signal",
				Argv: []string{e.python, "-m", "ipykernel_launcher", "-f", "{connection_file}"},
			}, nil
		}
	}
	if len(envs) == 0 {
		return Spec{}, &Error{Name: name, Msg: "no Python was found", hint: "activate a virtual environment that has ipykernel, or name one with --python"}
	}
	return Spec{}, missingIPykernel(name, envs[0].python)
}

// pythonElsewhere reports whether name is a Python kernel outside the named
// environment: then the named environment is used instead.
func (f Finder) pythonElsewhere(name string) bool {
	s, err := Finder{Env: f.Env}.Find(name)
	return err == nil && strings.EqualFold(s.Language, "python")
}

func (f Finder) unknown(name string) error {
	specs, _ := f.List()
	var names []string
	for _, s := range specs {
		names = append(names, s.Name)
	}
	e := &Error{Name: name, Msg: "there is no kernel of that name"}
	if len(names) == 0 {
		e.hint = "no kernel was found; install one: python3 -m pip install ipykernel"
	} else {
		e.hint = "there are: " + strings.Join(names, ", ")
	}
	return e
}

// has reports whether an interpreter finds a module. Looking for its directory
// is a thousand times quicker than asking, and enough when it is there.
func (f Finder) has(python, module string) bool {
	prefix := filepath.Dir(filepath.Dir(python))
	if m, _ := fs.Glob(os.DirFS(prefix), path.Join("lib/python3*/site-packages", module)); len(m) > 0 {
		return true
	}
	ctx, cancel := context.WithTimeout(context.Background(), 20*time.Second)
	defer cancel()
	cmd := exec.CommandContext(ctx, python, "-c",
		"import importlib.util, sys; sys.exit(importlib.util.find_spec(sys.argv[1]) is None)", module)
	cmd.Env = f.Env
	cmd.Dir = os.TempDir()
	return cmd.Run() == nil
}
