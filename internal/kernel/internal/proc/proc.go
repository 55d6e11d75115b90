// Package proc starts, watches and kills the processes of kernels.
//
// In go a command line and an environment; out come what the process wrote, how
// it ended and how much memory it took. Each process leads its own session and
// carries a mark in its environment and one in a limit, by which everything it
// starts is found and killed, also what leaves the session.
//
// It promises that a process is always reaped, and that neither it nor what it
// started outlives this process, however this process ends: Linux binds children
// to us, and a keeper, a second process of this program, kills the rest. Memory
// is measured only on Linux.
//
// It does not know what a process does.
package proc

import (
	"crypto/rand"
	"encoding/hex"
	"fmt"
	"sync/atomic"
	"syscall"
	"time"
)

// Process is a child of this process, or a grandchild with a server between.
type Process interface {
	Pid() int                // leader of its own session and group
	Signal(s syscall.Signal) // to the whole group, while the leader is not reaped; SIGKILL to the leader
	Reaped() <-chan struct{} // closed when it has ended and been waited for
	Ended() Ending           // valid once reaped
	Baseline() Footprint     // what it shared with the process it was forked from
}

// Footprint is memory in bytes: all that is resident, and its anonymous part.
type Footprint struct{ RSS, Anon int64 }

// Ending is what the operating system reports about a process that has ended.
type Ending struct {
	Code   int            // exit status; -1 when a signal ended it
	Signal syscall.Signal // that ended it, or 0
	CPU    time.Duration  // user and system time, waited-for children included
	MaxRSS int64          // bytes, 0 when unknown
}

// Token begins the identity of everything this process starts. It is random, so
// that two processes never take each other's kernels for their own.
var Token = func() string {
	var b [8]byte
	rand.Read(b[:])
	return hex.EncodeToString(b[:])
}()

var identities atomic.Int64

// NewID returns the identity of a process to start: the same length for all,
// because a forked kernel writes its own over its server's.
func NewID() string { return fmt.Sprintf("%s-%08d", Token, identities.Add(1)) }

// WaitFor waits until c is closed, at most d, and reports whether it is.
func WaitFor(c <-chan struct{}, d time.Duration) bool {
	select {
	case <-c: // most often at once: no timer
		return true
	default:
	}
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-c:
		return true
	case <-t.C:
		return false
	}
}
