package compare

import (
	"github.com/fanout-dev/fanout/internal/metric"
	"strings"
	"testing"
)

// TestSplit: trials that are not divided as declared are a warning, and where
// nothing is declared, or runs are missing, they are none.
func TestSplit(t *testing.T) {
	rows := func(b int) []row {
		return []row{{variant: "a", seed: 0, y: 100, n: 1000}, {variant: "a", seed: 1, y: 90, n: 1000}, {variant: "b", seed: 0, y: 100, n: b}, {variant: "b", seed: 1, y: 95, n: 1000}}
	}
	even := signups
	even.Split = metric.Even
	missing := rows(1000)
	missing[3].status = "failed"
	for name, c := range map[string]struct {
		rows []row
		m    Metric
		warn bool
	}{
		"divided": {rows(1010), even, false}, "lost": {rows(700), even, true}, "not declared": {rows(700), signups, false}, "a run is missing": {missing, even, false},
	} {
		got := strings.Join(compareY(t, c.rows, c.m).Warnings, "; ")
		if strings.Contains(got, "n is declared to be divided evenly, and is not: 2000 of a and 1700 of b (p") != c.warn {
			t.Errorf("%s: %q", name, got)
		}
	}
}
