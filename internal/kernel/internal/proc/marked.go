package proc

import (
	"slices"
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

// KillMarked kills every process that carries the mark of the kernel id, and
// returns how many. It finds what a kernel of a process long dead left behind;
// an id is never given twice. Linux only: elsewhere it finds nothing.
func KillMarked(id string) int {
	if !strings.HasPrefix(id, Token+"-") {
		census.forget() // what others started is looked at anew
	}
	tag := tagOf(id)
	marked := func(s *seen) bool { return s.marker == id || s.tag != 0 && s.tag == tag }
	return killUntilGone(marked, goneWithin)
}

const (
	// goneWithin bounds the time that killed processes take to be gone, which is
	// most often no time at all.
	goneWithin = time.Second
	// trackersEnd bounds the time that a tracker of Python takes to remove what its
	// processes left.
	trackersEnd = 5 * time.Second
)

// killUntilGone kills what is marked until there is no more, and returns how many
// processes that were. The trackers of Python's multiprocessing come last: once all
// others are dead they remove shared memory, semaphores and folders, and end by
// themselves.
func killUntilGone(marked func(*seen) bool, limit time.Duration) (n int) {
	end, patience := time.Now().Add(limit), time.Now().Add(trackersEnd)
	for time.Now().Before(end) {
		pids := census.marked(marked)
		if len(pids) == 0 {
			break // and none was started meanwhile
		}
		others := slices.DeleteFunc(slices.Clone(pids), isTracker)
		if len(others) == 0 && time.Now().Before(patience) {
			end = time.Now().Add(limit)
			time.Sleep(5 * time.Millisecond)
			continue
		}
		if len(others) == 0 {
			others = pids
		}
		for _, p := range others {
			if syscall.Kill(p, syscall.SIGKILL) == nil {
				n++
			}
			reapOrphan(p)
		}
		time.Sleep(time.Millisecond)
	}
	return n
}

// isTracker reports whether a process keeps a record of what others share, to
// remove it after their end.
func isTracker(pid int) bool { return strings.Contains(commandOf(pid), "_tracker import main") }

// endGroup kills what is left of a group whose leader has just been reaped, unless a
// tracker is in it: KillMarked then does.
func endGroup(group int) {
	if syscall.Kill(-group, 0) == nil && !slices.ContainsFunc(membersOf(group), isTracker) {
		syscall.Kill(-group, syscall.SIGKILL)
	}
}

// killAllMarked kills every process whose marker begins with prefix, again
// and again until none is seen twice in a row or the limit is over.
func killAllMarked(prefix string, limit time.Duration) {
	clean := 0
	tag := tagOf(prefix + "0")
	marked := func(s *seen) bool {
		return strings.HasPrefix(s.marker, prefix) || s.tag != 0 && s.tag>>numberBits == tag>>numberBits
	}
	for end := time.Now().Add(limit); clean < 2 && time.Now().Before(end); {
		census.forget()
		if clean++; killUntilGone(marked, goneWithin) > 0 {
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
	known map[int]string // kernels and servers of ours that live, by number
	last  time.Time
	round int
}

type seen struct {
	marker string
	tag    uint64
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

// know notes whose process a number is, until forgotten: it need not be read.
func (r *register) know(pid int, id string) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.known == nil {
		r.known = map[int]string{}
	}
	r.known[pid] = id
}

func (r *register) gone(pid int) {
	r.mu.Lock()
	defer r.mu.Unlock()
	delete(r.known, pid)
}

// marked returns the living processes whose marker is wanted.
func (r *register) marked(want func(*seen) bool) []int {
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
		if id := r.known[pid]; id != "" && !want(&seen{marker: id, tag: tagOf(id)}) {
			continue
		}
		s := r.seen[pid]
		if s == nil {
			s = &seen{}
			r.seen[pid] = s
		}
		s.round = r.round
		switch {
		case s.marker != "" && !strings.HasPrefix(s.marker, Token+"-") && !want(s): // of another program: it stays so
		case s.marker != "" || s.tag != 0 || s.empty < emptyEnough && s.empty >= 0:
			s.read(pid)
		}
		if want(s) {
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
	s.marker, s.tag = "", 0
	if alive {
		s.tag = tagged(pid)
	}
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
