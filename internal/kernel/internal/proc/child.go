package proc

import (
	"os"
	"os/exec"
	"sync"
	"syscall"

	"github.com/fanout-dev/fanout/internal/kernel/internal/environ"
)

// A Child is a process that this process started.
type Child struct {
	cmd  *exec.Cmd
	done chan struct{}
	how  Ending
	mu   sync.Mutex // guards over against signals to a pid that may be another's
	over bool
}

func (c *Child) Pid() int                { return c.cmd.Process.Pid }
func (c *Child) Reaped() <-chan struct{} { return c.done }
func (c *Child) Ended() Ending           { return c.how }
func (c *Child) Baseline() Footprint     { return Footprint{} }

func (c *Child) Signal(s syscall.Signal) {
	c.mu.Lock()
	defer c.mu.Unlock()
	switch {
	case c.over:
	case s == syscall.SIGKILL: // the others when it has been reaped
		syscall.Kill(c.Pid(), s)
	default:
		syscall.Kill(-c.Pid(), s)
	}
}

// Start starts argv as the leader of a new session, bound to the life of this
// process and marked with id. What it writes to its standard output and error
// goes to log, which Start discards if it fails. extra are its descriptors from
// 3 on.
func Start(id string, argv, env []string, dir string, log *Log, extra ...*os.File) (*Child, error) {
	c, err := start(id, argv, env, dir, log.w, extra)
	if err != nil {
		log.Discard()
		return nil, err
	}
	log.Read()
	return c, nil
}

func start(id string, argv, env []string, dir string, out *os.File, extra []*os.File) (*Child, error) {
	path, err := environ.LookPath(argv[0], env)
	if err != nil {
		return nil, err
	}
	c := &Child{done: make(chan struct{})}
	c.cmd = &exec.Cmd{
		Path: path, Args: argv, Env: Marked(env, id), Dir: dir, Stdout: out, Stderr: out,
		ExtraFiles: extra, SysProcAttr: bound(),
	}
	if err := onStarter(c.cmd.Start); err != nil {
		return nil, err
	}
	Tag(c.Pid(), id)
	if err := keep.add(c.Pid()); err != nil {
		syscall.Kill(-c.Pid(), syscall.SIGKILL)
		c.cmd.Wait()
		return nil, err
	}
	self := selfPeak()
	go c.wait(self)
	return c, nil
}

// wait reaps the process and ends its group.
func (c *Child) wait(selfPeak int64) {
	awaitExit(c.Pid())
	c.mu.Lock()
	c.cmd.Wait()
	c.over = true
	c.mu.Unlock()
	endGroup(c.Pid())
	keep.drop(c.Pid())
	c.how = endingOf(c.cmd.ProcessState, selfPeak)
	close(c.done)
}

// endingOf reads a process state. A child's peak memory starts at its
// parent's, which it starts with: a smaller one means nothing.
func endingOf(s *os.ProcessState, selfPeak int64) Ending {
	e := Ending{Code: s.ExitCode(), CPU: s.UserTime() + s.SystemTime()}
	if ws, ok := s.Sys().(syscall.WaitStatus); ok && ws.Signaled() {
		e.Signal = ws.Signal()
	}
	if ru, ok := s.SysUsage().(*syscall.Rusage); ok {
		if rss := maxRSS(ru); rss > selfPeak {
			e.MaxRSS = rss
		}
	}
	return e
}

// selfPeak is the largest size this process has had, in bytes.
func selfPeak() int64 {
	var ru syscall.Rusage
	if syscall.Getrusage(syscall.RUSAGE_SELF, &ru) != nil {
		return 0
	}
	return maxRSS(&ru)
}

// starter runs what starts processes on one thread that never ends: on Linux
// a child bound to its parent's life dies with the thread that started it.
var starter = sync.OnceValue(func() chan func() {
	c := make(chan func())
	go func() {
		lockThread()
		for f := range c {
			f()
		}
	}()
	return c
})

func onStarter(f func() error) error {
	result := make(chan error, 1)
	starter() <- func() { result <- f() }
	return <-result
}
