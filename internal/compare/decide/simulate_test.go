package decide

import (
	"fmt"
	"math"
	"math/rand/v2"
	"os"
	"slices"
	"testing"

	"github.com/fanout-dev/fanout/internal/compare"
	"github.com/fanout-dev/fanout/internal/table"
	"github.com/fanout-dev/fanout/internal/value"
)

// A shape draws the value of one run; common is what its replicate does to all
// variants.
type shape func(r *rand.Rand, common float64) float64

var shapes = map[string]shape{
	"normal": func(r *rand.Rand, common float64) float64 { return 10 + common + r.NormFloat64() },
	"heavy": func(r *rand.Rand, common float64) float64 {
		return 10 + common + r.NormFloat64()/math.Sqrt(r.ExpFloat64())
	},
	"binary": func(r *rand.Rand, _ float64) float64 { return float64(r.IntN(2)) },
	"tied":   func(r *rand.Rand, common float64) float64 { return math.Round(10 + common + r.NormFloat64()) },
	"known":  func(r *rand.Rand, common float64) float64 { return 10 + common + r.NormFloat64() }, // beside what was known before, by which it is adjusted
	"drift":  func(r *rand.Rand, common float64) float64 { return 10 + common + r.NormFloat64() }, // common resembles that of the last replicate
}

// A scenario is a kind of sweep. Of those with an effect, variant 1 is better by
// that much, by the first metric.
type scenario struct {
	shape             string
	variants, metrics int
	first, most       int
	effect, matters   float64 // min_effect
}

// rows are the table of docs/statistics.md.
var rows = []scenario{
	{"normal", 1, 1, 5, 60, 0, 0},
	{"heavy", 4, 1, 5, 60, 0, 0},
	{"binary", 4, 1, 10, 60, 0, 0},
	{"tied", 4, 3, 5, 60, 0, 0},
	{"drift", 10, 1, 5, 60, 0, 0},
	{"normal", 10, 3, 5, 40, 0, 0},
	{"normal", 1, 1, 40, 60, 0, 0},
	{"normal", 1, 1, 2, 210, 0, 0},
	{"normal", 1, 1, 5, 60, 0, 0.8},
	{"normal", 1, 1, 5, 60, 0.55, 0},
	{"normal", 1, 1, 5, 60, 1, 0},
	{"heavy", 4, 1, 5, 60, 1, 0},
	{"normal", 4, 1, 5, 60, 0.62, 0},
	{"normal", 1, 1, 40, 60, 0.55, 0},
	{"normal", 1, 1, 2, 210, 0.3, 0},
	{"known", 4, 1, 8, 60, 0, 0},
	{"binary", 1, 1, 10, 60, 0.26, 0},
	{"tied", 4, 3, 5, 60, 0.72, 0},
	{"drift", 10, 1, 5, 60, 0.68, 0},
}

// sweepOf is all runs that a sweep of a scenario may come to have.
func (c scenario) sweepOf(t *testing.T, r *rand.Rand) (*table.Table, compare.Options) {
	specs := []table.ColumnSpec{{Name: "run_id"}, {Name: "run_status"}, {Name: "variant", Role: table.RoleParameter}, {Name: "seed", Role: table.RoleParameter}}
	zero, _ := value.Of(0)
	o := compare.Options{Axes: []compare.Axis{{Name: "variant"}, {Name: "seed", Replicate: true}}, Baseline: []value.Binding{{Name: "variant", Value: zero}}}
	for i := range c.metrics {
		name := fmt.Sprintf("m%d", i)
		specs = append(specs, table.ColumnSpec{Name: name, Role: table.RoleScrap})
		o.Metrics = append(o.Metrics, compare.Metric{Name: name, Goal: "maximize", Primary: true, MinEffect: c.matters})
	}
	if c.shape == "known" {
		specs, o.Metrics[0].Adjust = append(specs, table.ColumnSpec{Name: "before", Role: table.RoleScrap}), "before"
	}
	var cells [][]any
	common, own := 0.0, make([]float64, c.variants+1)
	for seed := range c.most {
		if common = 0.9*common + r.NormFloat64(); c.shape != "drift" {
			common = r.NormFloat64()
		}
		for v := range c.variants + 1 {
			cell := []any{fmt.Sprintf("%d-%d", v, seed), "succeeded", v, seed}
			for m := range c.metrics {
				y := common
				if c.shape == "alone" { // each variant resembles its own last replicate
					own[v] = 0.5*own[v] + r.NormFloat64()
					y += own[v]
				} else {
					y = shapes[c.shape](r, common)
				}
				if v == 1 && m == 0 {
					y = c.planted(r, y, common)
				}
				if c.shape == "known" {
					before := r.NormFloat64()
					cell = append(cell, y+3*before, before)
					continue
				}
				cell = append(cell, y)
			}
			cells = append(cells, cell)
		}
	}
	tab, err := table.Build(specs, cells)
	if err != nil {
		t.Fatal(err)
	}
	return tab, o
}

// planted is a value with the effect: of what is counted another chance, of what is
// rounded a shift before that.
func (c scenario) planted(r *rand.Rand, y, common float64) float64 {
	switch {
	case c.effect == 0:
		return y
	case c.shape == "binary":
		return float64(count(r.Float64() < 0.5+c.effect))
	case c.shape == "tied":
		return math.Round(10 + common + c.effect + r.NormFloat64())
	}
	return y + c.effect
}

// lattice reports whether values lie so that no change of theirs is the effect.
func (c scenario) lattice() bool { return c.shape == "binary" || c.shape == "tied" }

// A course is how one sweep went.
type course struct {
	looks, runs  int
	false, found bool // some difference that is not there; the planted one, in its direction
	covered      []bool
	fixed        bool // a single look at the most replicates finds the planted one
}

