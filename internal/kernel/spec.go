package kernel

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"runtime"
	"slices"
	"strings"
	"time"
)

// Spec says how to start a kernel: what a kernel.json says, with the
// interpreter of its environment in place of a bare "python".
type Spec struct {
	Name          string
	Dir           string // directory of kernel.json; "" when it was made up for an environment that has ipykernel
	DisplayName   string
	Language      string
	Argv          []string
	Env           map[string]string
	InterruptMode string // signal or message
	Metadata      map[string]any
}

// Finder finds kernel specifications where Jupyter looks for them:
// JUPYTER_PATH, the user's data directory, the active environment, then
// /usr/local and /usr. A named environment comes before all of them, and its
// Python kernels are never taken from elsewhere.
type Finder struct {
	Python string   // a virtual environment's directory, or an interpreter; "" is the active one
	Env    []string // of the process that will start the kernel; nil is our own
}

// SpecError says why a kernel cannot be started, before anything was.
type SpecError struct {
	Name string // of the kernel
	Msg  string
	hint string
	err  error
}

func (e *SpecError) Error() string {
	s := fmt.Sprintf("find kernel %q: %s", e.Name, e.Msg)
	if e.err != nil {
		s += ": " + e.err.Error()
	}
	return s
}

func (e *SpecError) Unwrap() error { return e.err }

// Hint is one line that says what to type next.
func (e *SpecError) Hint() string { return e.hint }

// An environment is a Python installation: its prefix and interpreter.
type environment struct{ prefix, python string }

var specName = regexp.MustCompile(`^[A-Za-z0-9._-]+$`)

// pythonName matches what a kernel.json means by "the Python of Jupyter".
var pythonName = regexp.MustCompile(`^python(3(\.\d+)?)?$`)

