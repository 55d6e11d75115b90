//go:build linux

package proc

import (
	"os"
	"path/filepath"
	"testing"
)

// The records are of real machines, with the numbers changed.
func TestVictimOfTheSystemLog(t *testing.T) {
	for _, tt := range []struct {
		record string
		want   bool
	}{
		{"3,1234,5000,-;Out of memory: Killed process 4242 (python3) total-vm:1948960kB, anon-rss:1812340kB, file-rss:0kB, shmem-rss:0kB, UID:0 pgtables:3636kB oom_score_adj:0\n", true},
		{"3,1235,5000,-;Memory cgroup out of memory: Killed process 4242 (python) total-vm:10kB, anon-rss:1kB\n", true},
		{"3,1235,4999,-;Out of memory: Killed process 4242 (python3) total-vm:1948960kB\n", false}, // before it began
		{"3,1235,5000,-;Out of memory: Killed process 42421 (python3) total-vm:1948960kB\n", false},
		{"6,1235,5000,-;oom_reaper: reaped process 4242 (python3), now anon-rss:0kB\n", false},
		{"6,1235", false},
		{"", false},
	} {
		if got := namesVictim(tt.record, 4242, 5000); got != tt.want {
			t.Errorf("namesVictim(%q) = %v", tt.record, got)
		}
	}
}

func TestCgroupCounts(t *testing.T) {
	dir := t.TempDir()
	for name, text := range map[string]string{
		"memory.events":      "low 0\nhigh 0\nmax 12\noom 3\noom_kill 2\noom_group_kill 0\n",
		"memory.oom_control": "oom_kill_disable 0\nunder_oom 0\noom_kill 2\n",
		"empty":              "",
	} {
		p := filepath.Join(dir, name)
		if err := os.WriteFile(p, []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
		want := int64(2)
		if text == "" {
			want = 0
		}
		if got := oomKills(p); got != want {
			t.Errorf("%s: %d, want %d", name, got, want)
		}
	}
	w := OOMWatch{counts: map[string]int64{filepath.Join(dir, "memory.events"): 1}, began: 1 << 62}
	if why := w.Happened(os.Getpid()); why != "the control group reached its memory limit" {
		t.Errorf("reason %q", why)
	}
	w.counts[filepath.Join(dir, "memory.events")] = 2
	if why := w.Happened(os.Getpid()); why != "" {
		t.Errorf("reason %q", why)
	}
}
