package kernel

import (
	"bytes"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"time"

	"golang.org/x/sys/unix"
)

// sampleEvery is how often a kernel with a memory limit is looked at.
const sampleEvery = 100 * time.Millisecond

// A meter measures the memory of one kernel and, with a limit, of all its
// processes, which it kills when they exceed it.
//
// Note: RLIMIT_AS bounds addresses, not memory: numpy and Arrow reserve far
// more than they use. A cgroup needs rights that a user seldom has.
type meter struct {
	proc  process
	limit int64
	born  time.Time
	quit  chan struct{}
	over  sync.WaitGroup

	mu   sync.Mutex
	high int64 // largest size seen, bytes
	last time.Time
	why  string // set when the limit was exceeded
}

func startMeter(p process, limit int64) *meter {
	m := &meter{proc: p, limit: limit, quit: make(chan struct{}), born: time.Now(), last: time.Now()}
	if limit > 0 {
		m.over.Go(m.guard)
	}
	return m
}

// stop ends the guard. The process has been reaped.
func (m *meter) stop() {
	close(m.quit)
	m.over.Wait()
}

// sample notes the largest size the kernel has had so far: always when it is
// the last chance, else now and then.
func (m *meter) sample(last bool) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if now := time.Now(); last || now.Sub(m.last) > time.Second {
		m.last = now
		m.high = max(m.high, m.own())
	}
}

// own is the largest size the kernel has had by itself. What a forked one
// shares with its server is not its own, what it has copied is: each copy and
// each new page is a fault. After a while faults count pages that were given
// back, and the exact share is worth the millisecond it costs.
func (m *meter) own() int64 {
	pid, born := m.proc.pid(), m.proc.baseline().rss
	high := statusBytes(pid, "VmHWM:")
	switch {
	case born == 0:
		return high
	case time.Since(m.born) < time.Second:
		return max(high-born, min(high, faults(pid)*int64(os.Getpagesize())))
	}
	b, _ := os.ReadFile("/proc/" + strconv.Itoa(pid) + "/smaps_rollup")
	return max(high-born, fieldBytes(b, "Private_Dirty:")+fieldBytes(b, "Private_Clean:"))
}

// faults is the number of minor page faults of a process.
func faults(pid int) int64 {
	b, _ := os.ReadFile("/proc/" + strconv.Itoa(pid) + "/stat")
	_, rest, _ := bytes.Cut(b, []byte(") ")) // the name may hold anything
	fields := bytes.Fields(rest)
	if len(fields) < 8 {
		return 0
	}
	n, _ := strconv.ParseInt(string(fields[7]), 10, 64)
	return n
}

// peak is the largest size seen, by sampling or by the kernel of the system.
func (m *meter) peak(maxRSS int64) int64 {
	m.mu.Lock()
	defer m.mu.Unlock()
	return max(m.high, maxRSS-m.proc.baseline().rss, 0)
}

// exceeded says why the kernel was killed, if it was for its memory.
func (m *meter) exceeded() string {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.why
}

func (m *meter) guard() {
	t := time.NewTicker(sampleEvery)
	defer t.Stop()
	for {
		select {
		case <-m.quit:
			return
		case <-t.C:
		}
		used := m.used()
		m.mu.Lock()
		m.high = max(m.high, used)
		if used > m.limit {
			m.why = fmt.Sprintf("it used %s of its limit of %s", mega(used), mega(m.limit))
		}
		why := m.why
		m.mu.Unlock()
		if why != "" {
			m.proc.signal(syscall.SIGKILL)
			return
		}
	}
}

func mega(n int64) string { return fmt.Sprintf("%d MB", (n+500_000)/1_000_000) }

// used is the private memory of the kernel and its descendants in bytes.
// Anonymous memory is cheap to read and counts shared pages of forks more than
// once; only beyond the limit is the exact share worth reading.
func (m *meter) used() int64 {
	pids := descendants(m.proc.pid())
	var rough int64
	for _, p := range pids {
		rough += statusBytes(p, "RssAnon:")
	}
	if rough -= m.proc.baseline().anon; rough <= m.limit {
		return max(0, rough)
	}
	var exact int64
	for _, p := range pids {
		exact += shareBytes(p)
	}
	return exact
}

// descendants returns pid and all processes under it, and those of its group
// whose parents have died.
func descendants(pid int) []int {
	all := []int{pid}
	for i := 0; i < len(all); i++ {
		tasks, _ := filepath.Glob("/proc/" + strconv.Itoa(all[i]) + "/task/*/children")
		for _, t := range tasks {
			b, _ := os.ReadFile(t)
			for _, f := range strings.Fields(string(b)) {
				if c, err := strconv.Atoi(f); err == nil {
					all = append(all, c)
				}
			}
		}
	}
	return all
}

