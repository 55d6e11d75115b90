package compare

import (
	"fmt"
	"math"
	"math/rand/v2"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/fanout-dev/fanout/internal/table"
	"github.com/fanout-dev/fanout/internal/value"
)

// row is one run of a test's table.
type row struct {
	variant, region  string
	seed             int
	status           string
	y, n             any
	stale, unplanned bool
	err              string
}

func tableOf(t *testing.T, rows []row) *table.Table {
	t.Helper()
	specs := []table.ColumnSpec{
		{Name: "run_id"}, {Name: "run_status"}, {Name: "run_reason_kind"}, {Name: "run_error"}, {Name: "run_planned"}, {Name: "run_stale"}, {Name: "run_code"},
		{Name: "variant", Role: table.RoleLabel}, {Name: "region", Role: table.RoleParameter}, {Name: "seed", Role: table.RoleParameter},
		{Name: "y", Role: table.RoleScrap}, {Name: "n", Role: table.RoleScrap},
	}
	var values [][]any
	for i, r := range rows {
		status := r.status
		if status == "" {
			status = "succeeded"
		}
		kind := ""
		if status == "failed" {
			kind = "exception"
		}
		values = append(values, []any{fmt.Sprintf("id%04d", i), status, kind, r.err, !r.unplanned, r.stale, "c", r.variant, r.region, r.seed, r.y, r.n})
	}
	table, err := table.Build(specs, values)
	if err != nil {
		t.Fatal(err)
	}
	return table
}

// at is a partial point of one axis.
func at(name string, x any) []value.Binding { return []value.Binding{{Name: name, Value: val(x)}} }

func val(x any) value.Value {
	v, err := value.Of(x)
	if err != nil {
		panic(err)
	}
	return v
}

var byValue = cmp.Comparer(value.Equal)

var axes = []Axis{{Name: "variant"}, {Name: "region"}, {Name: "seed", Replicate: true}}

func compareY(t *testing.T, rows []row, m Metric) MetricTable {
	t.Helper()
	m.Name = "y"
	r, err := Compare(tableOf(t, rows), Options{Metrics: []Metric{m}, Axes: axes, Baseline: at("variant", "a")})
	if err != nil {
		t.Fatal(err)
	}
	return r.Metrics[0]
}

// seeds makes n runs of two variants, b shifted against a.
func seeds(n int, shift float64) []row {
	rng := rand.New(rand.NewPCG(1, 2))
	var rows []row
	for seed := range n {
		common := rng.NormFloat64()
		rows = append(rows, row{variant: "a", region: "eu", seed: seed, y: 10 + common},
			row{variant: "b", region: "eu", seed: seed, y: 10 + common + shift + rng.NormFloat64()/100})
	}
	return rows
}

func TestPairedFindsWhatNoiseHides(t *testing.T) {
	mt := compareY(t, seeds(10, 0.1), Metric{Goal: "maximize"})
	a := mt.Groups[1].Against
	if !a.Paired || a.Pairs != 10 || a.Verdict != Better {
		t.Errorf("%+v", a)
	}
	if math.Abs(a.Shift-0.1) > 0.02 || a.Lo > 0.1 || a.Hi < 0.1 {
		t.Errorf("shift %v in [%v, %v]", a.Shift, a.Lo, a.Hi)
	}
	if !strings.Contains(mt.Verdict, "b (+") || !strings.Contains(mt.Verdict, "is better") {
		t.Errorf("verdict %q", mt.Verdict)
	}
}

