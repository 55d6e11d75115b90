package kernel

import (
	"context"

	_ "embed"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/fanout-dev/fanout/internal/kernel/internal/forkserver"
	"github.com/fanout-dev/fanout/internal/kernel/internal/proc"
	"github.com/fanout-dev/fanout/internal/kernel/kernelspec"
)

// ServerOptions are what a Server prepares for the kernels it forks.
type ServerOptions struct {
	Imports []string      // modules to import before forking, as the template's import statements name them
	Env     []string      // complete environment; nil is this process's. What Python reads once must be the same for all kernels
	Dir     string        // the template's directory; modules in it are left to the kernels
	Log     *os.File      // what the server writes; nil discards it. The caller closes it
	Timeout time.Duration // for the preparation without the prefix; 0 is two minutes

	// Prefix are the sources of cells to execute once, before forking: those
	// above the parameters cell. Kernel.Prefix returns what they put out.
	Prefix        []string
	PrefixTimeout time.Duration // for each cell of the prefix; 0 is no limit

	ZMQ bool // give the kernels ZeroMQ's sockets, even where they can do without
}

const (
	defaultServeTimeout = 2 * time.Minute
	// forkTimeout is how long a forked kernel may take to answer: a hundred
	// times what it takes.
	forkTimeout = 10 * time.Second
	// failuresAllowed in a row; then no more kernels are forked.
	failuresAllowed = 2
	// redoLimit bounds how often a server is restarted without a module.
	redoLimit = 4
)

// RefusedError is why, in one line, kernels cannot be started warm. They can
// be started cold.
type RefusedError struct {
	Reason string
	final  bool // in every mode
}

func (e *RefusedError) Error() string { return "no warm start: " + e.Reason }

// A Server is a process from which kernels are forked. It is safe for
// concurrent use.
type Server struct {
	spec    kernelspec.Spec
	env     []string
	latched map[string]string // of env, what is read once
	dir     string

	proc    *forkserver.Server
	limit   time.Duration
	Mode    string       // P, K, S, W or A: how much of a kernel is prepared before the fork
	ZMQ     string       // why its kernels have ZeroMQ's sockets; empty when they do without, or were asked to have them
	Dropped []string     // modules that are left to the kernels, with the reason
	Prefix  []PrefixCell // the leading cells that are shared
	Refused string       // why no more cells are; empty when all of them are

	info Info // of all its kernels

	mu       sync.Mutex
	failures int
	retired  string
}

// modes in the order of preference; see server.py.
var modes = []string{onPipe, "K", "S", "W", "A"}

// onPipe is the mode without ZeroMQ.
const onPipe = "P"

// worked remembers the first mode that did, by interpreter.
var worked sync.Map

// Serve starts a server for ipykernel and proves with one kernel that it
// works. The error is a *RefusedError where that cannot be; the caller then
// uses Launch.
func Serve(ctx context.Context, spec kernelspec.Spec, o ServerOptions) (*Server, error) {
	python, flags, extra, err := ipykernelArgs(spec)
	if err != nil {
		return nil, err
	}
	limit := o.Timeout
	if limit <= 0 {
		limit = defaultServeTimeout
	}
	s := &Server{spec: spec, env: o.Env, latched: latchedValues(o.Env), dir: o.Dir, limit: limit}
	argv := append([]string{python}, flags...)
	var last error
	for _, mode := range modesFor(python, o.ZMQ) {
		if last = s.prepare(ctx, argv, extra, mode, o); last == nil {
			if mode != onPipe {
				worked.Store(python, mode)
			}
			return s, nil
		}
		if refused := new(RefusedError); ctx.Err() != nil || errors.As(last, &refused) && refused.final {
			break
		}
		if mode == onPipe {
			s.ZMQ = reason(last)
		}
	}
	return nil, &RefusedError{Reason: reason(last)}
}

