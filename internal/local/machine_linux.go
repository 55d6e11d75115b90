package local

import (
	"bytes"
	"os"
	"runtime"
	"strconv"
	"strings"

	"golang.org/x/sys/unix"

	"github.com/fanout-dev/fanout/internal/cgroup"
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

// memoryAvailable returns the free memory, in bytes, of the machine, or of our control
// group where that leaves less.
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
	if room, limit, ok := cgroup.Memory(); ok && room < free {
		free, total = room, limit
	}
	return free, total, known
}

// tempFile creates a file without a name, where the file system can.
func tempFile(dir string) (*os.File, error) {
	return os.OpenFile(dir, os.O_RDWR|unix.O_TMPFILE, 0o600)
}