func (c scenario) follow(t *testing.T, r *rand.Rand) (out course) {
	tab, o := c.sweepOf(t, r)
	rule := Rule{First: c.first, Most: c.most}
	replicates := make([]int, c.variants+1)
	var path Path
	for n := c.first; ; {
		for v := range replicates {
			key, _ := value.Of(v)
			replicates[v] = path.Replicates([]value.Value{key}, c.first)
		}
		o.Keep = func(row int) bool { return row/(c.variants+1) < replicates[row%(c.variants+1)] }
		look, err := path.Take(tab, o, rule, n)
		if err != nil {
			t.Fatal(err)
		}
		text, err := append(path, look).Encode() // what is stored is what counts
		if err != nil {
			t.Fatal(err)
		}
		if path, err = Decode(text); err != nil {
			t.Fatal(err)
		}
		if look.Next == 0 {
			break
		}
		n = look.Next
	}
	out.looks = len(path)
	for _, n := range replicates {
		out.runs += n
	}
	covered := map[string]bool{}
	for _, look := range path {
		for _, f := range look.Found {
			truth := 0.0
			planted := c.effect != 0 && f.Variant == "1" && f.Metric == "m0"
			if planted {
				truth = c.effect
			}
			key := f.Variant + " " + f.Metric
			if planted && c.lattice() {
				truth = math.Min(math.Max(truth, float64(f.Lo)), float64(f.Hi)) // no number to hold
			}
			if _, known := covered[key]; !known {
				covered[key] = true
			}
			covered[key] = covered[key] && float64(f.Lo) <= truth && truth <= float64(f.Hi)
			told := f.Verdict == compare.Better || f.Verdict == compare.Worse
			out.false = out.false || told && (!planted || f.Verdict == compare.Worse)
			out.found = out.found || planted && f.Verdict == compare.Better
		}
	}
	for _, ok := range covered {
		out.covered = append(out.covered, ok)
	}
	if c.effect != 0 {
		o.Keep, o.Brief = nil, true
		r, err := compare.Compare(tab, o)
		if err != nil {
			t.Fatal(err)
		}
		out.fixed = r.Metrics[0].Groups[1].Against.Verdict == compare.Better
	}
	return out
}

// TestLooks: a sweep that is looked at until it is decided tells a difference
// that is not there in at most alpha of all sweeps, its intervals hold, and it
// finds what a single look at the most replicates finds nearly as often.
// FANOUT_TEST_LONG=1 go test -run TestLooks -v prints the table of
// docs/statistics.md.
func TestLooks(t *testing.T) {
	sweeps, wanted := 100, rows[:3]
	if os.Getenv("FANOUT_TEST_LONG") != "" {
		sweeps, wanted = 2000, rows
	}
	for i, c := range wanted {
		t.Run(fmt.Sprintf("%02d", i), func(t *testing.T) { c.judge(t, rand.New(rand.NewPCG(uint64(i), 21)), sweeps) })
	}
}

// TestDriftingAlone: what is assumed is needed. Where each variant drifts by itself,
// differences that are not there are told far too often.
// go test -run TestDriftingAlone -v prints what docs/statistics.md says.
func TestDriftingAlone(t *testing.T) {
	sweeps := 300
	if os.Getenv("FANOUT_TEST_LONG") != "" {
		sweeps = 2000
	}
	c, r, wrong := scenario{"alone", 1, 1, 5, 60, 0, 0}, rand.New(rand.NewPCG(5, 21)), 0
	for range sweeps {
		wrong += count(c.follow(t, r).false)
	}
	share := float64(wrong) / float64(sweeps)
	t.Logf("%.1f%% of sweeps tell a difference that is not there", 100*share)
	if share < 0.1 {
		t.Errorf("%d of %d: the documents say that this is not covered", wrong, sweeps)
	}
}

// judge follows many sweeps of a scenario, and prints its row of the table.
func (c scenario) judge(t *testing.T, r *rand.Rand, sweeps int) {
	var wrong, found, fixed, covered, all, looks int
	var runs []int
	for range sweeps {
		out := c.follow(t, r)
		wrong, found, fixed = wrong+count(out.false), found+count(out.found), fixed+count(out.fixed)
		for _, ok := range out.covered {
			covered, all = covered+count(ok), all+1
		}
		looks, runs = max(looks, out.looks), append(runs, out.runs)
	}
	slices.Sort(runs)
	share := func(n, of int) float64 { return float64(n) / float64(of) }
	t.Logf("| %s | %d | %d | %d … %d | %d | %g | %g | %.2f%% | %.1f%% | %.1f%% | %.1f%% | %d of %d |", c.shape, c.variants, c.metrics, c.first, c.most, looks, c.effect, c.matters,
		100*share(wrong, sweeps), 100*share(covered, all), 100*share(found, sweeps), 100*share(fixed, sweeps), runs[sweeps/2], (c.variants+1)*c.most)
	if most := Alpha + 3*math.Sqrt(Alpha*(1-Alpha)/float64(sweeps)); share(wrong, sweeps) > most {
		t.Errorf("%+v: %d of %d sweeps tell a difference that is not there", c, wrong, sweeps)
	}
	if least := 0.95 - 3*math.Sqrt(0.95*0.05/float64(sweeps)); share(covered, all) < least {
		t.Errorf("%+v: %d of %d intervals hold the change at all looks", c, covered, all)
	}
	if lost := share(fixed-found, sweeps); lost > 0.03+3*math.Sqrt(0.03/float64(sweeps)) {
		t.Errorf("%+v: %d found, %d by a single look", c, found, fixed)
	}
}

func count(b bool) int {
	if b {
		return 1
	}
	return 0
}
