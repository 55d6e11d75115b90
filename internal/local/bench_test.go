package local_test

import (
	"sync"
	"testing"

	"github.com/fanout-dev/fanout/internal/local"
	"github.com/fanout-dev/fanout/internal/outcome"
	"github.com/fanout-dev/fanout/internal/sweep"
)

// BenchmarkRuns is the cost of a run on the fake kernel, its process included.
func BenchmarkRuns(b *testing.B) {
	p := settle(b, "fake", sweep.Recipe{}, nil, nil, b.N, "print a", "scrap y $x")
	o := local.Options{Jobs: 2, Environ: environ(b, "JUPYTER_PATH="+p.specs)}
	e, err := local.New(b.Context(), p.Sweep, o)
	if err != nil {
		b.Fatal(err)
	}
	defer e.Close()
	ids := make(chan string)
	var wg sync.WaitGroup
	for range o.Jobs {
		wg.Go(func() {
			for id := range ids {
				if err := e.Execute(b.Context(), sweep.Shard{ID: id, Runs: []string{id}}, func(sweep.Note) {}); err != nil {
					b.Error(err)
				}
			}
		})
	}
	b.ResetTimer()
	for _, st := range p.Runs() {
		ids <- st.Run.ID
	}
	close(ids)
	wg.Wait()
	b.StopTimer()
	for _, st := range p.Runs() {
		if st.Status != outcome.Succeeded {
			b.Fatalf("%+v", st.Last)
		}
	}
}
