package proc

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

	"github.com/fanout-dev/fanout/internal/unit"
)

// sampleEvery is how often a kernel with a memory limit is looked at.
const sampleEvery = 100 * time.Millisecond

// A Meter measures the memory of one kernel and, with a limit, of all its
// processes, which it kills when they exceed it.
//
// Note: RLIMIT_AS bounds addresses, not memory: numpy and Arrow reserve far
// more than they use. A cgroup needs rights that a user seldom has.
type Meter struct {
	proc  Process
	limit int64
	born  time.Time
	quit  chan struct{}
	over  sync.WaitGroup

	mu   sync.Mutex
	high int64 // largest size seen, bytes
	last time.Time
	why  string // set when the limit was exceeded
}

// StartMeter begins to measure p; limit is in bytes, and 0 is none.
func StartMeter(p Process, limit int64) *Meter {
	m := &Meter{proc: p, limit: limit, quit: make(chan struct{}), born: time.Now(), last: time.Now()}
	if limit > 0 {
		m.over.Go(m.guard)
	}
	return m
}

// Stop ends the guard. The process has been reaped.
func (m *Meter) Stop() {
	close(m.quit)
	m.over.Wait()
}

// Sample notes the largest size the kernel has had so far: always when it is
// the last chance, else now and then.
func (m *Meter) Sample(last bool) {
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
func (m *Meter) own() int64 {
	pid, born := m.proc.Pid(), m.proc.Baseline().RSS
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

// Peak is the largest size seen, by sampling or by the kernel of the system.
func (m *Meter) Peak(maxRSS int64) int64 {
	m.mu.Lock()
	defer m.mu.Unlock()
	return max(m.high, maxRSS-m.proc.Baseline().RSS, 0)
}

// Exceeded is why the kernel was killed, if it was for its memory.
func (m *Meter) Exceeded() string {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.why
}

func (m *Meter) guard() {
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
			m.why = fmt.Sprintf("it used %s of its limit of %s", unit.Bytes(used), unit.Bytes(m.limit))
		}
		why := m.why
		m.mu.Unlock()
		if why != "" {
			m.proc.Signal(syscall.SIGKILL)
			return
		}
	}
}

// used is the private memory of the kernel and its descendants in bytes.
// Anonymous memory is cheap to read and counts shared pages of forks more than
// once; only beyond the limit is the exact share worth reading.
func (m *Meter) used() int64 {
	pids := descendants(m.proc.Pid())
	var rough int64
	for _, p := range pids {
		rough += statusBytes(p, "RssAnon:")
	}
	if rough -= m.proc.Baseline().Anon; rough <= m.limit {
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