// reason is an error in one line.
func reason(err error) string {
	var refused *RefusedError
	if errors.As(err, &refused) {
		return refused.Reason
	}
	return strings.Join(strings.Fields(err.Error()), " ")
}

// modesFor leaves out what is known not to work. The mode without ZeroMQ is tried
// each time, because it may be refused for a reason that is not the interpreter's.
func modesFor(python string, zmq bool) []string {
	all := modes
	var first []string
	if all[0] == onPipe {
		all = all[1:]
		if !zmq {
			first = []string{onPipe}
		}
	}
	if m, ok := worked.Load(python); ok {
		all = all[slices.Index(all, m.(string)):]
	}
	return slices.Concat(first, all)
}

// ipykernelArgs takes a specification apart: interpreter, its flags, and what
// is meant for the kernel's application.
func ipykernelArgs(spec kernelspec.Spec) (python string, flags, extra []string, err error) {
	if runtime.GOOS != "linux" {
		return "", nil, nil, &RefusedError{Reason: "only Linux can fork Python safely"}
	}
	python, flags, extra, err = spec.SplitIPykernel()
	if err != nil {
		return "", nil, nil, &RefusedError{Reason: err.Error()}
	}
	return python, flags, extra, nil
}

// prepare starts a process in one mode. What a module or a cell has done
// cannot be undone: the process is restarted without it.
func (s *Server) prepare(ctx context.Context, argv, extra []string, mode string, o ServerOptions) error {
	s.Mode, s.Dropped, s.Refused = mode, nil, ""
	imports, cells := o.Imports, o.Prefix
	for range redoLimit {
		f, err := forkserver.Start(argv, s.spec.Environ(o.Env), o.Dir, o.Log)
		if err != nil {
			return err
		}
		s.proc = f
		bad, err := s.warmUp(ctx, extra, mode, imports)
		if err == nil && len(bad) == 0 {
			var done bool
			if bad, done, err = s.complete(ctx, imports, &cells, o.PrefixTimeout); done {
				return nil
			}
		}
		f.Close()
		if err == nil {
			err = ctx.Err()
		}
		if err != nil {
			return err
		}
		imports = slices.DeleteFunc(slices.Clone(imports), func(m string) bool { return slices.Contains(bad, m) })
	}
	return &RefusedError{Reason: "it did not settle: " + strings.Join(append(s.Dropped, s.Refused), "; ")}
}

// complete executes the cells and ends the preparation, unless something cannot be
// shared: it then drops cells, or returns the modules to drop.
func (s *Server) complete(ctx context.Context, imports []string, cells *[]string, limit time.Duration) (bad []string, done bool, err error) {
	if why := s.runPrefix(ctx, *cells, limit); why != "" {
		s.Refused, *cells = why, (*cells)[:len(s.Prefix)]
		return nil, false, nil
	}
	ctx, cancel := context.WithTimeout(ctx, s.limit)
	defer cancel()
	module, why, err := s.proc.Seal(ctx)
	if err != nil || why == "" {
		return nil, err == nil, err
	}
	if len(*cells) > 0 {
		s.Refused, *cells, s.Prefix = "no cell of the prefix is shared: "+why, nil, nil
		return nil, false, nil
	}
	for _, m := range imports {
		if top, _, _ := strings.Cut(m, "."); top == module {
			s.Dropped, bad = append(s.Dropped, m+": "+why), append(bad, m)
		}
	}
	if len(bad) == 0 {
		return nil, false, &RefusedError{Reason: why, final: true}
	}
	return bad, false, nil
}

// warmUp follows the order that is known to be safe: start, probe, imports.
// It returns the modules that spoilt the process.
func (s *Server) warmUp(ctx context.Context, extra []string, mode string, imports []string) (bad []string, err error) {
	ctx, cancel := context.WithTimeout(ctx, s.limit)
	defer cancel()
	ready, err := s.proc.Prepare(ctx, mode, extra)
	if err != nil {
		return nil, err
	}
	if ready.Refused != "" {
		return nil, &RefusedError{Reason: ready.Refused}
	}
	if ready.Threads != 0 {
		return nil, &RefusedError{Reason: fmt.Sprintf("ipykernel %s leaves %d threads before any kernel is started", ready.IPykernel, ready.Threads)}
	}
	lazy, err := s.probe(ctx)
	if err != nil {
		return nil, err
	}
	if mode != "A" {
		if _, err := s.imports(ctx, lazy, true); err != nil {
			return nil, err
		}
	}
	return s.imports(ctx, imports, false)
}

