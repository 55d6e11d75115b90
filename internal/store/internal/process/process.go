// Package process knows processes of all machines, and which of this one have ended.
package process

import (
	"os"
	"strconv"
	"strings"
)

// Process identifies a process among those of all machines.
type Process struct {
	Boot  string `json:"boot"`  // of the machine, this time
	Space string `json:"space"` // the pid namespace
	PID   int    `json:"pid"`
	Start string `json:"start"` // in clock ticks since boot
}

// This is the process that asks.
func This() Process {
	boot, _ := os.ReadFile("/proc/sys/kernel/random/boot_id")
	space, _ := os.Readlink("/proc/self/ns/pid")
	pid := os.Getpid()
	return Process{strings.TrimSpace(string(boot)), space, pid, StartOf(pid)}
}

// StartOf is when a process of this machine began; "" if it has ended.
func StartOf(pid int) string {
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

// DeadFor reports whether p is known to have ended: me must share its machine
// and pid namespace.
func (p Process) DeadFor(me Process) bool {
	if p.Boot == "" || p.Space == "" || p.Boot != me.Boot || p.Space != me.Space {
		return false
	}
	return p.Start != StartOf(p.PID)
}
