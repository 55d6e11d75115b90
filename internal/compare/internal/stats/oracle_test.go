package stats

import (
	"bytes"
	"encoding/json"
	"math"
	"math/rand/v2"
	"os"
	"os/exec"
	"slices"
	"testing"

	"github.com/fanout-dev/fanout/internal/kernel/kerneltest"
)

// drawn is one pair of samples and how they are compared.
type drawn struct {
	A      []float64 `json:"a"`
	B      []float64 `json:"b"`
	Paired bool      `json:"paired"`
}

// draws are samples of many sizes: without ties, and, as far as the oracle
// has exact answers, with ties and zero differences.
func draws() []drawn {
	r := rand.New(rand.NewPCG(1, 2))
	sample := func(n int, shift float64, ties bool) []float64 {
		x := make([]float64, n)
		for i := range x {
			x[i] = r.NormFloat64() + shift
			if ties {
				x[i] = math.Round(2 * x[i])
			}
		}
		return x
	}
	var out []drawn
	for n := 3; n <= 60; n++ {
		out = append(out, drawn{sample(n, 0, false), sample(n, 0.5, false), true})
		if n <= 12 {
			out = append(out, drawn{sample(n, 0, true), sample(n, 1, true), true})
		}
		if n <= 20 {
			out = append(out, drawn{sample(n, 0, false), sample(n+n%3, 0.7, false), false})
		}
	}
	return out
}

// answer compares the samples of a case.
func answer(m Method, c drawn) (change Change, size float64) {
	a, b := slices.Sorted(slices.Values(c.A)), slices.Sorted(slices.Values(c.B))
	if !c.Paired {
		return m.Two(a, b, 0.95), m.SizeTwo(a, b)
	}
	diffs := make([]float64, len(c.A))
	for i := range diffs {
		diffs[i] = c.B[i] - c.A[i]
	}
	slices.Sort(diffs)
	return m.One(diffs, 0.95), m.SizeOne(diffs)
}

// ask has scipy and numpy answer cases: kind is a function of the oracle.
func ask(t *testing.T, kind string, cases, answers any) {
	t.Helper()
	python := kerneltest.Python(t)
	in, err := json.Marshal(cases)
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command(python, "testdata/oracle.py", kind)
	cmd.Stdin, cmd.Stderr = bytes.NewReader(in), os.Stderr
	out, err := cmd.Output()
	if err != nil {
		t.Fatal(err)
	}
	if err := json.Unmarshal(out, answers); err != nil {
		t.Fatal(err)
	}
}

// TestAgainstScipy demands scipy's p and numpy's shift, to 1e-9.
func TestAgainstScipy(t *testing.T) {
	cases := draws()
	var want []struct{ P, Shift, Size float64 }
	ask(t, "ranks", cases, &want)
	for i, c := range cases {
		got, size := answer(Ranks, c)
		if math.Abs(got.P-want[i].P) > 1e-9 || math.Abs(got.Shift-want[i].Shift) > 1e-9 || math.Abs(size-want[i].Size) > 1e-9 {
			t.Errorf("case %d (%d and %d values, paired %v): p %v, shift %v, size %v; scipy says %+v", i, len(c.A), len(c.B), c.Paired, got.P, got.Shift, size, want[i])
		}
	}
}

// TestMeansAgainstScipy demands the p and the interval of the paired and of
// Welch's t test.
func TestMeansAgainstScipy(t *testing.T) {
	cases := draws()
	var want []struct{ P, Shift, Lo, Hi, Size float64 }
	ask(t, "means", cases, &want)
	for i, c := range cases {
		got, size := answer(Means, c)
		for _, x := range [][2]float64{{got.P, want[i].P}, {got.Shift, want[i].Shift}, {got.Lo, want[i].Lo}, {got.Hi, want[i].Hi}, {size, want[i].Size}} {
			if math.Abs(x[0]-x[1]) > 1e-9 {
				t.Errorf("case %d (%d and %d values, paired %v): %+v; scipy says %+v", i, len(c.A), len(c.B), c.Paired, got, want[i])
			}
		}
	}
}

