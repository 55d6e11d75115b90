package local

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"maps"
	"os"
	"path"
	"path/filepath"
	"runtime"
	"slices"
	"sync"

	"github.com/fanout-dev/fanout/internal/kernel"
	"github.com/fanout-dev/fanout/internal/kernel/kernelspec"
	"github.com/fanout-dev/fanout/internal/local/internal/ground"
	"github.com/fanout-dev/fanout/internal/runner"
	"github.com/fanout-dev/fanout/internal/sweep"
)

// A kind is a way to start kernels: the specification, the folder of the templates
// and, with a shared prefix, the template.
type kind struct{ name, source, template string }

// kernels starts the kernels of a sweep: forked from a warm server where that is
// possible, else cold; the next one while the current run executes.
type kernels struct {
	e      *executor
	recipe sweep.Recipe
	env    []string // what all kernels have in common
	ctx    context.Context
	cancel context.CancelFunc

	unpack sync.Once
	frozen string // folder of the frozen files
	broken error  // why they could not be unpacked

	grounds sync.Map // folder of templates → *ground.Ground

	idleMu sync.Mutex
	idle   []*workdir // that no run has changed, for those to come

	mu      sync.Mutex
	servers map[kind]*server
	queue   []string            // runs that have not been executed yet
	ready   map[string]*workdir // run → its working directory, with a kernel started ahead of time
	taken   map[string]bool     // runs that have been executed, or are
	closed  bool
	work    sync.WaitGroup
}

// A server is a warm server, or why there is none. The fields are valid once
// ready is closed.
type server struct {
	ready chan struct{}
	spec  kernelspec.Spec
	err   error // the specification cannot be found
	warm  *kernel.Server
	cold  string // why not warm

	dropped []string // modules that each kernel imports by itself, and why
	workdir *workdir // where the server is; nil if there is none
}

var errClosed = errors.New("start a kernel: the executor is closed")

func newKernels(ctx context.Context, e *executor, r sweep.Recipe) *kernels {
	k := &kernels{
		e: e, recipe: r, env: baseEnv(e.o.Environ, r.Env, runtime.GOMAXPROCS(0), e.o.Jobs),
		servers: map[kind]*server{}, queue: e.o.Queue, ready: map[string]*workdir{}, taken: map[string]bool{},
	}
	k.ctx, k.cancel = context.WithCancel(context.WithoutCancel(ctx))
	return k
}

// name is the kernel that the sweep sets for a run; empty is the template's own.
func (k *kernels) name(r sweep.Run) string {
	if s := k.e.sweep.SettingsOf(r); s.Kernel != "" {
		return s.Kernel
	}
	return k.recipe.Kernel
}

// workdir returns the working directory of an attempt.
func (k *kernels) workdir(run sweep.Run, t sweep.Template, n int) (*workdir, error) {
	k.mu.Lock()
	s := k.ready[run.ID]
	delete(k.ready, run.ID)
	k.taken[run.ID] = true
	k.mu.Unlock()
	if s != nil && s.n == n {
		return s, nil
	}
	if s != nil {
		k.release(s)
	}
	return k.newWorkdir(run, t, n)
}

func (k *kernels) newWorkdir(run sweep.Run, t sweep.Template, n int) (*workdir, error) {
	s, err := k.place(t.Path, len(k.e.sweep.Needed(run.ID)) > 0)
	if err != nil {
		return nil, fmt.Errorf("create a working directory: %w", err)
	}
	head, _ := k.e.sweep.Head()
	s.run, s.n = run.ID, n
	step, _ := head.Step(run.Template)
	s.keep = slices.Concat(k.recipe.Keep, step.Keep)
	s.env = runEnv(k.tempEnv(s), run.ID, n, head.AsOf, s.out)
	if len(head.Recipe.Secrets) > 0 {
		s.env = append(s.env, plainFrames)
	}
	s.kind = kind{name: k.kernelName(run, t), source: k.source(t.Path)}
	if k.recipe.SharePrefix {
		s.kind.template = t.Key
	}
	return s, nil
}

