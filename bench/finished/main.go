// Command finished writes a sweep of many runs that all succeeded, without a
// kernel: what status, ls and collect are measured on.
//
//	go run ./bench/finished [-open BYTES] DIR RUNS
//
// DIR gets a sweep file, a template and s.sweep. Each run recorded three
// scraps, and with -open also an image of that size and a scrap that is not in
// the sweep's log, so that the notebook has to be opened for it. It prints how
// long planning took.
package main

import (
	"context"
	"encoding/json"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/fanout-dev/fanout/internal/notebook"
	"github.com/fanout-dev/fanout/internal/store"
	"github.com/fanout-dev/fanout/internal/sweep"
)

const template = `{"cells": [
 {"cell_type": "code", "id": "a", "metadata": {"tags": ["parameters"]}, "source": "x = 0\nregion = 'a'", "outputs": [], "execution_count": null},
 {"cell_type": "code", "id": "b", "metadata": {}, "source": "glue('y', x * 2)", "outputs": [], "execution_count": null}
], "metadata": {"kernelspec": {"name": "python3", "display_name": "p", "language": "python"}, "language_info": {"name": "python"}}, "nbformat": 4, "nbformat_minor": 5}`

func main() {
	image := flag.Int("open", 0, "`bytes` of an image in each notebook")
	flag.Parse()
	if flag.NArg() != 2 {
		fmt.Fprintln(os.Stderr, "usage: finished [-open BYTES] DIR RUNS")
		os.Exit(2)
	}
	n, err := strconv.Atoi(flag.Arg(1))
	if err == nil {
		err = write(context.Background(), flag.Arg(0), n, strings.Repeat("A", *image))
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

func write(ctx context.Context, dir string, n int, image string) error {
	spec := fmt.Sprintf("name: s\ntemplate: t.ipynb\nmax_runs: 10000000\ngrid:\n  x: {range: {from: 1, to: %d}}\n  region: [apac, emea]\nmetrics: {y: {goal: maximize}}\n", n/2)
	for name, text := range map[string]string{"sweep.yaml": spec, "t.ipynb": template} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o666); err != nil {
			return err
		}
	}
	d, err := sweep.Read(ctx, sweep.Source{File: filepath.Join(dir, "sweep.yaml"), Text: []byte(spec), AsOf: time.Now()})
	if err != nil {
		return err
	}
	out := filepath.Join(dir, "s.sweep")
	s, err := sweep.Init(ctx, store.Dir(out), "s")
	if err != nil {
		return err
	}
	if err := s.Acquire(ctx); err != nil {
		return err
	}
	defer s.Release()
	begin := time.Now()
	if err := d.Expand(ctx); err != nil {
		return err
	}
	d.SetSource(out)
	if _, err := s.Plan(ctx, d.Plan); err != nil {
		return err
	}
	fmt.Printf("planned %d runs in %.2f s\n", n, time.Since(begin).Seconds())
	return finish(ctx, s, image)
}

// finish ends every run, eight at a time: most of the time is the disk's.
func finish(ctx context.Context, s *sweep.Sweep, image string) error {
	runs := make(chan sweep.RunState)
	var workers sync.WaitGroup
	var first error
	var once sync.Once
	for range 8 {
		workers.Go(func() {
			for st := range runs {
				if err := end(ctx, s, st, image); err != nil {
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

func end(ctx context.Context, s *sweep.Sweep, st sweep.RunState, image string) error {
	_, doc, err := s.TemplateOf(ctx, st.Run)
	if err != nil {
		return err
	}
	x, _ := strconv.Atoi(st.Run.Params[0].Value.String())
	last := doc.Cells[len(doc.Cells)-1]
	for name, value := range map[string]any{"y": 2 * x, "score": 1 / float64(x), "note": "fine"} {
		last.Outputs = append(last.Outputs, scrap(name, value))
	}
	if image != "" {
		last.Outputs = append(last.Outputs, shown(image), scrap("lines", strings.Repeat("a line\n", 700)))
	}
	last.Touch()
	a, err := s.Begin(ctx, st.Run.ID, sweep.Began{Host: "bench"})
	if err != nil {
		return err
	}
	o := sweep.Outcome{Status: sweep.Succeeded, Start: a.At, End: a.At.Add(time.Second), CPU: time.Second, PeakRSS: 50e6, Kernel: "warm", Fingerprint: s.Current(st.Run)}
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
