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
	spec := fmt.Sprintf("name: wide\ntemplate: t.ipynb\ngrid:\n  x: {range: {from: 1, to: %d}}\nnomad: {command: /bin/true, runs_per_job: 1, max_parallel: %d}\n", runs, runs)
	program, dir := programWith(b, map[string][]byte{"t.ipynb": notebookOf("fake", "python", []string{"x = 0"}), "sweep.yaml": []byte(spec)})
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

// BenchmarkControllerSteps measures a controller that executes a sweep with three
// steps on this machine: a hundred regions on each of so many days are extracted and
// reported, and each day is summed up. Kernels only do as they are told, and what they
// use is not counted. What a run costs more than one of a sweep without steps, which has
// as many runs, is what the steps cost: which runs may begin, and feeding them.
func BenchmarkControllerSteps(b *testing.B) {
	for _, days := range []int{3, 30, 365} {
		b.Run(fmt.Sprintf("days=%d", days), func(b *testing.B) {
			if days > 3 && os.Getenv("FANOUT_TEST_LONG") == "" {
				b.Skip("takes long: FANOUT_TEST_LONG=1, and -timeout 6h")
			}
			for range b.N {
				controlSteps(b, 100, days)
			}
		})
	}
}

func controlSteps(b *testing.B, regions, days int) {
	runs := days * (2*regions + 1)
	spec := fmt.Sprintf(`name: chain
max_runs: %d
steps:
  extract: {template: extract.ipynb}
  report: {template: report.ipynb, needs: extract, with: {rows: extract.rows}}
  world: {template: world.ipynb, needs: report, over: day, with: {total: 'sum(map(report, .twice))'}}
grid:
  region: {range: {from: 1, to: %d}}
  day: {range: {from: 1, to: %d}}
`, runs, regions, days)
	plain := fmt.Sprintf("name: plain\ntemplate: extract.ipynb\nmax_runs: %d\ngrid:\n  region: {range: {from: 1, to: %d}}\n  day: {range: {from: 1, to: %d}}\n", runs, 2*regions+1, days)
	program, dir := programWith(b, map[string][]byte{
		"sweep.yaml":    []byte(spec),
		"plain.yaml":    []byte(plain),
		"extract.ipynb": notebookOf("fake", "python", []string{"region = 0\nday = 0", "scrap rows $day"}),
		"report.ipynb":  notebookOf("fake", "python", []string{"region = 0\nday = 0\nrows = 0", "scrap twice $rows"}),
		"world.ipynb":   notebookOf("fake", "python", []string{"day = 0\ntotal = 0", "scrap total $total"}),
	})
	used := measure(b, program, dir, "run", "--no-progress", "sweep.yaml")
	status := measure(b, program, dir, "status", "chain.sweep", "--json")
	if want := fmt.Sprintf(`"succeeded":%d`, runs); !strings.Contains(strings.Join(strings.Fields(status.out), ""), want) {
		b.Fatalf("its status lacks %s:\n%s", want, status.out)
	}
	alone := measure(b, program, dir, "run", "--no-progress", "plain.yaml")
	b.ReportMetric(float64(runs), "runs")
	b.ReportMetric(1000*used.cpu.Seconds()/float64(runs), "CPU-ms/run")
	b.ReportMetric(1000*(used.cpu-alone.cpu).Seconds()/float64(runs), "CPU-ms/run-of-steps")
	b.ReportMetric(1000*used.wall.Seconds()/float64(runs), "ms/run")
	b.ReportMetric(float64(used.peak)/1e6, "peak-MB")
	b.ReportMetric(status.wall.Seconds(), "s-status")
	b.ReportMetric(status.cpu.Seconds(), "CPU-s-status")
	b.ReportMetric(float64(status.peak)/1e6, "peak-MB-status")
}

// A usage is what a command has used, without its children.
type usage struct {
	wall, cpu time.Duration
	peak      int64 // of memory, in bytes
	out       string
}

// measure executes a command, which is to succeed, and looks at it ten times a second,
// and more often in the beginning, since some take no longer.
func measure(b *testing.B, program, dir string, args ...string) (u usage) {
	b.Helper()
	var out strings.Builder
	cmd := exec.Command(program, args...)
	cmd.Dir, cmd.Stdout, cmd.Stderr = dir, &out, &out
	cmd.Env = append(os.Environ(), "JUPYTER_PATH="+filepath.Join(dir, "jupyter"))
	begin := time.Now()
	if err := cmd.Start(); err != nil {
		b.Fatal(err)
	}
	ended := make(chan error, 1)
	go func() { ended <- cmd.Wait() }()
	for wait := 2 * time.Millisecond; ; wait = min(2*wait, 100*time.Millisecond) {
		select {
		case err := <-ended:
			if u.wall, u.out = time.Since(begin), out.String(); err != nil {
				b.Fatalf("%v: %v\n%s", args, err, u.out)
			}
			return u
		case <-time.After(wait):
			peak, alive := peakOf(cmd.Process.Pid)
			if cpu, err := cpuSoFar(cmd.Process.Pid); alive && err == nil {
				u.cpu, u.peak = cpu, peak
			}
		}
	}
}

// programWith builds the program, and makes a folder with these files, in which it
// finds the kernel that does as it is told.
func programWith(b *testing.B, files map[string][]byte) (program, dir string) {
	b.Helper()
	dir = b.TempDir()
	if err := kerneltest.InstallSpec(filepath.Join(dir, "jupyter"), nil); err != nil {
		b.Fatal(err)
	}
	for name, data := range files {
		if err := os.WriteFile(filepath.Join(dir, name), data, 0o666); err != nil {
			b.Fatal(err)
		}
	}
	program = filepath.Join(dir, "fanout")
	if out, err := exec.Command("go", "build", "-o", program, ".").CombinedOutput(); err != nil {
		b.Fatalf("%v\n%s", err, out)
	}
	return program, dir
}

// peakOf is the most that a process had in memory so far, in bytes.
func peakOf(pid int) (int64, bool) {
	text, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", pid))
	_, after, found := strings.Cut(string(text), "VmHWM:")
	if err != nil || !found {
		return 0, false // it has ended
	}
	kb, err := strconv.ParseInt(strings.Fields(after)[0], 10, 64)
	return kb << 10, err == nil
}

// cpuOf is the processor time that a process has used.
func cpuOf(b *testing.B, pid int) time.Duration {
	b.Helper()
	cpu, err := cpuSoFar(pid)
	if err != nil {
		b.Fatal(err)
	}
	return cpu
}

func cpuSoFar(pid int) (time.Duration, error) {
	text, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	if err != nil {
		return 0, err
	}
	fields := strings.Fields(string(text[strings.LastIndexByte(string(text), ')')+2:]))
	user, _ := strconv.Atoi(fields[11])
	system, _ := strconv.Atoi(fields[12])
	return time.Duration(user+system) * time.Second / 100, nil // clock ticks, which Linux counts in hundredths
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
