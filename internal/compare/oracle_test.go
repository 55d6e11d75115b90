package compare

import (
	"bytes"
	"encoding/json"
	"math"
	"math/rand/v2"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"testing"
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

// group makes a group of values; pairs carry their index.
func groupOf(values []float64, paired bool) *group {
	g := &group{}
	for i, v := range values {
		s := sample{row: i, value: v}
		if paired {
			s.pair = strconv.Itoa(i)
		}
		g.samples = append(g.samples, s)
	}
	summarize(&g.Group, g.samples, 0.95)
	return g
}

// TestAgainstScipy demands scipy's p and numpy's shift, to 1e-9.
func TestAgainstScipy(t *testing.T) {
	python := os.Getenv("FANOUT_TEST_PYTHON")
	if python == "" {
		if strings.Contains(os.Getenv("FANOUT_TEST_REQUIRE"), "ipykernel") {
			t.Fatal("FANOUT_TEST_PYTHON names no interpreter")
		}
		t.Skip("FANOUT_TEST_PYTHON names no interpreter: `make test` does")
	}
	cases := draws()
	in, err := json.Marshal(cases)
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command(python, "testdata/oracle.py")
	cmd.Stdin, cmd.Stderr = bytes.NewReader(in), os.Stderr
	out, err := cmd.Output()
	if err != nil {
		t.Fatal(err)
	}
	var want []struct{ P, Shift float64 }
	if err := json.Unmarshal(out, &want); err != nil {
		t.Fatal(err)
	}
	for i, c := range cases {
		got := against(Metric{}, groupOf(c.A, c.Paired), groupOf(c.B, c.Paired), 0.95, 0.05)
		if got.Paired != c.Paired || math.Abs(got.P-want[i].P) > 1e-9 || math.Abs(got.Shift-want[i].Shift) > 1e-9 {
			t.Errorf("case %d (%d and %d values, paired %v): p %v, shift %v; scipy says %+v", i, len(c.A), len(c.B), c.Paired, got.P, got.Shift, want[i])
		}
	}
}