func TestVerdicts(t *testing.T) {
	for _, c := range []struct {
		name  string
		rows  []row
		m     Metric
		want  Verdict
		words string
	}{
		{"worse", seeds(10, -0.1), Metric{Goal: "maximize"}, Worse, "is worse"},
		{"lower is better", seeds(10, -0.1), Metric{Goal: "minimize"}, Better, "is better"},
		{"no goal", seeds(10, 0.1), Metric{}, Different, "is different"},
		{"too few", seeds(3, 0.1), Metric{Goal: "maximize"}, TooFew, "too few runs"},
		{"nothing there", seeds(10, 0), Metric{Goal: "maximize"}, Unclear, "cannot be distinguished"},
		{"less than matters", seeds(10, 0.1), Metric{Goal: "maximize", MinEffect: 0.5}, Small, "by less than matters"},
		{"less than matters, relative", seeds(10, 0.1), Metric{Goal: "maximize", MinEffect: 0.05, MinEffectRelative: true}, Small, "by less than matters"},
		{"better by less than matters", seeds(10, 0.1), Metric{Goal: "maximize", MinEffect: 0.5, Unit: "EUR"}, Small, "is better than the baseline, a, but by less than matters (0.5 EUR)"},
		{"worse by less than matters", seeds(10, -0.1), Metric{Goal: "maximize", MinEffect: 0.05, MinEffectRelative: true}, Small, "is worse than the baseline, a, but by less than matters (5%)"},
		{"a guardrail that holds", seeds(10, 0.1), Metric{Goal: "maximize", Guardrail: true}, Unclear, "is not shown to be worse than the baseline"},
		{"a guardrail that breaks", seeds(10, -0.1), Metric{Goal: "maximize", Guardrail: true}, Worse, "is worse"},
		{"means", seeds(10, 0.1), Metric{Goal: "maximize", By: ByMean}, Better, "is better"},
		{"resampled means", seeds(10, 0.1), Metric{Goal: "maximize", By: ByBootstrap}, Better, "is better"},
		{"a hundredth, exactly", seeds(3, 0.1), Metric{Goal: "maximize", By: ByExact}, Better, "is better"},
		{"too few, and how many", seeds(3, 0.1), Metric{Goal: "maximize"}, TooFew, "about 6 runs a side, 3 more"},
		{"all pairs are there", seeds(10, 0.1), Metric{Goal: "maximize"}, Better, "Compared on 10 pairs."},
		{"equal", []row{{variant: "a", seed: 0, y: 1}, {variant: "a", seed: 1, y: 2}, {variant: "a", seed: 2, y: 3}, {variant: "b", seed: 0, y: 1}, {variant: "b", seed: 1, y: 2}, {variant: "b", seed: 2, y: 3}}, Metric{Goal: "maximize"}, Same, "equals the baseline"},
	} {
		t.Run(c.name, func(t *testing.T) {
			mt := compareY(t, c.rows, c.m)
			if got := mt.Groups[1].Against.Verdict; got != c.want {
				t.Errorf("verdict %q, want %q (%+v)", got, c.want, mt.Groups[1].Against)
			}
			if !strings.Contains(mt.Verdict, c.words) {
				t.Errorf("sentence %q, want %q", mt.Verdict, c.words)
			}
		})
	}
}

// A long name is cut, and the number that follows it is not.
func TestLongNamesInSentences(t *testing.T) {
	rows := seeds(10, 0.1)
	for i := range rows {
		if rows[i].variant == "b" {
			rows[i].variant = strings.Repeat("漢", 200)
		}
	}
	if v := compareY(t, rows, Metric{Goal: "maximize"}).Verdict; !strings.HasPrefix(v, strings.Repeat("漢", 59)+"… (+0.") {
		t.Errorf("%q", v)
	}
}

func TestOnlyFreshPlannedSuccessesCount(t *testing.T) {
	mt := compareY(t, []row{
		{variant: "a", seed: 0, y: 1.0},
		{variant: "a", seed: 1, y: 100.0, status: "failed"},
		{variant: "a", seed: 2, y: 100.0, stale: true},
		{variant: "a", seed: 3, y: 100.0, unplanned: true},
		{variant: "a", seed: 4, y: nil},
		{variant: "a", seed: 5, y: 100.0, status: "running"},
		{variant: "b", seed: 0, y: math.Inf(1)},
	}, Metric{Goal: "maximize"})
	a, b := mt.Groups[0], mt.Groups[1]
	if d := cmp.Diff([]float64{1}, a.Values); d != "" || a.N != 1 || a.Missing != 4 {
		t.Errorf("a: %v, %d missing", a.Values, a.Missing)
	}
	if b.N != 0 || b.Missing != 1 || b.Against != nil || !strings.Contains(mt.Verdict, "b has no values") {
		t.Errorf("b: %+v", b)
	}
	if len(mt.Warnings) != 1 || !strings.Contains(mt.Warnings[0], "not a finite number") {
		t.Errorf("warnings %q", mt.Warnings)
	}
}

func TestTextMetricHasNoMedian(t *testing.T) {
	mt := compareY(t, []row{{variant: "a", y: "x"}, {variant: "b", y: "z"}}, Metric{Goal: "maximize"})
	if len(mt.Groups) != 0 || len(mt.Warnings) != 1 {
		t.Errorf("%+v", mt)
	}
}

func TestRowOrderChangesNothing(t *testing.T) {
	rows := seeds(8, 0.05)
	want := fmt.Sprintf("%+v", stripped(compareY(t, rows, Metric{Goal: "maximize"})))
	rng := rand.New(rand.NewPCG(3, 4))
	for range 5 {
		rng.Shuffle(len(rows), func(i, j int) { rows[i], rows[j] = rows[j], rows[i] })
		if got := fmt.Sprintf("%+v", stripped(compareY(t, rows, Metric{Goal: "maximize"}))); got != want {
			t.Fatalf("another order says\n%s\nnot\n%s", got, want)
		}
	}
}

// stripped leaves out what names rows of the table.
func stripped(mt MetricTable) string {
	mt.Best = nil
	out := fmt.Sprintf("%+v", mt.Verdict)
	for _, g := range mt.Groups {
		out += fmt.Sprintf("\n%s %v %v %v %v %+v", g.Name, g.Centre, g.Lo, g.Hi, g.Values, g.Against)
	}
	return out
}