// imports imports modules and returns those that spoilt the process.
func (s *Server) imports(ctx context.Context, modules []string, quiet bool) ([]string, error) {
	if modules == nil {
		return nil, nil
	}
	r, err := s.proc.Import(ctx, modules, s.dir, quiet)
	if err != nil {
		return nil, err
	}
	if quiet {
		if r.Threads > 0 {
			return nil, &RefusedError{Reason: fmt.Sprintf("the modules a kernel needs leave %d threads", r.Threads)}
		}
		return nil, nil
	}
	for m, why := range r.Failed {
		s.Dropped = append(s.Dropped, m+": "+why)
	}
	for _, m := range r.Noisy {
		s.Dropped = append(s.Dropped, m+": it writes when it is imported")
	}
	for _, m := range r.Suspects {
		s.Dropped = append(s.Dropped, m+": it starts threads or processes when it is imported")
	}
	if r.Threads > 0 && len(r.Suspects) == 0 {
		return nil, &RefusedError{Reason: fmt.Sprintf("%d threads are left before any kernel is started", r.Threads)}
	}
	return append(r.Noisy, r.Suspects...), nil
}

// probeCell uses what a first cell imports, and returns what that was.
const probeCell = `import sys, json
from IPython.display import display, HTML
display(HTML("<b>1</b>"))
print(json.dumps(sorted(sys.modules)), file=sys.stderr)`

// probe runs one kernel to the end and returns the modules it imported by
// itself: the next ones find them there.
func (s *Server) probe(ctx context.Context) ([]string, error) {
	ctx, cancel := context.WithTimeout(ctx, forkTimeout)
	defer cancel()
	s.info = Info{}
	k, err := s.fork(ctx, Options{Dir: os.TempDir(), Env: s.env})
	if err != nil {
		return nil, fmt.Errorf("the first forked kernel did not start: %w", err)
	}
	defer k.Close(0)
	s.info = k.Info()
	var text strings.Builder
	r, err := k.Execute(ctx, probeCell, ExecuteOptions{}, func(m Message) {
		var c struct{ Name, Text string }
		if m.Header.MsgType == "stream" && json.Unmarshal(m.Content, &c) == nil && c.Name == "stderr" {
			text.WriteString(c.Text)
		}
	})
	var modules []string
	switch {
	case err != nil:
		return nil, fmt.Errorf("the first forked kernel did not answer: %w", err)
	case r.Status != "ok":
		return nil, fmt.Errorf("the first forked kernel raised %s: %s", r.Ename, r.Evalue)
	case json.Unmarshal([]byte(proc.LastLine(text.String())), &modules) != nil:
		return nil, fmt.Errorf("the first forked kernel answered %.200q", text.String())
	}
	if r, err = k.Execute(ctx, "1/0", ExecuteOptions{}, func(Message) {}); err != nil || r.Ename != "ZeroDivisionError" {
		return nil, fmt.Errorf("the first forked kernel raised %q, %w", r.Ename, err)
	}
	if x := k.Close(forkTimeout); x.Code != 0 {
		return nil, fmt.Errorf("the first forked kernel ended with %s", x)
	}
	// ipykernel looks for children with psutil at the end of every kernel.
	return append(slices.DeleteFunc(modules, notByName), "psutil"), nil
}

// notByName drops modules that cannot be imported by name.
func notByName(m string) bool {
	return m == "__main__" || m == "__mp_main__" || strings.HasPrefix(m, "debugpy") || strings.HasPrefix(m, "_pydev")
}