// TestQuartilesAgainstNumpy demands those of numpy.percentile and of pandas.
func TestQuartilesAgainstNumpy(t *testing.T) {
	r := rand.New(rand.NewPCG(5, 6))
	var cases [][]float64
	for n := 1; n <= 60; n++ {
		x := make([]float64, n)
		for i := range x {
			x[i] = r.NormFloat64()
			if n%3 == 0 {
				x[i] = math.Round(2 * x[i]) // ties
			}
		}
		cases = append(cases, x)
	}
	var want [][2]float64
	ask(t, "quartiles", cases, &want)
	for i, x := range cases {
		if q1, q3 := Quartiles(slices.Sorted(slices.Values(x))); math.Abs(q1-want[i][0]) > 1e-9 || math.Abs(q3-want[i][1]) > 1e-9 {
			t.Errorf("%d values: %v and %v, numpy says %v", len(x), q1, q3, want[i])
		}
	}
}

// R, numpy and pandas agree on these; other rules give 1 and 3, or 1.5 and 3.5.
func TestQuartilesOfFour(t *testing.T) {
	if q1, q3 := Quartiles([]float64{1, 2, 3, 4}); q1 != 1.75 || q3 != 3.25 {
		t.Errorf("%v and %v, want 1.75 and 3.25", q1, q3)
	}
}

// TestTrendsAgainstScipy demands Theil and Sen's slope and Kendall's p, up to
// the longest series whose trend is said.
func TestTrendsAgainstScipy(t *testing.T) {
	type series struct {
		At []int
		Y  []float64
	}
	r := rand.New(rand.NewPCG(7, 8))
	var cases []series
	sizes := []int{391, 800, 2000}
	for n := MinPlaces; n < 80; n++ {
		sizes = append(sizes, n)
	}
	for _, n := range sizes {
		s := series{}
		for i := range n {
			y := r.NormFloat64() + float64(i)*r.Float64()/float64(n)
			if n%2 == 0 {
				y = math.Round(2 * y) // ties
			}
			s.At, s.Y = append(s.At, 2*i+i%2), append(s.Y, y)
		}
		cases = append(cases, s)
	}
	var want []struct{ P, Slope float64 }
	ask(t, "trend", cases, &want)
	for i, c := range cases {
		if p, slope := mannKendall(c.Y), theilSen(c.At, c.Y); math.Abs(p-want[i].P) > 1e-9 || math.Abs(slope-want[i].Slope) > 1e-9 {
			t.Errorf("%d places: p %v, slope %v, want %+v", len(c.At), p, slope, want[i])
		}
	}
}

// TestProportionsAgainstScipy demands Wilson's and Newcombe's intervals, the
// test's p, and the p of Pearson's homogeneity.
func TestProportionsAgainstScipy(t *testing.T) {
	type table struct{ A, B [2]float64 } // hits and trials
	r := rand.New(rand.NewPCG(3, 4))
	cases := []table{{[2]float64{0, 5}, [2]float64{5, 5}}, {[2]float64{0, 10}, [2]float64{0, 20}}, {[2]float64{3, 1e6}, [2]float64{11, 1e6}}, {[2]float64{999998, 1e6}, [2]float64{1e6, 1e6}}}
	for range 200 {
		n, m := math.Trunc(1+r.Float64()*r.Float64()*3000), math.Trunc(1+r.Float64()*r.Float64()*3000)
		p := r.Float64() * r.Float64()
		cases = append(cases, table{[2]float64{math.Trunc(n * p), n}, [2]float64{math.Trunc(m * math.Min(1, p*(0.8+r.Float64()))), m}})
	}
	var want []struct{ P, Size, Lo, Hi, DiffLo, DiffHi float64 }
	ask(t, "proportions", cases, &want)
	exact := 0
	for i, c := range cases {
		a, b := Fraction{c.A[0], c.A[1]}, Fraction{c.B[0], c.B[1]}
		if expected(a, b) < minExpected {
			exact++
		}
		lo, hi := Wilson(b, 0.95)
		got, size := Proportions(a, b, 0.95)
		if math.Abs(got.P-want[i].P) > 1e-6*want[i].P {
			t.Errorf("%v: p %v, want %v", c, got.P, want[i].P)
		}
		for _, x := range [][2]float64{{got.P, want[i].P}, {size, want[i].Size}, {lo, want[i].Lo}, {hi, want[i].Hi}, {got.Lo, want[i].DiffLo}, {got.Hi, want[i].DiffHi}} {
			if math.Abs(x[0]-x[1]) > 1e-9 {
				t.Errorf("%v: %v, want %v (%+v, %+v)", c, x[0], x[1], got, want[i])
			}
		}
	}
	if exact < 10 || exact > len(cases)-10 {
		t.Errorf("%d of %d cases are exact: both tests want cases", exact, len(cases))
	}
}