// statusBytes reads a size from /proc/<pid>/status.
func statusBytes(pid int, field string) int64 {
	b, err := os.ReadFile("/proc/" + strconv.Itoa(pid) + "/status")
	if err != nil {
		return 0
	}
	return fieldBytes(b, field)
}

// shareBytes is the anonymous memory of a process, pages shared with others
// counted in parts.
func shareBytes(pid int) int64 {
	b, err := os.ReadFile("/proc/" + strconv.Itoa(pid) + "/smaps_rollup")
	if err != nil {
		return statusBytes(pid, "RssAnon:")
	}
	return fieldBytes(b, "Pss_Anon:")
}

func fieldBytes(b []byte, field string) int64 {
	_, rest, ok := bytes.Cut(b, []byte("\n"+field))
	if !ok {
		return 0
	}
	line, _, _ := bytes.Cut(rest, []byte("\n"))
	words := strings.Fields(string(line))
	if len(words) == 0 {
		return 0
	}
	n, _ := strconv.ParseInt(words[0], 10, 64)
	return n << 10
}

// An oomWatch remembers how often the system had killed for memory when a
// kernel started.
type oomWatch struct {
	counts map[string]int64
	began  int64 // microseconds of the system's clock since it booted
}

func watchOOM() oomWatch {
	w := oomWatch{counts: map[string]int64{}, began: sinceBoot()}
	for _, f := range oomFiles() {
		w.counts[f] = oomKills(f)
	}
	return w
}

// happened says why a process that was killed by nobody we know probably ran
// out of memory, or nothing.
func (w oomWatch) happened(pid int) string {
	if kernelLogNames(pid, w.began) {
		return "the system's log says so"
	}
	for f, n := range w.counts {
		if oomKills(f) > n {
			return "the control group reached its memory limit"
		}
	}
	return ""
}

// oomFiles are the files that count kills for memory in our control group.
var oomFiles = sync.OnceValue(func() []string {
	b, err := os.ReadFile("/proc/self/cgroup")
	if err != nil {
		return nil
	}
	var files []string
	for line := range strings.Lines(string(b)) {
		part := strings.SplitN(strings.TrimSpace(line), ":", 3)
		if len(part) != 3 {
			continue
		}
		switch {
		case part[1] == "":
			files = append(files, inCgroup("/sys/fs/cgroup", part[2], "memory.events")...)
		case strings.Contains(","+part[1]+",", ",memory,"):
			files = append(files, inCgroup("/sys/fs/cgroup/memory", part[2], "memory.oom_control")...)
		}
	}
	return files
})

// inCgroup finds a file of a group; in a container the group's own directory
// is mounted at the root.
func inCgroup(root, group, name string) []string {
	for _, p := range []string{filepath.Join(root, group, name), filepath.Join(root, name)} {
		if _, err := os.Stat(p); err == nil {
			return []string{p}
		}
	}
	return nil
}

func oomKills(file string) int64 {
	b, err := os.ReadFile(file)
	if err != nil {
		return 0
	}
	for line := range strings.Lines(string(b)) {
		if n, ok := strings.CutPrefix(line, "oom_kill "); ok {
			v, _ := strconv.ParseInt(strings.TrimSpace(n), 10, 64)
			return v
		}
	}
	return 0
}

func sinceBoot() int64 {
	var t unix.Timespec
	if unix.ClockGettime(unix.CLOCK_MONOTONIC, &t) != nil {
		return 0
	}
	return t.Nano() / 1000
}

// kernelLogNames reports whether the log of the system, where it may be read,
// has a line since began about killing pid for memory.
func kernelLogNames(pid int, began int64) bool {
	fd, err := unix.Open("/dev/kmsg", unix.O_RDONLY|unix.O_NONBLOCK|unix.O_CLOEXEC, 0)
	if err != nil {
		return false
	}
	defer unix.Close(fd)
	record := make([]byte, 16<<10) // a read gives one record, never more than 8 KB
	for {
		n, err := unix.Read(fd, record)
		switch err {
		case nil:
			if namesVictim(string(record[:n]), pid, began) {
				return true
			}
		case unix.EPIPE, unix.EINTR: // overwritten meanwhile: the next one
		default: // EAGAIN: no more
			return false
		}
	}
}

// namesVictim reads one record, "priority,number,microseconds,flags;text". The
// text differs between a machine and a control group that ran out of memory.
func namesVictim(record string, pid int, began int64) bool {
	head, text, _ := strings.Cut(record, ";")
	fields := strings.Split(head, ",")
	if len(fields) < 3 || !strings.Contains(text, "ut of memory: ") ||
		!strings.Contains(text, fmt.Sprintf("Killed process %d (", pid)) {
		return false
	}
	at, err := strconv.ParseInt(fields[2], 10, 64)
	return err == nil && at >= began
}
