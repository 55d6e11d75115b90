// Package forkserver runs a Python process from which kernels are forked warm.
//
// In go an interpreter, what it should prepare, and for each kernel a connection
// file, a directory and an environment; out come processes. The other side of
// the protocol, JSON lines on a socket, is server.py, which has the reasons.
//
// It promises that no forked process outlives its server and that each is
// reported as ended exactly once, also when the server dies or hangs. It does
// not decide what is safe to fork: package kernel does.
package forkserver

import (
	"bufio"
	"context"
	_ "embed"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"slices"
	"strings"
	"sync"
	"syscall"
	"time"

	"golang.org/x/sys/unix"

	"github.com/fanout-dev/fanout/internal/kernel/internal/proc"
	"github.com/fanout-dev/fanout/internal/kernel/internal/wire"
)

//go:embed server.py
var serverSource string

// What server.py uses: random numbers, and names of directories.
var (
	//go:embed generators.py
	generatorsSource string
	//go:embed places.py
	placesSource string
)

//go:embed pipe.py
var pipeSource string

// bootstrap runs the source at descriptor 4: neither a file nor a command line
// shows it. PIPE is the source of what only a kernel without ZeroMQ needs.
const bootstrap = `s, PIPE = open(4, "rb").read().split(b"\0"); exec(compile(s, "<fanout>", "exec"))`

const (
	// writeTimeout bounds waiting for a server that does not read.
	writeTimeout = 5 * time.Second
	// killTimeout is how long a server may take to kill a kernel.
	killTimeout = 2 * time.Second
)

// A Server is a process that runs server.py. Its methods may be called by any
// goroutine.
type Server struct {
	id   string
	proc *proc.Child
	conn *net.UnixConn
	log  *proc.Log
	gone chan struct{} // the connection has ended

	send sync.Mutex // one request at a time, its descriptor just before it

	mu       sync.Mutex
	next     int
	waiting  map[int]chan notice // answers to fork requests
	output   []wire.Message      // of the cell that runs
	answers  chan notice         // to all other requests, one at a time
	children map[int]*Child
	asking   sync.Mutex
}

// unsigned decodes what the server hands over on its own socket.
var unsigned = wire.NewCodec(nil)

type request map[string]any

// A notice is a message of the server; Op defines which fields are set.
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
	Module    string            `json:"module"`
	Channel   string            `json:"channel"`
	Frames    [][]byte          `json:"frames"`
	child     *Child
}

var errServerGone = errors.New("the server has ended")

// Start runs server.py in an interpreter, argv, whose own output is copied to
// log, which may be nil. The interpreter gets its end of a socket as descriptor 3
// and the source as descriptor 4.
func Start(argv, env []string, dir string, log *os.File) (*Server, error) {
	conn, theirs, err := SocketPair()
	if err != nil {
		return nil, fmt.Errorf("create a socket for the server: %w", err)
	}
	defer theirs.Close()
	source, feed, err := os.Pipe()
	if err != nil {
		conn.Close()
		return nil, fmt.Errorf("create a pipe for the server: %w", err)
	}
	defer source.Close()
	s := &Server{
		id: proc.NewID(), conn: conn, gone: make(chan struct{}),
		waiting: map[int]chan notice{}, answers: make(chan notice, 1), children: map[int]*Child{},
	}
	if s.log, err = proc.NewLog(log); err == nil {
		argv = append(slices.Clip(argv), "-c", bootstrap)
		s.proc, err = proc.Start(s.id, argv, env, dir, s.log, theirs, source)
	}
	if err != nil {
		feed.Close()
		conn.Close()
		return nil, err
	}
	go func() {
		io.WriteString(feed, generatorsSource+placesSource+serverSource+"\x00"+pipeSource)
		feed.Close()
	}()
	go s.read()
	return s, nil
}

// SocketPair returns our end of a socket and a child's.
func SocketPair() (ours *net.UnixConn, theirs *os.File, err error) {
	syscall.ForkLock.RLock()
	fds, err := unix.Socketpair(unix.AF_UNIX, unix.SOCK_STREAM, 0)
	if err != nil {
		syscall.ForkLock.RUnlock()
		return nil, nil, err
	}
	unix.CloseOnExec(fds[0])
	unix.CloseOnExec(fds[1])
	syscall.ForkLock.RUnlock()
	file := os.NewFile(uintptr(fds[0]), "ours")
	theirs = os.NewFile(uintptr(fds[1]), "theirs")
	defer file.Close()
	c, err := net.FileConn(file)
	if err != nil {
		theirs.Close()
		return nil, nil, err
	}
	return c.(*net.UnixConn), theirs, nil
}

// read delivers notices until the connection ends.
func (s *Server) read() {
	r := bufio.NewReaderSize(s.conn, 64<<10)
	for {
		line, err := r.ReadBytes('\n')
		if err != nil {
			break
		}
		var n notice
		if json.Unmarshal(line, &n) == nil {
			s.deliver(n)
		}
	}
	s.finish()
}

