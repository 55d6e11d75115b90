package main

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/fanout-dev/fanout/internal/kernel/kerneltest"
	"github.com/fanout-dev/fanout/internal/nomad/nomadtest"
)

// BenchmarkController measures a controller that has ten thousand allocations
// of one run under way: its memory, and its share of a core while nothing
// happens.
func BenchmarkController(b *testing.B) {
	const runs, watch = 10_000, 30 * time.Second
	server := nomadtest.New(b)
	server.Idle()
	dir := b.TempDir()
	if err := kerneltest.InstallSpec(filepath.Join(dir, "jupyter"), nil); err != nil {
		b.Fatal(err)
	}
	spec := fmt.Sprintf("name: wide\ntemplate: t.ipynb\ngrid:\n  x: {range: {from: 1, to: %d}}\nnomad: {command: /bin/true, runs_per_job: 1, max_parallel: %d}\n", runs, runs)
	for name, data := range map[string][]byte{"t.ipynb": notebookOf("fake", "python", []string{"x = 0"}), "sweep.yaml": []byte(spec)} {
		if err := os.WriteFile(filepath.Join(dir, name), data, 0o666); err != nil {
			b.Fatal(err)
		}
	}
	program := filepath.Join(dir, "fanout")
	if out, err := exec.Command("go", "build", "-o", program, ".").CombinedOutput(); err != nil {
		b.Fatalf("%v\n%s", err, out)
	}
	for range b.N {
		cmd := exec.Command(program, "run", "--on", "nomad", "--no-progress", "--no-canary", "sweep.yaml")
		cmd.Dir = dir
		cmd.Env = append(os.Environ(), "NOMAD_ADDR="+server.URL, "JUPYTER_PATH="+filepath.Join(dir, "jupyter"))
		begin := time.Now()
		if err := cmd.Start(); err != nil {
			b.Fatal(err)
		}
		for server.Running() < runs {
			time.Sleep(100 * time.Millisecond)
		}
		b.ReportMetric(time.Since(begin).Seconds(), "s-to-dispatch")
		time.Sleep(3 * time.Second)
		before := cpuOf(b, cmd.Process.Pid)
		time.Sleep(watch)
		b.ReportMetric(100*(cpuOf(b, cmd.Process.Pid)-before).Seconds()/watch.Seconds(), "%core")
		b.ReportMetric(float64(rssOf(b, cmd.Process.Pid))/1e6, "RSS-MB")
		cmd.Process.Signal(syscall.SIGKILL)
		cmd.Wait()
		os.RemoveAll(filepath.Join(dir, "wide.sweep"))
	}
}

// cpuOf is the processor time that a process has used.
func cpuOf(b *testing.B, pid int) time.Duration {
	b.Helper()
	text, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	if err != nil {
		b.Fatal(err)
	}
	fields := strings.Fields(string(text[strings.LastIndexByte(string(text), ')')+2:]))
	user, _ := strconv.Atoi(fields[11])
	system, _ := strconv.Atoi(fields[12])
	return time.Duration(user+system) * time.Second / 100 // clock ticks, which Linux counts in hundredths
}

// rssOf is what a process has in memory now, in bytes.
func rssOf(b *testing.B, pid int) int64 {
	b.Helper()
	text, err := os.ReadFile(fmt.Sprintf("/proc/%d/statm", pid))
	if err != nil {
		b.Fatal(err)
	}
	pages, _ := strconv.ParseInt(strings.Fields(string(text))[1], 10, 64)
	return pages * int64(os.Getpagesize())
}
