package cgroup

import (
	"bufio"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"syscall"
	"testing"
)

func write(t *testing.T, dir string, files map[string]string) {
	t.Helper()
	for name, text := range files {
		path := filepath.Join(dir, name)
		if err := os.MkdirAll(filepath.Dir(path), 0o777); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte(text), 0o666); err != nil {
			t.Fatal(err)
		}
	}
}

// The tightest of the limits holds, whichever group has it; files that were only read
// count as free.
func TestMemory(t *testing.T) {
	const max1 = "9223372036854771712\n"
	for name, tt := range map[string]struct {
		groups      string
		files       map[string]string
		free, limit int64
		ok          bool
	}{
		"unlimited 2": {"0::/a/b\n", map[string]string{"a/b/memory.max": "max\n", "a/b/memory.current": "100\n", "a/memory.max": "max\n", "a/memory.current": "200\n"}, 0, 0, false},
		"own 2": {"0::/a/b\n", map[string]string{"a/b/memory.max": "1000\n", "a/b/memory.current": "600\n",
			"a/b/memory.stat": "anon 300\ninactive_file 250\nactive_file 50\n"}, 650, 1000, true},
		"above 2":     {"0::/a/b\n", map[string]string{"a/b/memory.max": "1000\n", "a/b/memory.current": "600\n", "a/memory.max": "1200\n", "a/memory.current": "1100\n"}, 100, 1200, true},
		"container 2": {"0::/kubepods/pod1/x\n", map[string]string{"memory.max": "500\n", "memory.current": "100\n"}, 400, 500, true},
		"over 2":      {"0::/\n", map[string]string{"memory.max": "500\n", "memory.current": "600\n"}, 0, 500, true},
		"unlimited 1": {"4:memory:/x\n0::/\n", map[string]string{"memory/x/memory.limit_in_bytes": max1, "memory/x/memory.usage_in_bytes": "7\n"}, 0, 0, false},
		"own 1": {"5:cpu,memory:/x\n0::/\n", map[string]string{"memory/x/memory.limit_in_bytes": "1000\n", "memory/x/memory.usage_in_bytes": "700\n",
			"memory/x/memory.stat": "cache 100\ninactive_file 1\ntotal_inactive_file 90\n", "memory/memory.limit_in_bytes": max1, "memory/memory.usage_in_bytes": "9\n"}, 390, 1000, true},
		"none": {"3:cpu:/x\nnonsense\n", nil, 0, 0, false},
	} {
		dir := t.TempDir()
		write(t, dir, tt.files)
		free, limit, ok := memory(parse(tt.groups, dir))
		if free != tt.free || limit != tt.limit || ok != tt.ok {
			t.Errorf("%s: %d of %d, %t; want %d of %d, %t", name, free, limit, ok, tt.free, tt.limit, tt.ok)
		}
	}
}

func TestKills(t *testing.T) {
	dir := t.TempDir()
	write(t, dir, map[string]string{
		"memory.events":               "low 0\noom 3\noom_kill 2\noom_group_kill 7\n",
		"memory/x/memory.oom_control": "oom_kill_disable 0\nunder_oom 0\noom_kill 4\n",
		"memory/memory.oom_control":   "oom_kill_disable 0\nunder_oom 0\noom_kill 40\n",
	})
	if n := kills(parse("4:memory:/x\n0::/\n", dir)); n != 6 {
		t.Errorf("%d kills, want 2 of one version and 4 of the other", n)
	}
	if n := kills(parse("4:memory:/y\n", t.TempDir())); n != 0 {
		t.Errorf("%d kills of no group", n)
	}
}

// A child in a real group with a limit sees it, and that it was killed for it.
func TestRealGroup(t *testing.T) {
	if os.Getenv("TEST_IN_GROUP") != "" {
		inGroup()
	}
	group, limit := limited(t)
	child := exec.CommandContext(t.Context(), os.Args[0], "-test.run", "^TestRealGroup$")
	child.Env = append(os.Environ(), "TEST_IN_GROUP=1")
	in, err := child.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	out, err := child.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := child.Start(); err != nil {
		t.Fatal(err)
	}
	defer child.Wait()
	defer child.Process.Kill()
	write(t, group, map[string]string{"cgroup.procs": fmt.Sprint(child.Process.Pid)})
	fmt.Fprintln(in, "you are in")
	var free, most, before, after int64
	var ok bool
	if n, err := fmt.Fscanln(bufio.NewReader(out), &free, &most, &ok, &before, &after); n != 5 {
		t.Fatalf("%d values, %v", n, err)
	}
	if !ok || most != limit || free <= 0 || free > limit || before != 0 || after != 1 {
		t.Errorf("%d of %d bytes are free, %t; %d kills, then %d; want a limit of %d and one kill", free, most, ok, before, after, limit)
	}
}

const groupLimit = 256 << 20

// limited makes a group below our own.
func limited(t *testing.T) (dir string, limit int64) {
	for _, h := range own() {
		name := map[bool]string{false: "memory.limit_in_bytes", true: "memory.max"}[h.unified]
		dir := filepath.Join(h.root, h.path, fmt.Sprintf("test-%d", os.Getpid()))
		if os.Mkdir(dir, 0o755) != nil {
			continue
		}
		t.Cleanup(func() { syscall.Rmdir(dir) })
		if os.WriteFile(filepath.Join(dir, name), []byte(fmt.Sprint(groupLimit)), 0o644) == nil {
			return dir, groupLimit
		}
	}
	t.Skip("no control group for memory can be made here")
	return "", 0
}

// inGroup is what a process does in the group: it looks, and has a child of its own
// killed for memory.
func inGroup() {
	if os.Getenv("TEST_IN_GROUP") == "hungry" {
		for s := make([][]byte, 0); ; {
			b := make([]byte, 16<<20)
			for i := range b {
				b[i] = 1
			}
			s = append(s, b)
			runtime.KeepAlive(s)
		}
	}
	fmt.Scanln(new(string))
	free, limit, ok := Memory()
	before := Kills()
	child := exec.Command(os.Args[0], "-test.run", "^TestRealGroup$")
	child.Env = append(os.Environ(), "TEST_IN_GROUP=hungry")
	child.Run()
	fmt.Println(free, limit, ok, before, Kills())
	os.Exit(0)
}
