package store

import (
	"os"
	"strconv"
	"strings"
)

// process identifies a process among those of all machines.
type process struct {
	Boot  string `json:"boot"`  // of the machine, this time
	Space string `json:"space"` // the pid namespace
	PID   int    `json:"pid"`
	Start string `json:"start"` // in clock ticks since boot
}

func thisProcess() process {
	boot, _ := os.ReadFile("/proc/sys/kernel/random/boot_id")
	space, _ := os.Readlink("/proc/self/ns/pid")
	pid := os.Getpid()
	return process{strings.TrimSpace(string(boot)), space, pid, startOf(pid)}
}

// startOf is when a process of this machine began; "" if it has ended.
func startOf(pid int) string {
	b, err := os.ReadFile("/proc/" + strconv.Itoa(pid) + "/stat")
	if err != nil {
		return ""
	}
	_, rest, _ := strings.Cut(string(b[strings.LastIndexByte(string(b), ')')+1:]), " ")
	fields := strings.Fields(rest)
	if len(fields) < 20 || fields[0] == "Z" || fields[0] == "X" {
		return ""
	}
	return fields[19]
}

// deadFor reports whether p is known to have ended: me must share its machine
// and pid namespace.
func (p process) deadFor(me process) bool {
	if p.Boot == "" || p.Space == "" || p.Boot != me.Boot || p.Space != me.Space {
		return false
	}
	return p.Start != startOf(p.PID)
}
