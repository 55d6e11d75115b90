package local

import (
	"bytes"
	"os"
	"runtime"
	"strconv"
	"strings"

	"golang.org/x/sys/unix"
)

func thisMachine() machine {
	host, _ := os.Hostname()
	boot, _ := os.ReadFile("/proc/sys/kernel/random/boot_id")
	return machine{host: host, boot: strings.TrimSpace(string(boot)), node: os.Getenv(NodeVariable), cores: runtime.NumCPU()}
}

// load is how many processes have run or waited in the last minute, for each core.
func (m machine) load() float64 {
	b, err := os.ReadFile("/proc/loadavg")
	if err != nil {
		return 0
	}
	first, _, _ := strings.Cut(string(b), " ")
	x, _ := strconv.ParseFloat(first, 64)
	return x / float64(m.cores)
}

// memoryAvailable returns the free memory of the machine, or of our cgroup, in
// bytes.
func memoryAvailable() (free, total int64, known bool) {
	b, err := os.ReadFile("/proc/meminfo")
	if err != nil {
		return 0, 0, false
	}
	for line := range bytes.Lines(b) {
		f := bytes.Fields(line)
		if len(f) < 2 {
			continue
		}
		n, _ := strconv.ParseInt(string(f[1]), 10, 64)
		switch string(f[0]) {
		case "MemTotal:":
			total = n << 10
		case "MemAvailable:":
			free, known = n<<10, true
		}
	}
	if limit, used, ok := cgroupMemory(); ok && limit-used < free {
		free, total = limit-used, limit
	}
	return free, total, known
}

// cgroupMemory reads the limit of the cgroup that a container shows at its
// root.
func cgroupMemory() (limit, used int64, ok bool) {
	l, err1 := number("/sys/fs/cgroup/memory.max")
	u, err2 := number("/sys/fs/cgroup/memory.current")
	return l, u, err1 == nil && err2 == nil
}

func number(file string) (int64, error) {
	b, err := os.ReadFile(file)
	if err != nil {
		return 0, err
	}
	return strconv.ParseInt(strings.TrimSpace(string(b)), 10, 64)
}

// tempFile creates a file without a name, where the file system can.
func tempFile(dir string) (*os.File, error) {
	return os.OpenFile(dir, os.O_RDWR|unix.O_TMPFILE, 0o600)
}
