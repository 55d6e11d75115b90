package main

import (
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/fanout-dev/fanout/internal/outcome"
	"github.com/fanout-dev/fanout/internal/store"
	"github.com/fanout-dev/fanout/internal/store/storetest"
	"github.com/fanout-dev/fanout/internal/sweep"
)

// leaveShard plans a victim and stores a shard of all its runs, as a
// controller does that is killed before a worker begins.
func leaveShard(t *testing.T, v *victim) sweep.Shard {
	t.Helper()
	v.ok(t, "run", "--no-progress", "sweep.yaml", "--limit", "1")
	s := openVictim(t, v)
	if _, err := s.Acquire(t.Context()); err != nil {
		t.Fatal(err)
	}
	defer s.Lease().Release()
	shard := sweep.Shard{ID: "2-1"}
	for _, st := range s.Runs() {
		if st.Status == outcome.Planned {
			shard.Runs = append(shard.Runs, st.Run.ID)
		}
	}
	if _, err := s.Lease().PutShard(t.Context(), shard); err != nil {
		t.Fatal(err)
	}
	return shard
}

// A shard that waits on a cluster is not made here as well.
func TestLocalRunRefusesShards(t *testing.T) {
	fakeCluster(t)
	v := newVictim(t, 3)
	leaveShard(t, v)
	cmd := v.command("run", "--no-progress", "sweep.yaml")
	out, _ := cmd.CombinedOutput()
	for _, want := range []string{"left 1 shard running on a cluster", "hint: add --on nomad", "fanout cancel victim.sweep"} {
		if !strings.Contains(string(out), want) {
			t.Errorf("%q is missing:\n%s", want, out)
		}
	}
	v.ok(t, "cancel", "victim.sweep")
	v.ok(t, "run", "--no-progress", "sweep.yaml")
	v.check(t, 3)
}

// Commands that clusters start are not for people.
func TestHelpHidesWhatClustersStart(t *testing.T) {
	for args, hidden := range map[string]string{"--help": "worker", "schedule --help": "fire"} {
		code, out, _ := fanout(t, strings.Fields(args)...)
		if code != exitOK || regexp.MustCompile(`(?m)^  `+hidden+` `).MatchString(out) {
			t.Errorf("exit code %d:\n%s", code, out)
		}
	}
}

// Workers that end without a word leave the sweep undone, and the exit code
// says so.
func TestWorkersThatDoNothing(t *testing.T) {
	fakeCluster(t)
	v, args := onNomad(t, 2)
	v.amend(t, "command: ", "command: /bin/true #")
	cmd := v.command(args...)
	out, _ := cmd.CombinedOutput()
	if code := cmd.ProcessState.ExitCode(); code != exitIncomplete || !strings.Contains(string(out), "2 runs repeatedly came back") {
		t.Errorf("exit code %d:\n%s", code, out)
	}
}

// amend replaces text of the sweep file; what follows the last # goes.
func (v *victim) amend(t *testing.T, old, text string) {
	t.Helper()
	file := filepath.Join(v.dir, "sweep.yaml")
	spec, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	var lines []string
	for line := range strings.Lines(strings.Replace(string(spec), old, text, 1)) {
		if head, _, cut := strings.Cut(line, "#"); cut {
			line = head + "}\n"
		}
		lines = append(lines, line)
	}
	if err := os.WriteFile(file, []byte(strings.Join(lines, "")), 0o666); err != nil {
		t.Fatal(err)
	}
}

// Settings that cannot be followed are mistakes of the user, and nothing is
// begun.
func TestOddNomadSettings(t *testing.T) {
	fakeCluster(t)
	v, args := onNomad(t, 2)
	for _, text := range []string{"max_parallel: -1", "max_parallel: many", "priority: high", "priority: 200", "lost_after: banana", "class: none", "job: nowhere.hcl", "runs_at_once: 0"} {
		if err := os.WriteFile(filepath.Join(v.dir, "fanout.yaml"), fmt.Appendf(nil, "nomad: {%s}\n", text), 0o666); err != nil {
			t.Fatal(err)
		}
		cmd := v.command(args...)
		out, _ := cmd.CombinedOutput()
		if code := cmd.ProcessState.ExitCode(); code != exitUsage {
			t.Errorf("%s: exit code %d:\n%s", text, code, out)
		}
	}
	if left := jobsOf(t); len(left) > 0 {
		t.Errorf("jobs %v are left", left)
	}
}

// Who has lost the sweep leaves what is on the cluster to the other.
func TestSupersededKeepsJobs(t *testing.T) {
	fakeCluster(t)
	where := storetest.S3(t).Where("victim")
	v, args := onNomad(t, 200)
	v.slow(t, 2*time.Second) // it looks at its lease each ten seconds, and is not to end before
	cmd := v.command(append(args, "-o", where)...)
	var out strings.Builder
	cmd.Stderr = &out
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	waitForRuns(t, where)
	supersede(t, where)
	cmd.Wait()
	if code := cmd.ProcessState.ExitCode(); code != exitHeld || !strings.Contains(out.String(), "was taken over") {
		t.Errorf("exit code %d:\n%s", code, out.String())
	}
	if parent := jobsOf(t); len(parent) == 0 {
		t.Error("the other's jobs were stopped")
	}
}

// supersede takes the lease of a sweep in a bucket as the next holder would.
func supersede(t *testing.T, where string) {
	t.Helper()
	st, err := store.Open(t.Context(), where)
	if err != nil {
		t.Fatal(err)
	}
	for o, err := range st.List(t.Context(), "lease/lock.") {
		if err != nil {
			t.Fatal(err)
		}
		text, err := st.Get(t.Context(), o.Key)
		if err != nil {
			t.Fatal(err)
		}
		if err := st.Create(t.Context(), "lease/lock.000099", text, store.Synced); err != nil {
			t.Fatal(err)
		}
		return
	}
}
