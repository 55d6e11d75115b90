package main

import (
	"encoding/json"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/hashicorp/nomad/api"
)

// childrenOf are the jobs on the cluster that execute shards and have not ended, with what
// is said of them.
func childrenOf(t *testing.T) (live []api.JobListStub) {
	t.Helper()
	res, err := http.Get(os.Getenv("NOMAD_ADDR") + "/v1/jobs?prefix=fanout-&meta=true")
	if err != nil {
		t.Error(err)
		return nil
	}
	defer res.Body.Close()
	var all []api.JobListStub
	if err := json.NewDecoder(res.Body).Decode(&all); err != nil {
		t.Error(err)
	}
	for _, j := range all {
		if strings.Contains(j.ID, "/dispatch-") && j.Status != "dead" {
			live = append(live, j)
		}
	}
	return live
}

// Two sweeps of a class share its bound of two allocations, which they exceed by one at
// most; and jobs say which runs they execute.
func TestClassOnNomad(t *testing.T) {
	testCluster(t)
	first := fakeSweep(t, "{x: [1, 2, 3, 4, 5]}", "x = 0", "sleep 1s", "scrap y $x")
	dir := filepath.Dir(first)
	t.Setenv("FANOUT_JUPYTER_PATH", filepath.Join(dir, "jupyter"))
	config := filepath.Join(dir, "fanout.yaml")
	text := fmt.Sprintf("on: nomad\nnomad: {command: %s, runs_per_job: 1, max_parallel: 4, class: gpu}\nclasses: {gpu: {class_parallel: 2}}\n", workerBinary(t))
	if err := os.WriteFile(config, []byte(text), 0o666); err != nil {
		t.Fatal(err)
	}
	var sweeps sync.WaitGroup
	for _, name := range []string{"a", "b"} {
		sweeps.Go(func() {
			if code, _, stderr := fanout(t, "run", first, "--config", config, "--no-canary", "-o", filepath.Join(dir, name+".sweep")); code != exitOK {
				t.Errorf("%s: %d: %s", name, code, stderr)
			}
		})
	}
	over := make(chan struct{})
	go func() { sweeps.Wait(); close(over) }()
	most, both, about := 0, false, map[string]string{}
	for done := false; !done; {
		select {
		case <-over:
			done = true
		case <-time.After(100 * time.Millisecond):
		}
		live, owners := childrenOf(t), map[string]bool{}
		for _, j := range live {
			about, owners[j.Meta["fanout_sweep"]] = j.Meta, true
		}
		most, both = max(most, len(live)), both || len(owners) == 2
	}
	if most < 2 || most > 3 || !both {
		t.Errorf("%d allocations at once, of both sweeps: %v", most, both)
	}
	t.Logf("%d allocations at once", most)
	if about["fanout_class"] != "gpu" || about["fanout_count"] != "1" || len(about["fanout_runs"]) != 16 || !strings.HasPrefix(about["fanout_names"], "x=") {
		t.Errorf("a job says %q", about)
	}
}
