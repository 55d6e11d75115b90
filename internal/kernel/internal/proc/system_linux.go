package proc

import (
	"bytes"
	"os"
	"runtime"
	"strconv"
	"strings"
	"syscall"

	"golang.org/x/sys/unix"
)

// bound makes a child the leader of its own session and ties its life to the
// thread that starts it.
func bound() *syscall.SysProcAttr {
	return &syscall.SysProcAttr{Setsid: true, Pdeathsig: syscall.SIGKILL}
}

func lockThread() { runtime.LockOSThread() }

// selfPath names this program even when its file was replaced or deleted.
func selfPath() string { return "/proc/self/exe" }

// awaitExit returns when pid, a child, has ended; it stays a zombie.
func awaitExit(pid int) {
	for {
		err := unix.Waitid(unix.P_PID, pid, nil, unix.WEXITED|unix.WNOWAIT, nil)
		if err != unix.EINTR {
			return
		}
	}
}

func maxRSS(ru *syscall.Rusage) int64 { return ru.Maxrss << 10 }

// processes lists the process numbers of the machine.
func processes() []int {
	d, err := os.Open("/proc")
	if err != nil {
		return nil
	}
	defer d.Close()
	names, _ := d.Readdirnames(-1)
	pids := make([]int, 0, len(names))
	for _, n := range names {
		if pid, err := strconv.Atoi(n); err == nil {
			pids = append(pids, pid)
		}
	}
	return pids
}

// environOf returns the environment pid was started with. alive is false for a
// process that is gone, or is not ours to look at.
func environOf(pid int) (env string, alive bool) {
	b, err := os.ReadFile("/proc/" + strconv.Itoa(pid) + "/environ")
	return string(b), err == nil
}

// reapOrphan waits for a killed process that became our child because we are
// the first process of a container.
func reapOrphan(pid int) {
	if os.Getpid() == 1 {
		for range 100 {
			p, err := syscall.Wait4(pid, nil, syscall.WNOHANG, nil)
			if err != nil || p == pid {
				return
			}
			runtime.Gosched()
		}
	}
}

// untag takes the tag from this process.
func untag() { setTag(0, unix.RLIM_INFINITY) }

// setTag does nothing where a limit is in force, or the system has none.
func setTag(pid int, tag uint64) {
	var old unix.Rlimit
	if unix.Prlimit(pid, unix.RLIMIT_RTTIME, nil, &old) == nil && old.Max == unix.RLIM_INFINITY {
		unix.Prlimit(pid, unix.RLIMIT_RTTIME, &unix.Rlimit{Cur: tag, Max: old.Max}, nil)
	}
}

// tagged returns the tag of a living process, or 0.
func tagged(pid int) uint64 {
	b, err := os.ReadFile("/proc/" + strconv.Itoa(pid) + "/limits")
	if err != nil {
		return 0
	}
	_, rest, _ := strings.Cut(string(b), "\nMax realtime timeout")
	fields := strings.Fields(rest)
	if len(fields) == 0 {
		return 0
	}
	tag, err := strconv.ParseUint(fields[0], 10, 64)
	if err != nil || !isTag(tag) || isDead(pid) {
		return 0
	}
	return tag
}

// isDead reports whether a process has ended, and has not been waited for.
func isDead(pid int) bool {
	b, _ := os.ReadFile("/proc/" + strconv.Itoa(pid) + "/stat")
	state := strings.TrimSpace(string(b[bytes.LastIndexByte(b, ')')+1:]))
	return strings.HasPrefix(state, "Z") || strings.HasPrefix(state, "X")
}

// membersOf lists the processes of a group.
func membersOf(group int) (pids []int) {
	for _, pid := range processes() {
		if g, err := unix.Getpgid(pid); err == nil && g == group {
			pids = append(pids, pid)
		}
	}
	return pids
}

// commandOf returns the command line of a process.
func commandOf(pid int) string {
	b, _ := os.ReadFile("/proc/" + strconv.Itoa(pid) + "/cmdline")
	return string(b)
}
