package stats

import (
	"encoding/csv"
	"fmt"
	"math"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
)

var benchstatP = regexp.MustCompile(`^p=([0-9.]+) n=`)

// TestAgainstBenchstat has benchstat compare unpaired samples and demands
// what it prints: medians, the width of their intervals, p and whether a
// change is told at all.
func TestAgainstBenchstat(t *testing.T) {
	var cases []drawn
	for _, c := range draws() {
		if !c.Paired && len(c.A) >= 6 {
			cases = append(cases, c)
		}
	}
	rows := benchstat(t, cases)
	if len(rows) != len(cases) || len(cases) < 10 {
		t.Fatalf("benchstat answers %d of %d cases", len(rows), len(cases))
	}
	for i, c := range cases {
		row := rows[i]
		got, _ := answer(Ranks, c)
		for j, sample := range [][]float64{c.A, c.B} {
			centre, lo, hi := Summary(slices.Sorted(slices.Values(sample)), 0.95)
			want, err := strconv.ParseFloat(row[1+2*j], 64)
			if err != nil || math.Abs(want-centre) > 1e-9*math.Abs(want) {
				t.Errorf("case %d: median %v, benchstat says %s", i, centre, row[1+2*j])
			}
			if width := width(centre, lo, hi); width != row[2+2*j] {
				t.Errorf("case %d: interval %s around %v, benchstat says %s", i, width, centre, row[2+2*j])
			}
		}
		p := benchstatP.FindStringSubmatch(row[6])
		if p == nil {
			t.Fatalf("case %d: benchstat prints %q", i, row)
		}
		if have := fmt.Sprintf("%.3f", got.P); have != p[1] {
			t.Errorf("case %d: p = %s, benchstat says %s", i, have, p[1])
		}
		if told := row[5] != "~"; told != (got.P <= 0.05) {
			t.Errorf("case %d: p = %v, benchstat says %s", i, got.P, row[5])
		}
	}
}

// width is an interval as benchstat writes it: the wider side, as a
// percentage of the centre.
func width(centre, lo, hi float64) string {
	side := max(hi-centre, centre-lo) / math.Abs(centre)
	if math.IsInf(side, 0) {
		return "∞"
	}
	return fmt.Sprintf("%.0f%%", 100*side)
}

// benchstat returns its row for each case. Values are moved away from zero,
// as it compares by quotients.
func benchstat(t *testing.T, cases []drawn) [][]string {
	t.Helper()
	var text strings.Builder
	text.WriteString("Unit y assume=nothing\n")
	for i, c := range cases {
		for name, values := range map[string][]float64{"a": c.A, "b": c.B} {
			for k := range values {
				values[k] += 20
				fmt.Fprintf(&text, "BenchmarkC%d/v=%s 1 %v y\n", i, name, values[k])
			}
		}
	}
	file := filepath.Join(t.TempDir(), "samples")
	if err := os.WriteFile(file, []byte(text.String()), 0o666); err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command("go", "run", "golang.org/x/perf/cmd/benchstat", "-format", "csv", "-row", ".name", "-col", "/v@(a b)", file)
	cmd.Stderr = os.Stderr
	out, err := cmd.Output()
	if err != nil {
		t.Fatal(err)
	}
	r := csv.NewReader(strings.NewReader(string(out)))
	r.FieldsPerRecord = -1
	all, err := r.ReadAll()
	if err != nil {
		t.Fatal(err)
	}
	var rows [][]string
	for _, row := range all {
		if strings.HasPrefix(row[0], "C") {
			rows = append(rows, row)
		}
	}
	return rows
}
