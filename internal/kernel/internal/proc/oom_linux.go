package proc

import (
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync"

	"golang.org/x/sys/unix"
)

// An OOMWatch remembers how often the system had killed for memory when a
// kernel started.
type OOMWatch struct {
	counts map[string]int64
	began  int64 // microseconds of the system's clock since it booted
}

// WatchOOM begins to watch for one process, just started.
func WatchOOM() OOMWatch {
	w := OOMWatch{counts: map[string]int64{}, began: sinceBoot()}
	for _, f := range oomFiles() {
		w.counts[f] = oomKills(f)
	}
	return w
}

// Happened returns why a process that was killed from outside probably ran out of
// memory, or nothing.
func (w OOMWatch) Happened(pid int) string {
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