// source is the folder of a template.
func (k *kernels) source(template string) string {
	source := filepath.Dir(k.e.sweep.Resolve(template))
	if abs, err := filepath.Abs(source); err == nil {
		return abs
	}
	return source
}

// place creates a working directory for a template. That of a run that is fed holds
// copies: what it is fed is written by this process, which sees no overlay.
func (k *kernels) place(template string, fed bool) (*workdir, error) {
	frozen, err := k.frozenFiles()
	if err != nil {
		return nil, err
	}
	if dir := filepath.FromSlash(path.Dir(template)); filepath.IsLocal(dir) {
		frozen = filepath.Join(frozen, dir)
	}
	g := k.ground(k.source(template), frozen, fed)
	if s := k.reuse(g); s != nil {
		return s, nil
	}
	return newWorkdir(k.e.scratch.Path, k.e.temps.Path, g, k.recipe.Workdir == "shared", k.recipe.Keep)
}

// reuse returns a working directory of g that a run has left as it was.
func (k *kernels) reuse(g *ground.Ground) *workdir {
	k.idleMu.Lock()
	defer k.idleMu.Unlock()
	for i, s := range k.idle {
		if !s.of(g) {
			continue
		}
		k.idle = slices.Delete(k.idle, i, i+1)
		if s.untouched() {
			return s
		}
		s.remove() // the template's folder has changed since
		return nil
	}
	return nil
}

// release is the end of a run's use of a working directory. Its processes have ended.
func (k *kernels) release(s *workdir) {
	s.discardSpare()
	if !s.untouched() || s.log.Truncate(0) != nil {
		s.remove()
		return
	}
	s.log.Seek(0, io.SeekStart)
	k.idleMu.Lock()
	defer k.idleMu.Unlock()
	if len(k.idle) > 2*k.e.o.Jobs {
		k.idle[0].remove()
		k.idle = slices.Delete(k.idle, 0, 1)
	}
	k.idle = append(k.idle, s)
}

// tempEnv is the environment of all kernels, with temporary files in the working
// directory unless the sweep says where.
func (k *kernels) tempEnv(s *workdir) []string {
	if _, set := lookup(k.recipe.Env, "TMPDIR"); set || s.temp == "" {
		return k.env
	}
	return override(k.env, []string{"TMPDIR=" + s.temp})
}

// ground returns what the working directories of a template show.
func (k *kernels) ground(source, frozen string, fed bool) *ground.Ground {
	of := &ground.Ground{Source: source, Frozen: frozen, Base: k.e.scratch.Path}
	if !fed {
		of.Mount, of.Unmount = kernel.Overlay, kernel.Unmount
	}
	g, _ := k.grounds.LoadOrStore(groundKey{source, fed}, of)
	return g.(*ground.Ground)
}

// A groundKey is what folders of runs have in common.
type groundKey struct {
	source string
	fed    bool
}

// kernelName is the name of the specification to find.
func (k *kernels) kernelName(run sweep.Run, t sweep.Template) string {
	if n := k.name(run); n != "" {
		return n
	}
	_, doc, err := k.e.sweep.TemplateOf(k.ctx, run)
	if err != nil {
		return ""
	}
	n, _ := doc.Kernel()
	return n
}

// frozenFiles unpacks what is frozen with the sweep, once, read-only.
func (k *kernels) frozenFiles() (string, error) {
	k.unpack.Do(func() {
		dir := filepath.Join(k.e.scratch.Path, "files")
		if k.broken = os.Mkdir(dir, 0o700); k.broken != nil {
			return
		}
		if k.broken = k.e.sweep.Unpack(k.ctx, dir); k.broken != nil {
			return
		}
		k.broken = ground.Regular(dir, func(_, file string, _ fs.FileInfo) { os.Chmod(file, 0o444) })
		k.frozen = dir
	})
	return k.frozen, k.broken
}

