package proc

import (
	"fmt"
	"strconv"
	"strings"

	"golang.org/x/sys/unix"

	"github.com/fanout-dev/fanout/internal/cgroup"
)

// An OOMWatch remembers how often the system had killed for memory when a
// kernel started.
type OOMWatch struct {
	kills int64 // in our control group
	began int64 // microseconds of the system's clock since it booted
}

// WatchOOM begins to watch for one process, just started.
func WatchOOM() OOMWatch { return OOMWatch{kills: cgroup.Kills(), began: sinceBoot()} }

// Happened returns why a process that was killed from outside probably ran out of
// memory, or nothing.
func (w OOMWatch) Happened(pid int) string {
	switch {
	case kernelLogNames(pid, w.began):
		return "the system's log says so"
	case cgroup.Kills() > w.kills:
		return "the control group reached its memory limit"
	}
	return ""
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
