package kernel

import (
	"bufio"
	"context"
	_ "embed"
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"regexp"
	"runtime"
	"slices"
	"strings"
	"sync"
	"syscall"
	"time"

	"golang.org/x/sys/unix"
)

//go:embed server.py
var serverSource []byte

// ServerOptions say what a Server prepares for the kernels it forks.
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
}

const (
	defaultServeTimeout = 2 * time.Minute
	// forkTimeout is how long a forked kernel may take to answer: a hundred
	// times what it takes.
	forkTimeout = 10 * time.Second
	// writeTimeout bounds waiting for a server that does not read.
	writeTimeout = 5 * time.Second
	// killTimeout is how long a server may take to kill a kernel.
	killTimeout = 2 * time.Second
	// failuresAllowed in a row; then the server is trusted no more.
	failuresAllowed = 2
	// redoLimit bounds how often a server is started anew without a module.
	redoLimit = 4
)

// RefusedError says in one line why kernels cannot be started warm. They can
// be started cold.
type RefusedError struct{ Reason string }

func (e *RefusedError) Error() string { return "no warm start: " + e.Reason }

// A Server is a process from which kernels are forked. It is safe for
// concurrent use.
type Server struct {
	spec Spec
	env  []string
	dir  string

	proc    *forker
	limit   time.Duration
	Mode    string       // K, S, W or A: how much of a kernel is made before the fork
	Dropped []string     // modules that are left to the kernels, with the reason
	Prefix  []PrefixCell // the leading cells that are shared
	Refused string       // why no more cells are; empty when all of them are

	mu       sync.Mutex
	failures int
	retired  string
}

// modes in the order of preference; see server.py.
var modes = []string{"K", "S", "W", "A"}

// worked remembers the first mode that did, by interpreter.
var worked sync.Map

// Serve starts a server for ipykernel and proves with one kernel that it
// works. The error is a *RefusedError where that cannot be; the caller then
// uses Launch.
func Serve(ctx context.Context, spec Spec, o ServerOptions) (*Server, error) {
	python, flags, extra, err := pythonArgs(spec)
	if err != nil {
		return nil, err
	}
	limit := o.Timeout
	if limit <= 0 {
		limit = defaultServeTimeout
	}
	s := &Server{spec: spec, env: o.Env, dir: o.Dir, limit: limit}
	argv := slices.Concat([]string{python}, flags, []string{"-c", bootstrap})
	var last error
	for _, mode := range modesFor(python) {
		if last = s.prepare(ctx, argv, extra, mode, o); last == nil {
			worked.Store(python, mode)
			return s, nil
		}
		if ctx.Err() != nil {
			break
		}
	}
	if errors.As(last, new(*RefusedError)) {
		return nil, last
	}
	return nil, &RefusedError{Reason: strings.Join(strings.Fields(last.Error()), " ")}
}

// bootstrap runs the source at descriptor 4: neither a file nor a command line
// shows it.
const bootstrap = `exec(compile(open(4, "rb").read(), "<fanout>", "exec"))`

func modesFor(python string) []string {
	if m, ok := worked.Load(python); ok {
		return modes[slices.Index(modes, m.(string)):]
	}
	return modes
}

var pythonProgram = regexp.MustCompile(`^(python|pypy)[0-9.]*t?$`)

// pythonArgs takes a specification apart: interpreter, its flags, and what is
// meant for the kernel's application.
func pythonArgs(spec Spec) (python string, flags, extra []string, err error) {
	if runtime.GOOS != "linux" {
		return "", nil, nil, &RefusedError{Reason: "only Linux can fork Python safely"}
	}
	if !spec.ipykernel() || !pythonProgram.MatchString(filepath.Base(spec.Argv[0])) {
		return "", nil, nil, &RefusedError{Reason: fmt.Sprintf("kernel %q is not a plain ipykernel", spec.Name)}
	}
	at := slices.Index(spec.Argv, "-m")
	for _, f := range spec.Argv[1:at] {
		if !strings.HasPrefix(f, "-") {
			return "", nil, nil, &RefusedError{Reason: fmt.Sprintf("kernel %q starts Python in an unusual way", spec.Name)}
		}
	}
	rest := spec.Argv[at+2:]
	for i := 0; i < len(rest); i++ {
		switch {
		case (rest[i] == "-f" || rest[i] == "--f") && i+1 < len(rest):
			i++
		case strings.Contains(rest[i], "{connection_file}"):
		default:
			extra = append(extra, rest[i])
		}
	}
	return spec.Argv[0], spec.Argv[1:at], append(extra, memoryHistory), nil
}