// TestPermutationsAgainstScipy demands the p of every sign, or of every way to
// deal, where all of them are tried.
func TestPermutationsAgainstScipy(t *testing.T) {
	var cases []drawn
	for _, c := range draws() {
		if c.Paired && len(c.A) <= 13 || !c.Paired && len(c.A) <= 7 {
			cases = append(cases, c)
		}
	}
	var want []struct{ P float64 }
	ask(t, "permutations", cases, &want)
	for i, c := range cases {
		got, _ := answer(Resamples, c)
		if math.Abs(got.P-want[i].P) > 1e-9 {
			t.Errorf("case %d (%d and %d values, paired %v): p %v; scipy says %v", i, len(c.A), len(c.B), c.Paired, got.P, want[i].P)
		}
	}
	if len(cases) < 20 {
		t.Errorf("%d cases, want more", len(cases))
	}
}

// TestBootstrapAgainstScipy holds the BCa interval against scipy's, as near as
// two different draws are to each other: a fifth of a standard error.
func TestBootstrapAgainstScipy(t *testing.T) {
	var cases []drawn
	for _, c := range draws() {
		if len(c.A) >= 12 && len(c.A)%8 == 4 {
			cases = append(cases, c)
		}
	}
	var want []struct{ Lo, Hi, SE float64 }
	ask(t, "bootstrap", cases, &want)
	for i, c := range cases {
		got, _ := answer(Resamples, c)
		if again, _ := answer(Resamples, c); again != got {
			t.Errorf("case %d: %+v, and again %+v", i, got, again)
		}
		for _, x := range [][2]float64{{got.Lo, want[i].Lo}, {got.Hi, want[i].Hi}} {
			if math.Abs(x[0]-x[1]) > 0.2*want[i].SE {
				t.Errorf("case %d (%d and %d values, paired %v): %v … %v; scipy says %+v", i, len(c.A), len(c.B), c.Paired, got.Lo, got.Hi, want[i])
			}
		}
	}
}

// TestHolmAgainstStatsmodels demands the adjusted p of families of many sizes.
func TestHolmAgainstStatsmodels(t *testing.T) {
	r := rand.New(rand.NewPCG(9, 10))
	var cases [][]float64
	for n := 1; n <= 40; n++ {
		var p []float64
		for range n {
			p = append(p, math.Round(1e4*math.Pow(r.Float64(), 3))/1e4) // ties
		}
		cases = append(cases, p)
	}
	var want [][]float64
	ask(t, "holm", cases, &want)
	for i, ps := range cases {
		for j, got := range Holm(ps) {
			if math.Abs(got-want[i][j]) > 1e-9 {
				t.Errorf("family of %d: p %v becomes %v, statsmodels says %v", len(ps), ps[j], got, want[i][j])
			}
		}
	}
}

// TestGroupsAgainstScipy demands Kruskal and Wallis's p, with and without ties.
func TestGroupsAgainstScipy(t *testing.T) {
	r := rand.New(rand.NewPCG(11, 12))
	var cases [][][]float64
	for n := range 60 {
		groups := make([][]float64, 2+n%6)
		for k := range groups {
			for range 1 + r.IntN(9) {
				x := r.NormFloat64() + float64(k%2)
				if n%2 == 0 {
					x = math.Round(3 * x)
				}
				groups[k] = append(groups[k], x)
			}
		}
		cases = append(cases, groups)
	}
	var want []float64
	ask(t, "groups", cases, &want)
	for i, groups := range cases {
		var y []float64
		places := make([][]int, len(groups)+1) // and one without values
		for k, group := range groups {
			for _, x := range group {
				places[k], y = append(places[k], len(y)), append(y, x)
			}
		}
		if got := kruskalWallis(y, places); math.Abs(got-want[i]) > 1e-9 {
			t.Errorf("case %d (%d groups): p %v; scipy says %v", i, len(groups), got, want[i])
		}
	}
}
