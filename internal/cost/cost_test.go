package cost_test

import (
	"fmt"
	"math"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/fanout-dev/fanout/internal/cost"
	"github.com/fanout-dev/fanout/internal/grid"
	"github.com/fanout-dev/fanout/internal/outcome"
	"github.com/fanout-dev/fanout/internal/store"
	"github.com/fanout-dev/fanout/internal/sweep"
	"github.com/fanout-dev/fanout/internal/sweep/sweeptest"
	"github.com/fanout-dev/fanout/internal/value"
)

const template = `{"cells": [{"cell_type": "code", "execution_count": null, "id": "a", "metadata": {"tags": ["parameters"]}, "outputs": [], "source": "x = 0"}],
 "metadata": {"kernelspec": {"display_name": "p", "language": "python", "name": "python3"}}, "nbformat": 4, "nbformat_minor": 5}`

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// swept is a sweep over two regions and four days, of which took says what each run took.
func swept(t *testing.T, took func(region string, day int) outcome.Outcome) *sweep.Sweep {
	t.Helper()
	spec, err := grid.Decode("s.yaml", []byte("template: t.ipynb\ngrid: {x: [0]}\n"))
	must(t, err)
	p := sweep.Plan{TemplateDocs: [][]byte{[]byte(template)}, Spec: spec}
	p.Name, p.Source, p.Templates = "s", "..", []sweep.Template{{Path: "t.ipynb", Code: "code"}}
	p.Axes = []grid.Axis{{Name: "region", Kind: "param"}, {Name: "day", Kind: "param"}}
	for _, region := range []string{"apac", "emea"} {
		for day := range 4 {
			r, err := value.Of(region)
			must(t, err)
			d, err := value.Of(day)
			must(t, err)
			p.Runs = append(p.Runs, sweep.Run{ID: fmt.Sprintf("%s%012d", region, day), Params: []value.Binding{{Name: "region", Value: r}, {Name: "day", Value: d}}})
		}
	}
	st := store.Mem()
	s, err := sweep.Init(t.Context(), st, "s")
	must(t, err)
	_, err = s.Acquire(t.Context())
	must(t, err)
	_, err = s.Lease().Plan(t.Context(), p)
	must(t, err)
	must(t, sweeptest.Fill(t.Context(), s, func(i int, _ sweep.RunState) (e sweeptest.End) {
		e.Outcome = took(p.Runs[i].Params[0].Value.Text(), i%4)
		return e
	}))
	must(t, s.Lease().Release())
	s, err = sweep.Open(t.Context(), st)
	must(t, err)
	return s
}

func ended(wall, cpu time.Duration, memory int64) outcome.Outcome {
	begin := time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)
	return outcome.Outcome{Status: outcome.Succeeded, Start: begin, End: begin.Add(wall), CPU: cpu, PeakRSS: memory}
}

func TestUnequal(t *testing.T) {
	c := cost.Of(swept(t, func(region string, day int) outcome.Outcome {
		if region == "apac" {
			return ended(3*time.Second, 2*time.Second, 100)
		}
		return ended(time.Second, time.Second/2, int64(day))
	}))
	if c.Runs != 8 || c.Wall != 16*time.Second || c.CPU != 10*time.Second {
		t.Errorf("%d runs took %v, of CPU %v", c.Runs, c.Wall, c.CPU)
	}
	want := []cost.Axis{{Name: "region", Values: []cost.Value{
		{Name: "apac", Runs: 4, Wall: 12 * time.Second, CPU: 8 * time.Second, Memory: 100},
		{Name: "emea", Runs: 4, Wall: 4 * time.Second, CPU: 2 * time.Second, Memory: 3},
	}}}
	if diff := cmp.Diff(want, c.Axes); diff != "" {
		t.Errorf("axes (-want +got):\n%s", diff)
	}
	if share := c.Share(c.Axes[0].Values[0]); math.Abs(share-0.8) > 1e-12 {
		t.Errorf("apac took %v of it", share)
	}
	if len(c.Slowest) != cost.Named || c.Slowest[0].Name != "region=apac day=0" || c.Slowest[3].Name != "region=apac day=3" || c.Slowest[4].Name != "region=emea day=0" {
		t.Errorf("slowest: %v", c.Slowest)
	}
	if len(c.Hungriest) != cost.Named || c.Hungriest[4].Name != "region=emea day=3" {
		t.Errorf("hungriest: %v", c.Hungriest)
	}
}

// Where CPU time is unknown, shares are of time; where all took the same, no axis is told.
func TestUnknownAndEqual(t *testing.T) {
	c := cost.Of(swept(t, func(_ string, day int) outcome.Outcome { return ended(time.Duration(day+1)*time.Second, 0, 0) }))
	if len(c.Axes) != 1 || c.Axes[0].Name != "day" || c.Axes[0].Values[0].Name != "3" || c.Share(c.Axes[0].Values[0]) != 0.4 || c.Hungriest != nil {
		t.Errorf("%+v", c)
	}
	if c := cost.Of(swept(t, func(string, int) outcome.Outcome { return ended(time.Second, time.Second, 1) })); c.Axes != nil {
		t.Errorf("all are equal: %+v", c.Axes)
	}
	if c := cost.Of(swept(t, func(string, int) outcome.Outcome { return outcome.Outcome{} })); c.Runs != 0 || c.Slowest != nil {
		t.Errorf("nothing ended: %+v", c)
	}
}