// prepare brings a process up in one mode. What a module or a cell has done
// cannot be undone: the process is started anew without it.
func (s *Server) prepare(ctx context.Context, argv, extra []string, mode string, o ServerOptions) error {
	s.Mode, s.Dropped, s.Refused = mode, nil, ""
	imports, cells := o.Imports, o.Prefix
	for range redoLimit {
		f, err := startForker(s.spec.environ(o.Env, ""), argv, o)
		if err != nil {
			return err
		}
		s.proc = f
		bad, err := s.warmUp(ctx, extra, mode, imports)
		if err == nil && len(bad) == 0 {
			why := s.runPrefix(ctx, cells, o.PrefixTimeout)
			if why == "" {
				return nil
			}
			s.Refused = why
			cells = cells[:len(s.Prefix)]
		}
		f.close()
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

// warmUp follows the order that is known to be safe: start, probe, imports.
// It returns the modules that spoilt the process.
func (s *Server) warmUp(ctx context.Context, extra []string, mode string, imports []string) (bad []string, err error) {
	ctx, cancel := context.WithTimeout(ctx, s.limit)
	defer cancel()
	r, err := s.proc.ask(ctx, request{"op": "start", "mode": mode, "argv": extra}, "ready")
	if err != nil {
		return nil, err
	}
	if r.Threads != 0 {
		return nil, &RefusedError{Reason: fmt.Sprintf("ipykernel %s leaves %d threads before any kernel is started", r.IPykernel, r.Threads)}
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

// imports has modules imported and returns those that must not have been.
func (s *Server) imports(ctx context.Context, modules []string, quiet bool) ([]string, error) {
	if modules == nil {
		return nil, nil
	}
	r, err := s.proc.ask(ctx, request{"op": "import", "modules": modules, "directory": s.dir, "quiet": quiet}, "imported")
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
		s.Dropped = append(s.Dropped, m+": it starts threads when it is imported")
	}
	if r.Threads > 0 && len(r.Suspects) == 0 {
		return nil, &RefusedError{Reason: fmt.Sprintf("%d threads are left before any kernel is started", r.Threads)}
	}
	return append(r.Noisy, r.Suspects...), nil
}

// probeCell uses what a first cell imports, and says what that was.
const probeCell = `import sys, json
from IPython.display import display, HTML
display(HTML("<b>1</b>"))
print(json.dumps(sorted(sys.modules)), file=sys.stderr)`

// probe runs one kernel to the end and returns the modules it imported by
// itself: the next ones find them there.
func (s *Server) probe(ctx context.Context) ([]string, error) {
	ctx, cancel := context.WithTimeout(ctx, forkTimeout)
	defer cancel()
	k, err := s.fork(ctx, Options{Dir: os.TempDir(), Env: s.env})
	if err != nil {
		return nil, fmt.Errorf("the first forked kernel did not start: %w", err)
	}
	defer k.Close(0)
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
		return nil, fmt.Errorf("the first forked kernel said %s: %s", r.Ename, r.Evalue)
	case json.Unmarshal([]byte(lastLine(text.String())), &modules) != nil:
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

// notByName drops what is no module to import by name.
func notByName(m string) bool {
	return m == "__main__" || m == "__mp_main__" || strings.HasPrefix(m, "debugpy") || strings.HasPrefix(m, "_pydev")
}

// Launch starts a kernel, warm if it can be and cold otherwise: Kernel.Warm
// says which, Kernel.ColdReason why.
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
		why = "the forked kernel did not come up: " + err.Error()
	}
	k, err := Launch(ctx, s.spec, o)
	if k != nil {
		k.cold = why
	}
	return k, err
}

// refuses says why a kernel with these options cannot be forked, or nothing.
func (s *Server) refuses(o Options) string {
	s.mu.Lock()
	retired := s.retired
	s.mu.Unlock()
	if retired != "" {
		return retired
	}
	if name := latchedDifference(s.env, o.Env); name != "" {
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
		s.retired = fmt.Sprintf("%d forked kernels in a row did not come up", s.failures)
	}
}

// latched matches variables that are read once, by the interpreter or by a
// library when it is imported.
var latched = regexp.MustCompile(`^(PYTHON|LD_|OMP_|OPENBLAS_|GOTO_|MKL_|BLIS_|VECLIB_|NUMEXPR_|KMP_|MPL|LC_|LANG|IPYTHON|JUPYTER_|XDG_|CUDA_|MALLOC_|GLIBC_)`)

// latchedDifference names a variable that is read once and differs.
func latchedDifference(a, b []string) string {
	x, y := latchedValues(a), latchedValues(b)
	for name, v := range x {
		if w, ok := y[name]; !ok || w != v {
			return name
		}
	}
	for name := range y {
		if _, ok := x[name]; !ok {
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
		if name, v, _ := strings.Cut(kv, "="); latched.MatchString(name) {
			m[name] = v
		}
	}
	return m
}

// fork starts a kernel warm.
func (s *Server) fork(ctx context.Context, o Options) (*Kernel, error) {
	began := time.Now()
	e, err := newEndpoint(s.spec.Name, false, "")
	if err != nil {
		return nil, err
	}
	log, err := newLogPipe(o.Log)
	if err != nil {
		e.remove()
		return nil, fmt.Errorf("make a pipe for the log: %w", err)
	}
	dir := o.Dir
	if dir == "" {
		dir, err = os.Getwd()
	} else {
		dir, err = filepath.Abs(dir)
	}
	var p *forked
	if err == nil {
		p, err = s.proc.fork(ctx, log.w, request{
			"connection_file": e.file, "cwd": dir, "id": e.id, "env": envMap(s.spec.environ(o.Env, e.id)),
		})
	}
	if err != nil {
		log.discard()
		e.remove()
		return nil, &StartError{Spec: s.spec.Name, Reason: err.Error(), LogTail: s.proc.log.text()}
	}
	log.start()
	k, err := connect(ctx, s.spec, e, p, log, o.MemoryLimit, began)
	if k != nil {
		k.prefix = s.Prefix
	}
	return k, err
}

func envMap(env []string) map[string]string {
	m := make(map[string]string, len(env))
	for _, kv := range env {
		if name, v, ok := strings.Cut(kv, "="); ok {
			m[name] = v
		}
	}
	return m
}

// Close ends the server and every kernel forked from it that still runs.
func (s *Server) Close() error {
	s.mu.Lock()
	s.retired = "the server is closed"
	s.mu.Unlock()
	s.proc.close()
	return nil
}

// A forker is one process running server.py.
type forker struct {
	id   string
	proc *child
	conn *net.UnixConn
	log  *logPipe
	gone chan struct{} // the connection has ended

	send sync.Mutex // one request at a time, its descriptor just before it

	mu      sync.Mutex
	next    int
	waiting map[int]chan notice // answers to fork requests
	heard   []Message           // of the prefix cell that runs
	answers chan notice         // to all other requests, one at a time
	kids    map[int]*forked
	asking  sync.Mutex
}

type request map[string]any

// A notice is what the server says; Op tells which fields are there.
type notice struct {
	Op        string            `json:"op"`
	Req       int               `json:"req"`
	Pid       int               `json:"pid"`
	RSS       int64             `json:"rss"`
	Anon      int64             `json:"anon"`
	Code      int               `json:"code"`
	Signal    int               `json:"signal"`
	CPU       float64           `json:"cpu"`
	MaxRSS    int64             `json:"maxrss"`
	Threads   int               `json:"threads"`
	IPykernel string            `json:"ipykernel"`
	Failed    map[string]string `json:"failed"`
	Noisy     []string          `json:"noisy"`
	Suspects  []string          `json:"suspects"`
	Why       string            `json:"why"`
	Channel   string            `json:"channel"`
	Frames    [][]byte          `json:"frames"`
	kid       *forked
}

var errServerGone = errors.New("the server has ended")

// startForker starts the interpreter with its end of a socket as descriptor 3
// and the source as descriptor 4.
func startForker(env, argv []string, o ServerOptions) (*forker, error) {
	syscall.ForkLock.RLock()
	fds, err := unix.Socketpair(unix.AF_UNIX, unix.SOCK_STREAM, 0)
	if err != nil {
		syscall.ForkLock.RUnlock()
		return nil, fmt.Errorf("make a socket for the server: %w", err)
	}
	unix.CloseOnExec(fds[0])
	unix.CloseOnExec(fds[1])
	syscall.ForkLock.RUnlock()
	ours, theirs := os.NewFile(uintptr(fds[0]), "server"), os.NewFile(uintptr(fds[1]), "owner")
	defer ours.Close()
	defer theirs.Close()
	c, err := net.FileConn(ours)
	if err != nil {
		return nil, fmt.Errorf("make a socket for the server: %w", err)
	}
	log, err := newLogPipe(o.Log)
	if err != nil {
		c.Close()
		return nil, fmt.Errorf("make a pipe for the log: %w", err)
	}
	source, feed, err := os.Pipe()
	if err != nil {
		c.Close()
		log.discard()
		return nil, fmt.Errorf("make a pipe for the server: %w", err)
	}
	f := &forker{
		id: newID(), conn: c.(*net.UnixConn), log: log, gone: make(chan struct{}),
		waiting: map[int]chan notice{}, answers: make(chan notice, 1), kids: map[int]*forked{},
	}
	env = mergeEnv(env, map[string]string{Marker: f.id})
	f.proc, err = startChild(f.id, argv, env, o.Dir, log.w, []*os.File{theirs, source})
	source.Close()
	if err != nil {
		feed.Close()
		c.Close()
		log.discard()
		return nil, err
	}
	log.start()
	go func() {
		feed.Write(serverSource)
		feed.Close()
	}()
	go f.read()
	return f, nil
}

// read delivers notices until the connection ends.
func (f *forker) read() {
	r := bufio.NewReaderSize(f.conn, 64<<10)
	for {
		line, err := r.ReadBytes('\n')
		if err != nil {
			break
		}
		var n notice
		if json.Unmarshal(line, &n) == nil {
			f.deliver(n)
		}
	}
	f.bury()
}

func (f *forker) deliver(n notice) {
	f.mu.Lock()
	defer f.mu.Unlock()
	switch n.Op {
	case "forked":
		k := &forked{forker: f, number: n.Pid, size: footprint{n.RSS, n.Anon}, done: make(chan struct{})}
		f.kids[n.Pid] = k
		keep.note("add", fmt.Sprint(n.Pid))
		if c := f.waiting[n.Req]; c != nil {
			delete(f.waiting, n.Req)
			n.kid = k
			c <- n
		} else { // nobody waits any more
			go k.signal(syscall.SIGKILL)
		}
	case "exit":
		if k := f.kids[n.Pid]; k != nil {
			delete(f.kids, n.Pid)
			k.finish(ending{code: n.Code, signal: syscall.Signal(n.Signal), cpu: time.Duration(n.CPU * float64(time.Second)), maxRSS: n.MaxRSS})
		}
	case "message":
		if m, err := unsigned.Clone().Decode(n.Frames); err == nil {
			m.Channel, m.Received = n.Channel, time.Now()
			f.heard = append(f.heard, m)
		}
	default:
		select {
		case f.answers <- n:
		default:
		}
	}
}

// bury is the end of all kernels of a server that has ended: the operating
// system kills them.
func (f *forker) bury() {
	f.conn.Close()
	f.proc.signal(syscall.SIGKILL)
	<-f.proc.reaped()
	f.log.finish()
	f.mu.Lock()
	kids := f.kids
	f.kids = map[int]*forked{}
	close(f.gone)
	f.mu.Unlock()
	for pid, k := range kids {
		for range 500 {
			if syscall.Kill(-pid, syscall.SIGKILL) == syscall.ESRCH {
				break
			}
			time.Sleep(2 * time.Millisecond)
		}
		k.finish(ending{code: -1, signal: syscall.SIGKILL})
	}
}

// close ends the process and waits for it and its children.
func (f *forker) close() {
	f.conn.CloseWrite()
	if !waitFor(f.gone, 2*time.Second) {
		f.proc.signal(syscall.SIGKILL)
		<-f.gone
	}
	KillMarked(f.id)
}

// write sends a request; file, if any, goes with a byte of its own before it.
func (f *forker) write(r request, file *os.File) error {
	b, err := json.Marshal(r)
	if err != nil {
		return err
	}
	f.send.Lock()
	defer f.send.Unlock()
	f.conn.SetWriteDeadline(time.Now().Add(writeTimeout)) // it may be stuck
	if file != nil {
		if _, _, err := f.conn.WriteMsgUnix([]byte{0}, unix.UnixRights(int(file.Fd())), nil); err != nil {
			return fmt.Errorf("%w: %w", errServerGone, err)
		}
	}
	if _, err := f.conn.Write(append(b, '\n')); err != nil {
		return fmt.Errorf("%w: %w", errServerGone, err)
	}
	return nil
}

// ask sends a request that is not a fork and waits for its answer.
func (f *forker) ask(ctx context.Context, r request, answer string) (notice, error) {
	f.asking.Lock()
	defer f.asking.Unlock()
	if err := f.write(r, nil); err != nil {
		return notice{}, f.ended(err)
	}
	for {
		select {
		case n := <-f.answers:
			if n.Op == answer {
				return n, nil
			}
		case <-f.gone:
			return notice{}, f.ended(errServerGone)
		case <-ctx.Done():
			return notice{}, fmt.Errorf("the server was busy with %q: %w", r["op"], ctx.Err())
		}
	}
}

// ended adds to err what the server wrote last, if it has ended.
func (f *forker) ended(err error) error {
	if !waitFor(f.gone, time.Second) {
		return err
	}
	return fmt.Errorf("%w: %s", errServerGone, lastLine(f.log.text()))
}

// fork asks for a child.
func (f *forker) fork(ctx context.Context, log *os.File, r request) (*forked, error) {
	c := make(chan notice, 1)
	f.mu.Lock()
	f.next++
	n := f.next
	f.waiting[n] = c
	f.mu.Unlock()
	r["op"], r["req"] = "fork", n
	err := f.write(r, log)
	if err == nil {
		select {
		case answer := <-c:
			return answer.kid, nil
		case <-f.gone:
			err = f.ended(errServerGone)
		case <-ctx.Done():
			err = ctx.Err()
		}
	}
	f.mu.Lock()
	delete(f.waiting, n)
	f.mu.Unlock()
	select { // it came at the last moment
	case answer := <-c:
		answer.kid.signal(syscall.SIGKILL)
	default:
	}
	return nil, err
}

// A forked is a kernel process whose parent is a forker.
type forked struct {
	forker *forker
	number int
	size   footprint
	once   sync.Once
	done   chan struct{}
	how    ending
}

func (k *forked) pid() int                { return k.number }
func (k *forked) reaped() <-chan struct{} { return k.done }
func (k *forked) ended() ending           { return k.how }
func (k *forked) baseline() footprint     { return k.size }

// signal goes through the server, which alone knows whether the number still
// means this process. A server that does not do it is stuck, and has not reaped
// the process either.
func (k *forked) signal(s syscall.Signal) {
	err := k.forker.write(request{"op": "kill", "pid": k.number, "sig": int(s)}, nil)
	if s != syscall.SIGKILL {
		return
	}
	go func() {
		if err == nil && waitFor(k.done, killTimeout) {
			return
		}
		select {
		case <-k.done:
		case <-k.forker.gone: // bury sees to it
		default:
			syscall.Kill(-k.number, syscall.SIGKILL)
			if !waitFor(k.done, killTimeout) {
				k.finish(ending{code: -1, signal: syscall.SIGKILL})
			}
		}
	}()
}

func (k *forked) finish(e ending) {
	k.once.Do(func() {
		k.how = e
		keep.note("drop", fmt.Sprint(k.number))
		close(k.done)
	})
}