// Find returns the specification called name; case does not matter. A name
// of "" is python3. The error is a *SpecError with a hint.
func (f Finder) Find(name string) (Spec, error) {
	if name == "" {
		name = "python3"
	}
	if !specName.MatchString(name) {
		return Spec{}, &SpecError{Name: name, Msg: "not a kernel's name: letters, digits, '.', '_' and '-' are allowed",
			hint: "list the kernels there are with: fanout doctor"}
	}
	var named *environment
	if f.Python != "" {
		e, err := resolvePython(f.Python)
		if err != nil {
			return Spec{}, &SpecError{Name: name, Msg: "no Python at " + f.Python, err: err,
				hint: "name a virtual environment's directory or an interpreter, such as .venv or .venv/bin/python"}
		}
		named = &e
	}
	var broken error
	for _, d := range f.dirs() {
		s, err := readSpecNamed(d, name)
		switch {
		case errors.Is(err, fs.ErrNotExist):
			continue
		case err != nil:
			// Jupyter skips a broken one, too; it is named if none is good.
			broken = errors.Join(broken, &SpecError{Name: name, Msg: "broken specification", err: err,
				hint: "mend or remove " + filepath.Join(d.path, name)})
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
			s, err := readSpecNamed(d, e.Name())
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
	for p := range strings.SplitSeq(getenv(f.Env, "JUPYTER_PATH"), ":") {
		add(p, environment{})
	}
	active := f.active()
	preferUser := strings.EqualFold(getenv(f.Env, "JUPYTER_PREFER_ENV_PATH"), "0") || len(active) == 0
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
		if p := getenv(f.Env, v); p != "" {
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
		if p, err := lookPath(n, f.Env, ""); err == nil {
			if e, err := resolvePython(p); err == nil {
				return e, true
			}
		}
	}
	return environment{}, false
}

func (f Finder) userData() string {
	if d := getenv(f.Env, "JUPYTER_DATA_DIR"); d != "" {
		return d
	}
	home := getenv(f.Env, "HOME")
	if runtime.GOOS == "darwin" && home != "" {
		return filepath.Join(home, "Library", "Jupyter")
	}
	if d := getenv(f.Env, "XDG_DATA_HOME"); d != "" {
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

// readSpecNamed reads the specification called name, whatever its case.
func readSpecNamed(d specDir, name string) (Spec, error) {
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
	return decodeSpec(b, dir, d.env)
}

// decodeSpec reads a kernel.json.
func decodeSpec(b []byte, dir string, env environment) (Spec, error) {
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

// check refuses a specification whose program or ipykernel is missing.
func (f Finder) check(s Spec, env environment) (Spec, error) {
	if _, err := lookPath(s.Argv[0], f.Env, ""); err != nil {
		hint := "reinstall the kernel, or remove " + s.Dir
		if s.ipykernel() {
			hint = "make the environment again, or choose another with --python"
		}
		return Spec{}, &SpecError{Name: s.Name, Msg: fmt.Sprintf("%s names a program that does not exist", filepath.Join(s.Dir, "kernel.json")), err: err, hint: hint}
	}
	if s.ipykernel() {
		interpreter, _ := lookPath(s.Argv[0], f.Env, "")
		if !f.has(interpreter, "ipykernel") {
			return Spec{}, missingIPykernel(s.Name, interpreter)
		}
		s.Argv[0] = interpreter
	}
	return s, nil
}

func missingIPykernel(name, interpreter string) error {
	return &SpecError{Name: name, Msg: interpreter + " has no ipykernel",
		hint: fmt.Sprintf("%s -m pip install ipykernel", interpreter)}
}

// synthesise makes a specification for a Python environment that has
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
		return Spec{}, &SpecError{Name: name, Msg: "no Python was found", hint: "activate a virtual environment that has ipykernel, or name one with --python"}
	}
	return Spec{}, missingIPykernel(name, envs[0].python)
}

// pythonElsewhere reports whether name is a Python kernel outside the named
// environment: then the named environment stands in for it.
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
	e := &SpecError{Name: name, Msg: "there is none of that name"}
	if len(names) == 0 {
		e.hint = "no kernel was found at all; install one: python3 -m pip install ipykernel"
	} else {
		e.hint = "there are: " + strings.Join(names, ", ")
	}
	return e
}

// has reports whether an interpreter finds a module. Looking for its directory
// is a thousand times quicker than asking, and enough when it is there.
func (f Finder) has(python, module string) bool {
	prefix := filepath.Dir(filepath.Dir(python))
	if m, _ := filepath.Glob(filepath.Join(prefix, "lib", "python3*", "site-packages", module)); len(m) > 0 {
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

// pythonic reports whether the kernel is a Python program, as ipykernel is and
// all that wrap it.
func (s Spec) pythonic() bool {
	return len(s.Argv) > 0 && strings.HasPrefix(filepath.Base(s.Argv[0]), "python")
}

// ipykernel reports whether argv starts ipykernel's own launcher.
func (s Spec) ipykernel() bool {
	for i, a := range s.Argv[1:] {
		if (a == "ipykernel_launcher" || a == "ipykernel") && s.Argv[i] == "-m" {
			return true
		}
	}
	return false
}

// key tells specifications apart.
func (s Spec) key() string { return s.Dir + "\x00" + strings.Join(s.Argv, "\x00") }

const memoryHistory = "--HistoryManager.hist_file=:memory:"

// command is argv for a connection file. ipykernel keeps its history in
// memory: parallel kernels would wait for the lock of the shared one.
func (s Spec) command(connectionFile string) []string {
	argv := slices.Clone(s.Argv)
	for i, a := range argv {
		argv[i] = strings.ReplaceAll(a, "{connection_file}", connectionFile)
	}
	if s.ipykernel() {
		argv = append(argv, memoryHistory)
	}
	return argv
}

// environ is the environment of a kernel with identity id: base, the
// specification's own variables, and our marker.
func (s Spec) environ(base []string, id string) []string {
	set := map[string]string{Marker: id}
	for name, v := range s.Env {
		set[name] = os.Expand(v, func(n string) string {
			if v := getenv(base, n); v != "" {
				return v
			}
			return "${" + n + "}"
		})
	}
	// 1 stands for a parent that need not be watched: we see to that.
	set["JPY_PARENT_PID"] = "1"
	// Else the debugger's complaint about frozen modules, written while an
	// ipykernel starts, turns up in the first cell now and then.
	if getenv(base, "PYDEVD_DISABLE_FILE_VALIDATION") == "" {
		set["PYDEVD_DISABLE_FILE_VALIDATION"] = "1"
	}
	return mergeEnv(base, set)
}
