//go:build linux

package proc

import (
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
