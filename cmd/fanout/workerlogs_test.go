package main

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// TestWorkerLogs reads in the sweep what the workers said, asks the cluster for what is
// not there, and says so when that is gone.
func TestWorkerLogs(t *testing.T) {
	c := testCluster(t)
	v, args := onNomad(t, 6)
	if out, err := v.command(args...).CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	out, err := v.command("logs", "--workers", "victim.sweep").CombinedOutput()
	if n := strings.Count(string(out), " succeeded"); err != nil || n != 6 || !strings.HasPrefix(string(out), "shard 1-1: 20") {
		t.Errorf("%v, %d runs are told of:\n%s", err, n, out)
	}
	run := openVictim(t, v).Runs()[0].Run.ID
	out, err = v.command("logs", "--workers", "victim.sweep", run).CombinedOutput()
	if n := strings.Count(string(out), " succeeded"); err != nil || n < 1 || n > 5 || !strings.Contains(string(out), run+" succeeded") {
		t.Errorf("%v, %d runs are told of:\n%s", err, n, out)
	}
	logs, err := filepath.Glob(filepath.Join(v.dir, "victim.sweep", "shards", "*.log"))
	if err != nil || len(logs) == 0 {
		t.Fatalf("%v, %v", logs, err)
	}
	for _, log := range logs { // as of workers of an earlier version
		if err := os.Remove(log); err != nil {
			t.Fatal(err)
		}
	}
	out, err = v.command("logs", "--workers", "victim.sweep").CombinedOutput()
	if n := strings.Count(string(out), " succeeded"); err != nil || n != 6 || !strings.HasPrefix(string(out), "allocation ") {
		t.Errorf("asked of the cluster: %v, %d runs are told of:\n%s", err, n, out)
	}
	if c.fake == nil {
		return
	}
	c.fake.RemoveFiles()
	out, err = v.command("logs", "--workers", "victim.sweep").CombinedOutput()
	if err != nil || !strings.Contains(string(out), "there is no log: the node has removed its files") {
		t.Errorf("after the client removed its files: %v\n%s", err, out)
	}
	c.fake.Collect()
	out, err = v.command("logs", "--workers", "victim.sweep").CombinedOutput()
	if err != nil || !strings.Contains(string(out), "no worker of this sweep is known") {
		t.Errorf("after garbage collection: %v\n%s", err, out)
	}
}