// server finds the specification and serves it warm if possible. It does not wait
// for the server.
func (k *kernels) server(kd kind) *server {
	k.mu.Lock()
	defer k.mu.Unlock()
	s := k.servers[kd]
	if s != nil || k.closed {
		return s
	}
	s = &server{ready: make(chan struct{})}
	k.servers[kd] = s
	k.work.Add(1)
	go func() {
		defer k.work.Done()
		defer close(s.ready)
		k.serve(kd, s)
	}()
	return s
}

func (k *kernels) serve(kd kind, s *server) {
	spec, err := kernelspec.Finder{Python: k.e.python(k.recipe), Env: k.env}.Find(kd.name)
	if err != nil {
		s.err = err
		return
	}
	s.spec = spec.WithModules(k.e.modules)
	how := cmp.Or(k.e.o.Warm, k.recipe.Warm)
	if how == "off" || len(k.e.o.Queue) == 1 {
		return // for one run a cold kernel is as cheap
	}
	o := kernel.ServerOptions{Imports: k.recipe.Modules, Env: k.env, ZMQ: how == "zmq"}
	if s.err = k.prepare(kd, s, &o); s.err != nil {
		return
	}
	warm, err := kernel.Serve(k.ctx, s.spec, o)
	if err != nil {
		s.cold = reason(err)
		return
	}
	s.warm = warm
	s.dropped = warm.Dropped
	if warm.Refused != "" {
		s.dropped = append(s.dropped, warm.Refused)
	}
}

// prepare gives a server a working directory like those of its runs and, if prefixes
// are shared, the cells above the parameters of the template. What modules note of
// the directory is then known from what they note of others.
func (k *kernels) prepare(kd kind, s *server, o *kernel.ServerOptions) error {
	head, _ := k.e.sweep.Head()
	for _, t := range head.Templates {
		if k.source(t.Path) != kd.source || kd.template != "" && t.Key != kd.template {
			continue
		}
		var err error
		if s.workdir, err = k.place(t.Path, false); err != nil {
			return fmt.Errorf("create a working directory: %w", err)
		}
		o.Dir, o.Env = s.workdir.dir, k.tempEnv(s.workdir)
		if kd.template == "" {
			return nil
		}
		_, doc, err := k.e.sweep.TemplateOf(k.ctx, sweep.Run{Template: t.Slot})
		if err != nil {
			return err
		}
		o.Prefix, o.PrefixTimeout = runner.Prefix(doc), head.Recipe.Settings.CellTimeout
		return nil
	}
	return nil
}

func reason(err error) string {
	var refused *kernel.RefusedError
	if errors.As(err, &refused) {
		return refused.Reason
	}
	return err.Error()
}

// launch starts the kernel of a working directory. remarks are what about it is
// not warm although the sweep asks for it.
func (k *kernels) launch(ctx context.Context, s *workdir) (kn *kernel.Kernel, remarks []string, err error) {
	if sp := s.spare; sp != nil {
		s.spare = nil
		if kn := sp.take(ctx); kn != nil {
			return kn, sp.server.remarks(kn), nil
		}
	}
	srv := k.server(s.kind)
	if srv == nil {
		return nil, nil, errClosed
	}
	select {
	case <-srv.ready:
	case <-ctx.Done():
		return nil, nil, ctx.Err()
	}
	if srv.err != nil {
		return nil, nil, srv.err
	}
	if kn, err = srv.launch(ctx, k.options(s)); err != nil {
		return nil, nil, err
	}
	return kn, srv.remarks(kn), nil
}

// launch starts a kernel of a server whose fields are valid.
func (s *server) launch(ctx context.Context, o kernel.Options) (*kernel.Kernel, error) {
	if s.warm == nil {
		return kernel.Launch(ctx, s.spec, o)
	}
	return s.warm.Launch(ctx, o)
}

// remarks are what about a kernel is not warm although the sweep asks for it.
func (s *server) remarks(kn *kernel.Kernel) []string {
	if s.warm == nil {
		return coldRemarks(s.cold)
	}
	remarks := coldRemarks(kn.ColdReason())
	if s.warm.ZMQ != "" {
		remarks = append(remarks, "kernels start over ZeroMQ, which takes longer: "+s.warm.ZMQ)
	}
	for _, d := range s.dropped {
		remarks = append(remarks, "not shared by warm kernels: "+d)
	}
	return remarks
}

