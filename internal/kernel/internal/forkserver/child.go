package forkserver

import (
	"sync"
	"syscall"

	"github.com/fanout-dev/fanout/internal/kernel/internal/proc"
)

// A Child is a process forked from a Server.
type Child struct {
	server *Server
	number int
	size   proc.Footprint
	once   sync.Once
	done   chan struct{}
	how    proc.Ending
}

func (c *Child) Pid() int                 { return c.number }
func (c *Child) Reaped() <-chan struct{}  { return c.done }
func (c *Child) Ended() proc.Ending       { return c.how }
func (c *Child) Baseline() proc.Footprint { return c.size }

// Signal goes through the server: only the server knows whether the number still
// means this process. A server that does not do it is stuck, and has not reaped
// the process either.
func (c *Child) Signal(s syscall.Signal) {
	err := c.server.write(request{"op": "kill", "pid": c.number, "sig": int(s)})
	if s != syscall.SIGKILL {
		return
	}
	go func() {
		if err == nil && proc.WaitFor(c.done, killTimeout) {
			return
		}
		select {
		case <-c.done:
		case <-c.server.gone: // finish kills it
		default:
			syscall.Kill(c.number, syscall.SIGKILL)
			if !proc.WaitFor(c.done, killTimeout) {
				c.finish(proc.Ending{Code: -1, Signal: syscall.SIGKILL})
			}
		}
	}()
}

func (c *Child) finish(e proc.Ending) {
	c.once.Do(func() {
		c.how = e
		close(c.done)
		proc.Gone(c.number) // after that, see Fork
	})
}
