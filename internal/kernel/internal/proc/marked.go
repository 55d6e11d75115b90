package proc

import (
	"strings"
	"sync"
	"syscall"
	"time"

	"github.com/fanout-dev/fanout/internal/kernel/internal/environ"
)

// Marker is the environment variable that names the kernel a process belongs
// to. Children inherit it, also those that leave the kernel's session.
const Marker = "FANOUT_KERNEL_ID"

// Marked returns env for a process that belongs to the kernel id.
func Marked(env []string, id string) []string {
	return environ.With(env, map[string]string{Marker: id})
}

// KillMarked kills every process whose environment names the kernel id, and
// returns how many. It finds what a kernel of a process long dead left behind;
// an id is never given twice. Linux only: elsewhere it finds nothing.
func KillMarked(id string) int {
	n := 0
	for end := time.Now().Add(goneWithin); time.Now().Before(end); {
		pids := census.marked(func(m string) bool { return m == id })
		if len(pids) == 0 {
			break // and none was started meanwhile
		}
		for _, p := range pids {
			if syscall.Kill(p, syscall.SIGKILL) == nil {
				n++
			}
			reapOrphan(p)
		}
		time.Sleep(time.Millisecond)
	}
	return n
}

// goneWithin bounds the time that killed processes take to be gone, which is
// most often no time at all.
const goneWithin = time.Second

// killAllMarked kills every process whose marker begins with prefix, again
// and again until none is seen twice in a row or the limit is over.
func killAllMarked(prefix string, limit time.Duration) {
	clean := 0
	for end := time.Now().Add(limit); clean < 2 && time.Now().Before(end); {
		census.forget()
		pids := census.marked(func(m string) bool { return strings.HasPrefix(m, prefix) })
		for _, p := range pids {
			syscall.Kill(p, syscall.SIGKILL)
		}
		if clean++; len(pids) > 0 {
			clean = 0
		}
		time.Sleep(20 * time.Millisecond)
	}
}

// A register of the processes of the machine and their markers. Reading every
// environment for every kernel would cost more than the kernel; a process seen
// before without a marker stays without one.
type register struct {
	mu    sync.Mutex
	seen  map[int]*seen
	last  time.Time
	round int
}

type seen struct {
	marker string
	empty  int // times its environment was empty: a kernel thread, or one between fork and exec
	round  int
}

var census register

const (
	// forgetAfter bounds the time in which a process number cannot have been
	// reused for another process.
	forgetAfter = 2 * time.Second
	emptyEnough = 3
)

func (r *register) forget() {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.seen = nil
}

// marked returns the living processes whose marker is wanted.
func (r *register) marked(want func(string) bool) []int {
	r.mu.Lock()
	defer r.mu.Unlock()
	now := time.Now()
	if r.seen == nil || now.Sub(r.last) > forgetAfter {
		r.seen = map[int]*seen{}
	}
	r.last = now
	r.round++
	var found []int
	for _, pid := range processes() {
		s := r.seen[pid]
		if s == nil {
			s = &seen{}
			r.seen[pid] = s
		}
		s.round = r.round
		if s.marker != "" || s.empty < emptyEnough && s.empty >= 0 {
			s.read(pid)
		}
		if s.marker != "" && want(s.marker) {
			found = append(found, pid)
		}
	}
	for pid, s := range r.seen {
		if s.round != r.round {
			delete(r.seen, pid)
		}
	}
	return found
}

// read looks at a process once more. A marked one is always read again: it is
// about to be killed.
func (s *seen) read(pid int) {
	env, alive := environOf(pid)
	s.marker = ""
	if !alive || env == "" {
		s.empty++
		return
	}
	s.empty = -1
	for kv := range strings.SplitSeq(env, "\x00") {
		if m, ok := strings.CutPrefix(kv, Marker+"="); ok {
			s.marker = m
		}
	}
}
