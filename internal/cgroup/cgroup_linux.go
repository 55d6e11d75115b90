package cgroup

import (
	"bytes"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
)

// A hierarchy is where memory is accounted for, in one of the two versions.
type hierarchy struct {
	root, path string // of the group of this process, below where the hierarchy is mounted
	unified    bool   // version 2
}

var own = sync.OnceValue(func() []hierarchy {
	text, err := os.ReadFile("/proc/self/cgroup")
	if err != nil {
		return nil
	}
	return parse(string(text), "/sys/fs/cgroup")
})

// parse reads lines "id:controllers:path". That of version 2 has no controllers.
func parse(text, mount string) (found []hierarchy) {
	for line := range strings.Lines(text) {
		part := strings.SplitN(strings.TrimSpace(line), ":", 3)
		switch {
		case len(part) != 3:
		case part[1] == "":
			found = append(found, hierarchy{mount, part[2], true})
		case strings.Contains(","+part[1]+",", ",memory,"):
			found = append(found, hierarchy{mount + "/memory", part[2], false})
		}
	}
	return found
}

// groups are the directories of the group and those above it. In a container whose
// own group is mounted at the root, only the root exists.
func (h hierarchy) groups() (dirs []string) {
	for path := filepath.Join("/", h.path); ; path = filepath.Dir(path) {
		if dir := filepath.Join(h.root, path); exists(dir) {
			dirs = append(dirs, dir)
		}
		if path == "/" {
			return dirs
		}
	}
}

func exists(path string) bool {
	_, err := os.Stat(path)
	return err == nil
}

// Memory is the room under the tightest limit that holds for this process: bytes
// free, and the limit. ok is false where none holds.
func Memory() (free, limit int64, ok bool) { return memory(own()) }

func memory(all []hierarchy) (free, limit int64, ok bool) {
	for _, h := range all {
		names := [3]string{"memory.limit_in_bytes", "memory.usage_in_bytes", "total_inactive_file"}
		if h.unified {
			names = [3]string{"memory.max", "memory.current", "inactive_file"}
		}
		for _, dir := range h.groups() {
			most, err1 := number(dir + "/" + names[0])
			used, err2 := number(dir + "/" + names[1])
			if err1 != nil || err2 != nil || most >= unlimited {
				continue
			}
			used = max(0, used-field(dir+"/memory.stat", names[2])) // files that are read again if need be
			if room := max(0, most-used); !ok || room < free {
				free, limit, ok = room, most, true
			}
		}
	}
	return free, limit, ok
}

// unlimited is below what version 1 says without a limit: 2⁶³, to a page.
const unlimited = 1 << 62

// Kills counts how often a process of this process's group was killed because memory
// ran out, since the group began.
func Kills() (n int64) { return kills(own()) }

func kills(all []hierarchy) (n int64) {
	for _, h := range all {
		file := "memory.oom_control"
		if h.unified {
			file = "memory.events"
		}
		if dirs := h.groups(); len(dirs) > 0 {
			n += field(dirs[0]+"/"+file, "oom_kill")
		}
	}
	return n
}

func number(file string) (int64, error) {
	b, err := os.ReadFile(file)
	if err != nil {
		return 0, err
	}
	return strconv.ParseInt(strings.TrimSpace(string(b)), 10, 64)
}

// field is the number in the line of a file that begins with a name; 0 without one.
func field(file, name string) int64 {
	b, err := os.ReadFile(file)
	if err != nil {
		return 0
	}
	for line := range bytes.Lines(b) {
		if text, ok := bytes.CutPrefix(line, []byte(name+" ")); ok {
			n, _ := strconv.ParseInt(string(bytes.TrimSpace(text)), 10, 64)
			return n
		}
	}
	return 0
}
