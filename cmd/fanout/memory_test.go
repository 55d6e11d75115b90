package main

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/fanout-dev/fanout/internal/outcome"
)

// TestMemoryOnNomad lets a run of a sweep without resources use more memory than
// Nomad gives by itself: the reason names the limit and what to write.
func TestMemoryOnNomad(t *testing.T) {
	if c := testCluster(t); c.fake != nil {
		t.Skip("only a real agent limits memory")
	}
	if os.Getuid() != 0 {
		t.Skip("only root limits the memory of tasks")
	}
	v, args := onNomad(t, 1)
	cells := notebookOf("fake", "python", []string{"x = 0", "alloc 700_000_000", "sleep 5s"})
	if err := os.WriteFile(filepath.Join(v.dir, "t.ipynb"), cells, 0o666); err != nil {
		t.Fatal(err)
	}
	out, _ := v.command(args...).CombinedOutput()
	st := openVictim(t, v).Runs()[0]
	if st.Last == nil || st.Last.Status == outcome.Succeeded {
		t.Fatalf("%s\n%s", st.Status, out)
	}
	for _, want := range []string{"memory", "its allocation has 300 MiB, because the sweep file does not say how much it needs: resources: {memory: 1200MiB}"} {
		if !strings.Contains(st.Last.Reason, want) {
			t.Errorf("%s: %q, want %q", st.Status, st.Last.Reason, want)
		}
	}
}

// TestWorkFolders looks where workers keep their working directories, and kills them:
// nothing is left but what goes with the allocations.
func TestWorkFolders(t *testing.T) {
	a := needAgent(t)
	v, args := onNomad(t, 2)
	v.slow(t, 20*time.Second)
	cmd := v.command(args...)
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	defer func() { cmd.Process.Kill(); cmd.Wait() }()
	v.awaitLines(t, 1)
	inside, _ := filepath.Glob(filepath.Join(a.dir, "data", "alloc", "*", "alloc", "tmp", "fanout-*", "run-*", "work"))
	if len(inside) == 0 {
		t.Error("no working directory is in the allocation's")
	}
}

// TestCancelNeedsNoSecrets cancels a sweep with a secret that was executed on a
// cluster, from a shell that has none.
func TestCancelNeedsNoSecrets(t *testing.T) {
	fakeCluster(t)
	v, args := onNomad(t, 2)
	v.edit(t, "sweep.yaml", func(text string) string { return text + "parameters: {key: {secret: TEST_KEY}}\n" })
	v.edit(t, "t.ipynb", func(text string) string { return strings.Replace(text, "x = 0", "x = 0\\nkey = ''", 1) })
	t.Setenv("TEST_KEY", "hush-hush-hush") // also of the workers
	if out, err := v.command(args...).CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	os.Unsetenv("TEST_KEY")
	if code, out, words := v.say(t, "cancel", "victim.sweep"); code != 0 {
		t.Errorf("exit %d\n%s%s", code, out, words)
	}
}

// TestHintsNameTheCluster: what status says to type after a sweep on a cluster is
// not refused.
func TestHintsNameTheCluster(t *testing.T) {
	s := fakeCluster(t)
	v, args := onNomad(t, 3)
	v.edit(t, "t.ipynb", func(text string) string { return strings.Replace(text, "sleep 5ms", "error ValueError no", 1) })
	v.command(args...).Run()
	if code, out, words := v.say(t, "status", "victim.sweep"); code != 0 || !strings.Contains(out, "fanout rerun --on nomad victim.sweep --failed") {
		t.Errorf("what failed: exit %d\n%s%s", code, out, words)
	}
	// A shard that waits for a node, and whose controller is gone.
	s.Idle()
	v, args = onNomad(t, 3)
	cmd := v.command(args...)
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	await(t, 30*time.Second, "a shard", func() bool {
		shards, _ := filepath.Glob(filepath.Join(v.dir, "victim.sweep", "shards", "*.json"))
		return len(shards) > 0 && s.Running() > 0
	})
	cmd.Process.Kill()
	cmd.Wait()
	if code, out, words := v.say(t, "status", "victim.sweep"); code != 0 || !strings.Contains(out, "workers may still be running; to resume: fanout run --on nomad victim.sweep") {
		t.Errorf("a shard that waits: exit %d\n%s%s", code, out, words)
	}
	if code, _, words := v.say(t, "run", "victim.sweep"); code == 0 || !strings.Contains(words, "add --on nomad to resume it") {
		t.Errorf("what it did not say is refused: exit %d\n%s", code, words)
	}
}

// TestJobsNameShards: the ids of dispatched jobs tell their sweep and shard.
func TestJobsNameShards(t *testing.T) {
	s := fakeCluster(t)
	v, args := onNomad(t, 5)
	if out, err := v.command(args...).CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	named := 0
	for _, id := range s.Jobs("") {
		if parent, child, found := strings.Cut(id, "/dispatch-"); found && strings.HasPrefix(parent, "fanout-victim-") && strings.HasPrefix(child, "shard-1-") {
			named++
		}
	}
	shards, _ := filepath.Glob(filepath.Join(v.dir, "victim.sweep", "shards", "*.json"))
	if named != len(shards) || named == 0 {
		t.Errorf("%d of %d jobs of shards are named after them: %v", named, len(shards), s.Jobs(""))
	}
}
