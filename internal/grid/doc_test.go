package grid

import (
	"context"
	"fmt"
	"os"
	"strconv"
	"strings"
	"testing"
	"time"
)

// everything declares whatever the manual's examples pass.
var everything = []Param{
	{Name: "region", Type: "str"}, {Name: "rate", Type: "float"}, {Name: "depth", Type: "int"}, {Name: "alpha", Type: "float"},
	{Name: "day", Type: "str"}, {Name: "price", Type: "float"}, {Name: "text", Type: "str"}, {Name: "currency", Type: "str"},
	{Name: "x", Type: "int"}, {Name: "seed", Type: "int"},
}

// TestManual expands every example of docs/spec.md and counts its runs.
func TestManual(t *testing.T) {
	text, err := os.ReadFile("../../docs/spec.md")
	if err != nil {
		t.Fatal(err)
	}
	blocks := strings.Split(string(text), "```yaml\n")[1:]
	if len(blocks) < 10 {
		t.Fatalf("only %d examples found", len(blocks))
	}
	for i, b := range blocks {
		source, _, _ := strings.Cut(b, "```")
		first, _, _ := strings.Cut(source, "\n")
		want, err := strconv.Atoi(strings.TrimSuffix(strings.TrimPrefix(first, "# "), " runs"))
		if err != nil {
			t.Fatalf("example %d does not say how many runs it has: %q", i+1, first)
		}
		t.Run(fmt.Sprint(i+1), func(t *testing.T) {
			g := mustGrid(t, source, map[string][]Param{"": everything, "control": everything, "treatment": everything})
			if n, err := g.Count(context.Background()); err != nil || n != want {
				t.Errorf("Count = %d, %v, want %d", n, err, want)
			}
			seen := map[string]bool{}
			for p := range g.Points() {
				seen[p.Identity()] = true
			}
			if len(seen) != want {
				t.Errorf("%d points, want %d", len(seen), want)
			}
		})
	}
}

func mustGrid(t *testing.T, source string, declared map[string][]Param) *Grid {
	t.Helper()
	s, err := Decode("sweep.yaml", []byte(source))
	if err != nil {
		t.Fatal(err)
	}
	g, err := s.Grid(Inputs{AsOf: time.Date(2026, 3, 31, 12, 0, 0, 0, time.UTC), Declared: declared})
	if err != nil {
		t.Fatal(err)
	}
	return g
}