func (s *Server) deliver(n notice) {
	s.mu.Lock()
	defer s.mu.Unlock()
	switch n.Op {
	case "forked":
		k := &Child{server: s, number: n.Pid, size: proc.Footprint{RSS: n.RSS, Anon: n.Anon}, done: make(chan struct{})}
		s.children[n.Pid] = k
		proc.Forked(n.Pid)
		if c := s.waiting[n.Req]; c != nil {
			delete(s.waiting, n.Req)
			n.child = k
			c <- n
		} else { // no longer wanted
			go k.Signal(syscall.SIGKILL)
		}
	case "exit":
		if k := s.children[n.Pid]; k != nil {
			delete(s.children, n.Pid)
			k.finish(proc.Ending{Code: n.Code, Signal: syscall.Signal(n.Signal), CPU: time.Duration(n.CPU * float64(time.Second)), MaxRSS: n.MaxRSS})
		}
	case "message":
		if m, err := unsigned.Clone().Decode(n.Frames); err == nil {
			m.Channel, m.Received = n.Channel, time.Now()
			s.output = append(s.output, m)
		}
	default:
		select {
		case s.answers <- n:
		default:
		}
	}
}

// finish is the end of all kernels of a server that has ended: the operating
// system kills them.
func (s *Server) finish() {
	s.conn.Close()
	s.proc.Signal(syscall.SIGKILL)
	<-s.proc.Reaped()
	s.log.Finish()
	s.mu.Lock()
	children := s.children
	s.children = map[int]*Child{}
	close(s.gone)
	s.mu.Unlock()
	for pid, k := range children {
		for range 500 {
			if syscall.Kill(pid, syscall.SIGKILL) == syscall.ESRCH {
				break
			}
			time.Sleep(2 * time.Millisecond)
		}
		k.finish(proc.Ending{Code: -1, Signal: syscall.SIGKILL})
	}
}

// Close ends the process and waits for it and its children.
func (s *Server) Close() {
	s.conn.CloseWrite()
	if !proc.WaitFor(s.gone, 2*time.Second) {
		s.proc.Signal(syscall.SIGKILL)
		<-s.gone
	}
	proc.KillMarked(s.id)
}

// write sends a request; files, if any, go with a separate byte before it.
func (s *Server) write(r request, files ...*os.File) error {
	b, err := json.Marshal(r)
	if err != nil {
		return err
	}
	s.send.Lock()
	defer s.send.Unlock()
	s.conn.SetWriteDeadline(time.Now().Add(writeTimeout)) // it may be stuck
	if len(files) > 0 {
		var fds []int
		for _, f := range files {
			fds = append(fds, int(f.Fd()))
		}
		if _, _, err := s.conn.WriteMsgUnix([]byte{0}, unix.UnixRights(fds...), nil); err != nil {
			return fmt.Errorf("%w: %w", errServerGone, err)
		}
	}
	if _, err := s.conn.Write(append(b, '\n')); err != nil {
		return fmt.Errorf("%w: %w", errServerGone, err)
	}
	return nil
}

// ask sends a request that is not a fork and waits for its answer.
func (s *Server) ask(ctx context.Context, r request, answer string) (notice, error) {
	s.asking.Lock()
	defer s.asking.Unlock()
	if err := s.write(r); err != nil {
		return notice{}, s.ended(err)
	}
	for {
		select {
		case n := <-s.answers:
			if n.Op == answer {
				return n, nil
			}
		case <-s.gone:
			return notice{}, s.ended(errServerGone)
		case <-ctx.Done():
			return notice{}, fmt.Errorf("the server was busy with %q: %w", r["op"], ctx.Err())
		}
	}
}

// ended adds to err what the server wrote last, if it has ended.
func (s *Server) ended(err error) error {
	if !proc.WaitFor(s.gone, time.Second) {
		return err
	}
	return fmt.Errorf("%w: %s", errServerGone, proc.LastLine(s.log.Text()))
}

// Fork forks a child for the kernel id, which works in dir with environment env.
// It reads its connection file, or its channels are pipe, its end of a socket, if
// the server was prepared for that. What it writes goes to log, which Fork
// discards if it fails.
func (s *Server) Fork(ctx context.Context, log *proc.Log, pipe *os.File, id, connectionFile, dir string, env []string) (*Child, error) {
	files := []*os.File{log.File()}
	if pipe != nil {
		files = append(files, pipe)
	}
	k, err := s.fork(ctx, files, request{
		"op": "fork", "connection_file": connectionFile, "cwd": dir, "id": id, "env": variables(proc.Marked(env, id)),
	})
	if err != nil {
		log.Discard()
		return nil, err
	}
	proc.Tag(k.Pid(), id)
	select {
	case <-k.done: // already
		proc.Gone(k.Pid())
	default:
	}
	log.Read()
	return k, nil
}

func variables(env []string) map[string]string {
	m := make(map[string]string, len(env))
	for _, kv := range env {
		if name, v, ok := strings.Cut(kv, "="); ok {
			m[name] = v
		}
	}
	return m
}

func (s *Server) fork(ctx context.Context, files []*os.File, r request) (*Child, error) {
	c := make(chan notice, 1)
	s.mu.Lock()
	s.next++
	n := s.next
	s.waiting[n] = c
	s.mu.Unlock()
	r["req"] = n
	err := s.write(r, files...)
	if err == nil {
		select {
		case answer := <-c:
			return answer.child, nil
		case <-s.gone:
			err = s.ended(errServerGone)
		case <-ctx.Done():
			err = ctx.Err()
		}
	}
	s.mu.Lock()
	delete(s.waiting, n)
	s.mu.Unlock()
	select { // it came at the last moment
	case answer := <-c:
		answer.child.Signal(syscall.SIGKILL)
	default:
	}
	return nil, err
}
