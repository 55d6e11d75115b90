// Command finished writes a sweep of many runs that all succeeded, without a
// kernel: what status, ls and collect are measured on.
//
//	go run ./bench/finished [-open BYTES] [-metrics N] DIR RUNS
//
// DIR gets a sweep file, a template and s.sweep. Each run recorded three
// scraps, and with -open also an image of that size and a scrap that is not in
// the sweep's log, so that the notebook has to be opened for it. With -metrics
// the grid has four axes — ten variants, five regions, dates and four
// replicates — and each run that many metrics. It prints how long planning
// took.
package main

import (
	"context"
	"crypto/sha256"
	"encoding/json"
	"flag"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/fanout-dev/fanout/internal/draft"
	"github.com/fanout-dev/fanout/internal/notebook"
	"github.com/fanout-dev/fanout/internal/outcome"
	"github.com/fanout-dev/fanout/internal/store"
	"github.com/fanout-dev/fanout/internal/sweep"
)

const template = `{"cells": [
 {"cell_type": "code", "id": "a", "metadata": {"tags": ["parameters"]}, "source": "x = 0\nregion = 'a'\nday = ''\nseed = 0", "outputs": [], "execution_count": null},
 {"cell_type": "code", "id": "b", "metadata": {}, "source": "glue('y', x * 2)", "outputs": [], "execution_count": null}
], "metadata": {"kernelspec": {"name": "python3", "display_name": "p", "language": "python"}, "language_info": {"name": "python"}}, "nbformat": 4, "nbformat_minor": 5}`

func main() {
	image := flag.Int("open", 0, "`bytes` of an image in each notebook")
	metrics := flag.Int("metrics", 0, "`number` of metrics, along four axes")
	flag.Parse()
	if flag.NArg() != 2 {
		fmt.Fprintln(os.Stderr, "usage: finished [-open BYTES] [-metrics N] DIR RUNS")
		os.Exit(2)
	}
	n, err := strconv.Atoi(flag.Arg(1))
	if err == nil {
		err = write(context.Background(), flag.Arg(0), n, recorded{strings.Repeat("A", *image), *metrics})
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

// recorded is what each run records besides three scraps.
type recorded struct {
	image   string
	metrics int
}

// specOf is the sweep file of n runs.
func specOf(n int, r recorded) string {
	head := "name: s\ntemplate: t.ipynb\nmax_runs: 10000000\n"
	if r.metrics == 0 {
		return head + fmt.Sprintf("grid:\n  x: {range: {from: 1, to: %d}}\n  region: [apac, emea]\nmetrics: {y: {goal: maximize}}\n", n/2)
	}
	last := time.Date(2026, time.January, 1, 0, 0, 0, 0, time.UTC).AddDate(0, 0, n/200)
	var b strings.Builder
	fmt.Fprintf(&b, "%sgrid:\n  x: [0, 1, 2, 3, 4, 5, 6, 7, 8, 9]\n  region: [amer, anz, apac, emea, latam]\n  day: {dates: {from: 2026-01-01, to: %s}}\nrepeat: {n: 4, as: seed}\nbaseline: {x: 0}\nmetrics:\n", head, last.Format(time.DateOnly))
	for m := range r.metrics {
		fmt.Fprintf(&b, "  m%02d: {goal: maximize}\n", m)
	}
	return b.String()
}

func write(ctx context.Context, dir string, n int, r recorded) error {
	spec := specOf(n, r)
	for name, text := range map[string]string{"sweep.yaml": spec, "t.ipynb": template} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o666); err != nil {
			return err
		}
	}
	d, err := draft.Read(ctx, draft.Source{File: filepath.Join(dir, "sweep.yaml"), AsOf: time.Now()})
	if err != nil {
		return err
	}
	out := filepath.Join(dir, "s.sweep")
	s, err := sweep.Init(ctx, store.Dir(out), "s")
	if err != nil {
		return err
	}
	if _, err := s.Acquire(ctx); err != nil {
		return err
	}
	defer s.Lease().Release()
	begin := time.Now()
	if err := d.Expand(ctx); err != nil {
		return err
	}
	d.SetSource(out)
	if _, err := s.Lease().Plan(ctx, d.Plan); err != nil {
		return err
	}
	fmt.Printf("planned %d runs in %.2f s\n", n, time.Since(begin).Seconds())
	return finish(ctx, s, r)
}

// finish ends every run, eight at a time: most of the time is the disk's.
func finish(ctx context.Context, s *sweep.Sweep, r recorded) error {
	runs := make(chan sweep.RunState)
	var workers sync.WaitGroup
	var first error
	var once sync.Once
	for range 8 {
		workers.Go(func() {
			for st := range runs {
				if err := end(ctx, s, st, r); err != nil {
					once.Do(func() { first = err })
				}
			}
		})
	}
	for _, st := range s.Runs() {
		runs <- st
	}
	close(runs)
	workers.Wait()
	return first
}

func end(ctx context.Context, s *sweep.Sweep, st sweep.RunState, r recorded) error {
	_, doc, err := s.TemplateOf(ctx, st.Run)
	if err != nil {
		return err
	}
	x, _ := strconv.Atoi(st.Run.Params[0].Value.String())
	last := doc.Cells[len(doc.Cells)-1]
	for name, value := range map[string]any{"y": 2 * x, "score": 1 / float64(x+1), "note": "fine"} {
		last.Outputs = append(last.Outputs, scrap(name, value))
	}
	noise := rand.New(rand.NewChaCha8(sha256.Sum256([]byte(st.Run.ID))))
	for m := range r.metrics {
		last.Outputs = append(last.Outputs, scrap(fmt.Sprintf("m%02d", m), 100+float64(x*m)/20+5*noise.NormFloat64()))
	}
	if r.image != "" {
		last.Outputs = append(last.Outputs, shown(r.image), scrap("lines", strings.Repeat("a line\n", 700)))
	}
	last.Touch()
	a, err := s.Lease().Begin(ctx, st.Run.ID, sweep.Began{Host: "bench"})
	if err != nil {
		return err
	}
	o := outcome.Outcome{Status: outcome.Succeeded, Start: a.At, End: a.At.Add(time.Second), CPU: time.Second, PeakRSS: 50e6, Kernel: "warm", Fingerprint: s.Current(st.Run)}
	return a.End(ctx, doc, o, nil)
}

func scrap(name string, value any) notebook.Output {
	data, err := json.Marshal(map[string]any{"name": name, "data": value, "encoder": "json", "version": 1})
	if err != nil {
		panic(err) // the values are ours
	}
	return notebook.Output{
		Type: "display_data", Data: map[string]json.RawMessage{"application/scrapbook.scrap.json+json": data},
		Metadata: map[string]any{"scrapbook": map[string]any{"name": name, "data": true, "display": false}},
	}
}

func shown(image string) notebook.Output {
	return notebook.Output{Type: "display_data", Data: map[string]json.RawMessage{"image/png": json.RawMessage(`"` + image + `"`)}}
}
