package local_test

import (
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/fanout-dev/fanout/internal/kernel/kerneltest"
	"github.com/fanout-dev/fanout/internal/local"
	"github.com/fanout-dev/fanout/internal/outcome"
	"github.com/fanout-dev/fanout/internal/sweep"
)

// BenchmarkRuns is the cost of a run on the fake kernel, its process included.
func BenchmarkRuns(b *testing.B) {
	p := settle(b, "fake", sweep.Recipe{}, nil, nil, b.N, "print a", "scrap y $x")
	p.measure(b, local.Options{Environ: environ(b, "JUPYTER_PATH="+p.specs)})
}

// BenchmarkWarmRuns is the cost of a trivial run of Python on a warm kernel: how much
// CPU time this process takes, and how much the kernel.
func BenchmarkWarmRuns(b *testing.B) {
	p := settle(b, "python3", sweep.Recipe{}, nil, nil, b.N, "y = x * 2", "print(y)")
	p.measure(b, local.Options{Environ: venvEnv(b, kerneltest.Python(b))})
}

func (p place) measure(b *testing.B, o local.Options) {
	o.Jobs = 2
	for _, st := range p.Runs() {
		o.Queue = append(o.Queue, st.Run.ID)
	}
	e, err := local.New(b.Context(), p.Sweep, o)
	if err != nil {
		b.Fatal(err)
	}
	defer e.Close()
	execute := func(id string) {
		if err := e.Execute(b.Context(), sweep.Shard{ID: id, Runs: []string{id}}, func(sweep.Note) {}); err != nil {
			b.Error(err)
		}
	}
	execute(o.Queue[0]) // waits for the server
	ids := make(chan string)
	var wg sync.WaitGroup
	for range o.Jobs {
		wg.Go(func() {
			for id := range ids {
				execute(id)
			}
		})
	}
	own := ownCPU()
	b.ResetTimer()
	for _, id := range o.Queue[1:] {
		ids <- id
	}
	close(ids)
	wg.Wait()
	b.StopTimer()
	own = ownCPU() - own
	var kernels time.Duration
	for _, st := range p.Runs() {
		if st.Status != outcome.Succeeded {
			b.Fatalf("%+v", st.Last)
		}
		kernels += st.Last.CPU
	}
	ms := func(d time.Duration) float64 { return d.Seconds() * 1000 / float64(b.N) }
	b.ReportMetric(ms(own), "own-cpu-ms/op")
	b.ReportMetric(ms(kernels), "kernel-cpu-ms/op")
}

func ownCPU() time.Duration {
	var ru syscall.Rusage
	if syscall.Getrusage(syscall.RUSAGE_SELF, &ru) != nil {
		return 0
	}
	return time.Duration(ru.Utime.Nano() + ru.Stime.Nano())
}