func coldRemarks(why string) []string {
	if why == "" {
		return nil
	}
	return []string{"kernels start cold: " + why}
}

func (k *kernels) options(s *workdir) kernel.Options {
	settings := sweep.Settings{}
	if st, ok := k.e.sweep.Run(s.run); ok {
		settings = k.e.sweep.SettingsOf(st.Run)
	}
	return kernel.Options{Dir: s.dir, Env: s.env, Log: s.log, StartTimeout: settings.StartTimeout, MemoryLimit: settings.Memory}
}

// A spare is a kernel started ahead of time, or starting, for a run to come.
type spare struct {
	server *server
	done   chan struct{}
	cancel context.CancelFunc
	kernel *kernel.Kernel // valid once done; nil if it did not start
}

// take waits for the kernel. It returns nil if the kernel did not start: starting
// another one shows why.
func (s *spare) take(ctx context.Context) *kernel.Kernel {
	select {
	case <-s.done:
	case <-ctx.Done():
		s.discard()
		return nil
	}
	s.cancel()
	if s.kernel == nil {
		return nil
	}
	select {
	case <-s.kernel.Done():
		s.kernel.Close(0)
		return nil
	default:
		return s.kernel
	}
}

// discard ends a kernel that is not needed.
func (s *spare) discard() {
	s.cancel()
	<-s.done
	if s.kernel != nil {
		s.kernel.Close(0)
	}
}

// ahead starts the next kernel, for the run that is probably next.
func (k *kernels) ahead() {
	k.mu.Lock()
	defer k.mu.Unlock()
	if k.closed || len(k.ready) >= k.e.o.Jobs {
		return
	}
	for len(k.queue) > 0 {
		id := k.queue[0]
		k.queue = k.queue[1:]
		if k.taken[id] || k.ready[id] != nil || k.e.sweep.Waits(id) != "" {
			continue
		}
		if s := k.reserve(id); s != nil {
			k.ready[id] = s
		}
		return
	}
}

// reserve creates a working directory and begins to start its kernel.
func (k *kernels) reserve(id string) *workdir {
	st, ok := k.e.sweep.Run(id)
	if !ok {
		return nil
	}
	t, _, err := k.e.sweep.TemplateOf(k.ctx, st.Run)
	if err != nil {
		return nil
	}
	s, err := k.newWorkdir(st.Run, t, st.Attempts+1)
	if err != nil {
		return nil
	}
	srv := k.known(s.kind)
	if srv == nil {
		k.release(s)
		return nil
	}
	ctx, cancel := context.WithCancel(k.ctx)
	sp := &spare{server: srv, done: make(chan struct{}), cancel: cancel}
	s.spare = sp
	o := k.options(s)
	k.work.Add(1)
	go func() {
		defer k.work.Done()
		defer close(sp.done)
		sp.kernel, _ = srv.launch(ctx, o) // a failure shows when the run itself tries
	}()
	return s
}

// known returns the server of a kind, unless it is still starting or has failed.
func (k *kernels) known(kd kind) *server {
	srv := k.servers[kd]
	if srv == nil {
		return nil
	}
	select {
	case <-srv.ready:
	default:
		return nil
	}
	if srv.err != nil {
		return nil
	}
	return srv
}

// close ends servers and kernels that were started ahead of time.
func (k *kernels) close() {
	k.mu.Lock()
	k.closed = true
	ready, servers := k.ready, k.servers
	k.ready = map[string]*workdir{}
	k.mu.Unlock()
	k.cancel()
	for _, s := range append(slices.Collect(maps.Values(ready)), k.idle...) {
		s.remove()
	}
	k.work.Wait()
	for _, s := range servers {
		if s.warm != nil {
			s.warm.Close()
		}
		if s.workdir != nil {
			s.workdir.remove()
		}
	}
}