// With no difference at all, "better" and "worse" together must stay rare.
func TestFalseAlarms(t *testing.T) {
	rng := rand.New(rand.NewPCG(7, 8))
	const sweeps, variants = 300, 4
	alarms := 0
	for range sweeps {
		var rows []row
		for v := range variants {
			for seed := range 8 {
				rows = append(rows, row{variant: string(rune('a' + v)), seed: seed, y: rng.ExpFloat64()})
			}
		}
		for _, g := range compareY(t, rows, Metric{Goal: "maximize"}).Groups {
			if g.Against != nil && (g.Against.Verdict == Better || g.Against.Verdict == Worse) {
				alarms++
				break
			}
		}
	}
	rate, limit := float64(alarms)/sweeps, 0.05+3*math.Sqrt(0.05*0.95/sweeps)
	if rate > limit {
		t.Errorf("%.3f of sweeps without a difference raise an alarm, more than %.3f", rate, limit)
	}
}

func TestFailuresAreGroupedAndExplained(t *testing.T) {
	var rows []row
	for seed := range 4 {
		for _, region := range []string{"eu", "us", "apac"} {
			for _, v := range []string{"a", "b"} {
				r := row{variant: v, region: region, seed: seed, y: 1.0}
				if region == "apac" && v == "b" {
					r.status, r.err = "failed", fmt.Sprintf("KeyError: 'row %d'", seed)
				}
				rows = append(rows, r)
			}
		}
	}
	r, err := Compare(tableOf(t, rows), Options{Metrics: []Metric{{Name: "y"}}, Axes: axes, Baseline: at("variant", "a")})
	if err != nil {
		t.Fatal(err)
	}
	if len(r.Failures) != 1 || len(r.Failures[0].Runs) != 4 {
		t.Fatalf("%+v", r.Failures)
	}
	want := []Condition{{Name: "region", Op: "=", Value: val("apac")}, {Name: "variant", Op: "=", Value: val("b")}}
	if d := cmp.Diff(want, r.Failures[0].When, byValue); d != "" {
		t.Error(d)
	}
	if d := cmp.Diff([]string{"region"}, r.Averaged); d != "" {
		t.Error(d)
	}
}

func TestUnknownColumn(t *testing.T) {
	_, err := Compare(tableOf(t, seeds(2, 0)), Options{Axes: axes, Rows: []string{"colour"}})
	if err == nil || !strings.Contains(err.Error(), "colour") {
		t.Errorf("error is %v", err)
	}
}

// A metric without chance needs no test: what differs, differs.
func TestExact(t *testing.T) {
	same := func(a, b float64) []row {
		return []row{{variant: "a", seed: 0, y: 7.0}, {variant: "a", seed: 1, y: 7.0}, {variant: "b", seed: 0, y: a}, {variant: "b", seed: 1, y: b}}
	}
	for name, c := range map[string]struct {
		rows []row
		want Verdict
	}{
		"equal": {same(7, 7), Same}, "one pair differs": {same(7, 7.001), Better}, "both ways": {same(6, 8), Different},
		"a run a group": {[]row{{variant: "a", y: 7.0}, {variant: "b", y: 6.0}}, Worse},
	} {
		t.Run(name, func(t *testing.T) {
			mt := compareY(t, c.rows, Metric{Goal: "maximize", By: ByExact})
			if a := mt.Groups[1].Against; !a.Exact || a.Verdict != c.want {
				t.Errorf("%+v, %q", a, mt.Verdict)
			}
		})
	}
	// Values that vary and are no pairs cannot be exact, and it is said.
	rows := []row{{variant: "a", seed: 0, y: 1.0}, {variant: "a", seed: 1, y: 2.0}, {variant: "b", seed: 2, y: 3.0}, {variant: "b", seed: 3, y: 4.0}}
	mt := compareY(t, rows, Metric{Goal: "maximize", By: ByExact})
	if a := mt.Groups[1].Against; a.Exact || a.Verdict != TooFew || len(mt.Warnings) != 1 || !strings.Contains(mt.Warnings[0], "is declared exact") {
		t.Errorf("%+v, %q", a, mt.Warnings)
	}
}

func TestRunsOfDifferentCodeAreToldApart(t *testing.T) {
	table, err := table.Build([]table.ColumnSpec{{Name: "run_id"}, {Name: "run_status"}, {Name: "run_code"}, {Name: "variant", Role: table.RoleParameter}, {Name: "y", Role: table.RoleScrap}},
		[][]any{{"1", "succeeded", "c1", "a", 1.0}, {"2", "succeeded", "c2", "b", 2.0}})
	if err != nil {
		t.Fatal(err)
	}
	r, err := Compare(table, Options{Axes: []Axis{{Name: "variant"}}})
	if err != nil || !strings.Contains(strings.Join(r.Warnings, "\n"), "The runs come from 2 versions of the template's code") {
		t.Errorf("%q, %v", r.Warnings, err)
	}
}
