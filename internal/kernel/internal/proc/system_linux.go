package proc

import (
	"os"
	"runtime"
	"strconv"
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
