package sampling

import (
	"encoding/json"
	"fmt"
	"math"
	"os"
	"slices"
	"testing"
)

// TestHaltonIsScipys compares digits that are not permuted with
// scipy.stats.qmc.Halton; testdata/halton.py writes the values.
func TestHaltonIsScipys(t *testing.T) {
	text, err := os.ReadFile("testdata/halton.json")
	if err != nil {
		t.Fatal(err)
	}
	var points [][]float64
	if err := json.Unmarshal(text, &points); err != nil || len(points) != 150 {
		t.Fatal(err, len(points))
	}
	for d, base := range primes(6) {
		plain := permuted(0, 0, base)
		for i := range plain.places {
			slices.Sort(plain.places[i])
		}
		for i, p := range points {
			if got := plain.at(i); math.Abs(got-p[d]) > 1e-12 {
				t.Errorf("number %d in base %d: %v, scipy says %v", i, base, got, p[d])
			}
		}
	}
}

// TestSpreadFillsEvenly: of every 72 consecutive points one is in each of 8 by 9
// boxes, whatever the seed, and other seeds have other points.
func TestSpreadFillsEvenly(t *testing.T) {
	firsts := map[string]bool{}
	for seed := range 20 {
		count := map[string]int{}
		n := 0
		for at := range Spread(seed, []int{8_000_000, 9_000_000}, 720) {
			if n == 0 {
				firsts[fmt.Sprint(at)] = true
			}
			count[fmt.Sprint(n/72, at[0]/1_000_000, at[1]/1_000_000)]++
			n++
		}
		if n != 720 || len(count) != 720 {
			t.Fatalf("seed %d: %d points are in %d boxes, want one in each of 720", seed, n, len(count))
		}
	}
	if len(firsts) != 20 {
		t.Errorf("20 seeds begin with %d different points", len(firsts))
	}
}

// TestSpreadIsKept: which runs a sweep has must never change.
func TestSpreadIsKept(t *testing.T) {
	var got []string
	for at := range Spread(7, []int{100, 10, 3}, 1000) {
		if got = append(got, fmt.Sprint(at)); len(got) == 5 {
			break
		}
	}
	want := []string{"[11 4 1]", "[61 1 0]", "[36 7 2]", "[86 6 2]", "[24 3 0]"}
	if !slices.Equal(got, want) {
		t.Errorf("%q, want %q", got, want)
	}
}

// TestSpreadEnds: all combinations come once, and no more is drawn than allowed.
func TestSpreadEnds(t *testing.T) {
	for _, c := range []struct {
		sizes       []int
		tries, want int
	}{{[]int{7, 5, 2}, 100_000, 70}, {nil, 10, 1}, {[]int{1}, 10, 1}, {[]int{1000, 1000}, 50, 50}} {
		seen := map[string]bool{}
		n := 0
		for at := range Spread(1, c.sizes, c.tries) {
			for d, i := range at {
				if i < 0 || i >= c.sizes[d] {
					t.Fatalf("%v of %v", at, c.sizes)
				}
			}
			n, seen[fmt.Sprint(at)] = n+1, true
		}
		if n != c.want || len(seen) != n {
			t.Errorf("%v: %d points, %d different ones, want %d", c.sizes, n, len(seen), c.want)
		}
	}
}

// TestSmallestNest: the k smallest of what is kept are what k would keep, and a
// digest counts once.
func TestSmallestNest(t *testing.T) {
	kept := map[int]map[Digest]int{}
	for _, n := range []int{3, 10, 200} {
		s := NewSmallest(n)
		for i := range 300 {
			s.Add(Digest{byte(i * 37 % 100), byte(i % 100)})
		}
		kept[n] = s.Ranks()
		if want := min(n, 100); len(kept[n]) != want {
			t.Fatalf("%d kept, want %d", len(kept[n]), want)
		}
	}
	for d, rank := range kept[3] {
		if kept[10][d] != rank || rank > 2 {
			t.Errorf("%v has rank %d of 3 and %d of 10", d, rank, kept[10][d])
		}
	}
}

// TestSpreadIsCloser: the mean of a function over points that are spread is closer
// to that over the whole than the mean over points taken at random.
// go test -run TestSpreadIsCloser -v prints what docs/statistics.md says.
func TestSpreadIsCloser(t *testing.T) {
	const size, n, seeds = 1000, 30, 400
	for name, f := range map[string]func(x, y float64) float64{
		"a sum":     func(x, y float64) float64 { return x + y },
		"a product": func(x, y float64) float64 { return x * y },
		"a peak":    func(x, y float64) float64 { return math.Exp(-20 * ((x-0.3)*(x-0.3) + (y-0.6)*(y-0.6))) },
		"a step": func(x, y float64) float64 {
			if x+2*y > 1.7 {
				return 1
			}
			return 0
		},
		"waves": func(x, y float64) float64 { return math.Sin(9*x) * math.Cos(7*y) },
	} {
		var mean, square float64
		for i := range 250_000 {
			v := f((float64(i%500)+0.5)/500, (float64(i/500)+0.5)/500)
			mean, square = mean+v/250_000, square+v*v/250_000
		}
		spread := 0.0
		for seed := range seeds {
			sum, k := 0.0, 0
			for at := range Spread(seed, []int{size, size}, 100*n) {
				sum += f((float64(at[0])+0.5)/size, (float64(at[1])+0.5)/size)
				if k++; k == n {
					break
				}
			}
			spread += (sum/n - mean) * (sum/n - mean) / seeds
		}
		ratio := spread / ((square - mean*mean) / n)
		t.Logf("%s: the variance of the mean of %d points is %.0f%% of what it is at random", name, n, 100*ratio)
		if ratio > 0.8 {
			t.Errorf("%s: %.2f", name, ratio)
		}
	}
}