// Launch starts a kernel, warm if possible and cold otherwise: see Kernel.Warm
// and Kernel.ColdReason.
func (s *Server) Launch(ctx context.Context, o Options) (*Kernel, error) {
	why := s.refuses(o)
	if why == "" {
		warm, cancel := context.WithTimeout(ctx, forkTimeout)
		defer cancel()
		k, err := s.fork(warm, o)
		if ctx.Err() != nil && err != nil {
			return nil, err
		}
		s.tried(err)
		if err == nil {
			return k, nil
		}
		why = "the forked kernel did not start: " + err.Error()
	}
	k, err := Launch(ctx, s.spec, o)
	if k != nil {
		k.cold = why
	}
	return k, err
}

// refuses returns why a kernel with these options cannot be forked, or nothing.
func (s *Server) refuses(o Options) string {
	s.mu.Lock()
	retired := s.retired
	s.mu.Unlock()
	if retired != "" {
		return retired
	}
	if name := difference(s.latched, latchedValues(o.Env)); name != "" {
		return name + " differs, which Python reads only when it starts"
	}
	return ""
}

// tried counts failures in a row.
func (s *Server) tried(err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if err == nil {
		s.failures = 0
		return
	}
	if s.failures++; s.failures >= failuresAllowed && s.retired == "" {
		s.retired = fmt.Sprintf("%d forked kernels in a row did not start", s.failures)
	}
}

// latched begins the names of variables that are read once, by the interpreter or by a
// library when it is imported.
var latched = []string{
	"PYTHON", "LD_", "OMP_", "OPENBLAS_", "GOTO_", "MKL_", "BLIS_", "VECLIB_", "NUMEXPR_", "KMP_", "MPL", "LC_", "LANG",
	"IPYTHON", "JUPYTER_", "XDG_", "CUDA_", "MALLOC_", "GLIBC_",
}

// difference names a variable that differs.
func difference(a, b map[string]string) string {
	for name, v := range a {
		if w, ok := b[name]; !ok || w != v {
			return name
		}
	}
	for name := range b {
		if _, ok := a[name]; !ok {
			return name
		}
	}
	return ""
}

func latchedValues(env []string) map[string]string {
	if env == nil {
		env = os.Environ()
	}
	m := map[string]string{}
	for _, kv := range env {
		name, v, _ := strings.Cut(kv, "=")
		if slices.ContainsFunc(latched, func(begin string) bool { return strings.HasPrefix(name, begin) }) {
			m[name] = v
		}
	}
	return m
}

// fork starts a kernel warm.
func (s *Server) fork(ctx context.Context, o Options) (*Kernel, error) {
	began := time.Now()
	dir, err := filepath.Abs(o.Dir) // "" is our own
	if err != nil {
		return nil, s.notForked(err)
	}
	if s.Mode == onPipe {
		return s.forkPiped(ctx, o, dir, began)
	}
	e, err := newEndpoint(s.spec.Name, false, "")
	if err != nil {
		return nil, err
	}
	log, err := proc.NewLog(o.Log)
	if err != nil {
		e.remove()
		return nil, err
	}
	p, err := s.proc.Fork(ctx, log, nil, e.id, e.file, dir, s.spec.Environ(o.Env))
	if err != nil {
		e.remove()
		return nil, s.notForked(err)
	}
	k, err := connect(ctx, s.spec, e, p, log, o.MemoryLimit, began)
	if k != nil {
		k.prefix, k.zmq = s.Prefix, s.ZMQ
	}
	return k, err
}

func (s *Server) notForked(err error) error {
	return &StartError{Spec: s.spec.Name, Reason: err.Error(), LogTail: s.proc.LogText()}
}

// Close ends the server and every kernel forked from it that still runs.
func (s *Server) Close() error {
	s.mu.Lock()
	s.retired = "the server is closed"
	s.mu.Unlock()
	s.proc.Close()
	return nil
}
