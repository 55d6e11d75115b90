package kernel_test

import (
	"context"
	"os"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/fanout-dev/fanout/internal/kernel"
)

// cpuOf is the processor time of a living process.
func cpuOf(pid int) time.Duration {
	b, _ := os.ReadFile("/proc/" + strconv.Itoa(pid) + "/stat")
	_, rest, _ := strings.Cut(string(b), ") ")
	f := strings.Fields(rest)
	if len(f) < 13 {
		return 0
	}
	u, _ := strconv.Atoi(f[11])
	s, _ := strconv.Atoi(f[12])
	return time.Duration(u+s) * 10 * time.Millisecond
}

// lifecycles runs kernels of one trivial cell, two at a time.
func lifecycles(b *testing.B, start func() (*kernel.Kernel, error)) {
	var cpu, took, closed time.Duration
	b.ResetTimer()
	b.SetParallelism(1)
	type result struct{ cpu, took, closed time.Duration }
	results := make(chan result, b.N)
	self := cpuOf(os.Getpid())
	b.RunParallel(func(pb *testing.PB) {
		for pb.Next() {
			k, err := start()
			if err != nil {
				b.Error(err)
				return
			}
			if _, err := k.Execute(context.Background(), "print(1)", kernel.ExecuteOptions{}, func(kernel.Message) {}); err != nil {
				b.Error(err)
			}
			began := time.Now()
			x := k.Close(10 * time.Second)
			results <- result{x.CPU, k.StartTook(), time.Since(began)}
		}
	})
	self = cpuOf(os.Getpid()) - self
	close(results)
	n := time.Duration(0)
	for r := range results {
		cpu, took, closed, n = cpu+r.cpu, took+r.took, closed+r.closed, n+1
	}
	ms := func(d time.Duration) float64 { return float64(d/max(n, 1)) / 1e6 }
	b.ReportMetric(ms(cpu), "kernel-cpu-ms")
	b.ReportMetric(ms(self), "own-cpu-ms")
	b.ReportMetric(ms(took), "start-ms")
	b.ReportMetric(ms(closed), "close-ms")
}

func BenchmarkFake(b *testing.B) {
	s := fakeSpec(b, "fake", "")
	lifecycles(b, func() (*kernel.Kernel, error) { return kernel.Launch(context.Background(), s, kernel.Options{}) })
}

func BenchmarkCold(b *testing.B) {
	s := pythonSpec(b)
	lifecycles(b, func() (*kernel.Kernel, error) { return kernel.Launch(context.Background(), s, kernel.Options{}) })
}

func BenchmarkWarm(b *testing.B) {
	for _, imports := range []string{"", "pandas sklearn.linear_model"} {
		b.Run(imports, func(b *testing.B) {
			srv := serve(b, pythonSpec(b), kernel.ServerOptions{Imports: strings.Fields(imports)})
			before := cpuOf(srv.Pid())
			lifecycles(b, func() (*kernel.Kernel, error) { return srv.Launch(context.Background(), kernel.Options{}) })
			b.ReportMetric(float64((cpuOf(srv.Pid())-before)/time.Duration(b.N))/1e6, "server-cpu-ms")
		})
	}
}
