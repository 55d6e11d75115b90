package main

import (
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"
)

// serviceAt is where Nomad says that a service is; "" if there is none.
func serviceAt(t *testing.T, name string) string {
	t.Helper()
	res, err := http.Get(os.Getenv("NOMAD_ADDR") + "/v1/service/" + name)
	if err != nil {
		t.Fatal(err)
	}
	defer res.Body.Close()
	var all []struct {
		Address string
		Port    int
	}
	if err := json.NewDecoder(res.Body).Decode(&all); err != nil || len(all) == 0 {
		return ""
	}
	return fmt.Sprintf("%s:%d", all[0].Address, all[0].Port)
}

// The job of the document gives each worker a port, at which Prometheus gets its numbers.
func TestWorkerMetricsOnNomad(t *testing.T) {
	if c := testCluster(t); c.real == nil {
		t.Skip("nomad is not on PATH: the stand-in lists no services")
	}
	job := regexp.MustCompile("(?s)```hcl\n(job .*?)```").FindStringSubmatch(read(t, "../../docs/observing.md"))
	if job == nil {
		t.Fatal("docs/observing.md has no job")
	}
	file := fakeSweep(t, "{x: [1, 2]}", "x = 0", "sleep 4s", "scrap y $x")
	dir := filepath.Dir(file)
	t.Setenv("FANOUT_JUPYTER_PATH", filepath.Join(dir, "jupyter"))
	for name, text := range map[string]string{
		"job.nomad.hcl": job[1],
		"sweep.yaml":    "name: watched\ntemplate: t.ipynb\ngrid: {x: [1, 2]}\nnomad: {job: job.nomad.hcl, runs_per_job: 2, command: " + workerBinary(t) + "}\n",
	} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o666); err != nil {
			t.Fatal(err)
		}
	}
	over := make(chan string)
	go func() {
		code, _, stderr := fanout(t, "run", "--on", "nomad", "--no-canary", file)
		over <- fmt.Sprintf("%d: %s", code, stderr)
	}()
	got := ""
	for end := ""; end == "" && !strings.Contains(got, `fanout_attempts_total{reason="",role="worker",status="succeeded",step="",sweep="watched"} 1`); {
		select {
		case end = <-over:
			t.Fatalf("it ended, and no worker had said that a run succeeded: %s\n%s", got, end)
		case <-time.After(100 * time.Millisecond):
		}
		at := serviceAt(t, "fanout-worker")
		if at == "" {
			continue
		}
		if res, err := http.Get("http://" + at + "/metrics"); err == nil { // the worker may not listen yet
			text, _ := io.ReadAll(res.Body)
			res.Body.Close()
			got = string(text)
		}
	}
	if !strings.Contains(got, `fanout_store_requests_total{operation="put",role="worker"}`) || !strings.Contains(got, "process_resident_memory_bytes") {
		t.Errorf("%s", got)
	}
	if end := <-over; !strings.HasPrefix(end, "0: ") {
		t.Error(end)
	}
}
