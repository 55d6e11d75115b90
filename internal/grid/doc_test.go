package grid

import (
	"flag"
	"fmt"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

// asOf is the logical date of tests and of the manual.
var asOf = time.Date(2026, 3, 31, 12, 0, 0, 0, time.UTC)

// everything declares whatever the manual's examples pass.
var everything = []Param{
	{Name: "region", Type: "str"}, {Name: "rate", Type: "float"}, {Name: "depth", Type: "int"}, {Name: "alpha", Type: "float"},
	{Name: "day", Type: "str"}, {Name: "price", Type: "float"}, {Name: "text", Type: "str"}, {Name: "currency", Type: "str"},
	{Name: "x", Type: "int"}, {Name: "y"}, {Name: "seed", Type: "int"}, {Name: "table", Type: "str"}, {Name: "api_key", Type: "str"},
	{Name: "fruit"}, {Name: "animal"}, {Name: "color"}, {Name: "shape"}, {Name: "hour", Type: "str"}, {Name: "on", Type: "bool"},
	{Name: "model", Type: "str"}, {Name: "scale", Type: "bool"}, {Name: "epochs", Type: "int"},
}

// A manualExample is a sweep file of docs/spec.md and what is shown below it:
// its points, or its mistakes.
type manualExample struct{ source, shown, error string }

func manualExamples(t testing.TB) []manualExample {
	t.Helper()
	text, err := os.ReadFile("../../docs/spec.md")
	if err != nil {
		t.Fatal(err)
	}
	var out []manualExample
	for _, part := range strings.Split(string(text), "```yaml\n")[1:] {
		source, rest, _ := strings.Cut(part, "```\n")
		rest, ok := strings.CutPrefix(strings.TrimLeft(rest, "\n"), "```text\n")
		if !ok {
			t.Fatalf("nothing is shown of the example\n%s", source)
		}
		shown, _, _ := strings.Cut(rest, "```")
		e := manualExample{source: source, shown: shown}
		if strings.HasPrefix(shown, "sweep.yaml:") {
			e.error = shown
		}
		out = append(out, e)
	}
	if len(out) < 20 {
		t.Fatalf("only %d examples found", len(out))
	}
	return out
}

// TestManual expands every example of docs/spec.md and compares what is shown.
func TestManual(t *testing.T) {
	rows := map[string]Rows{}
	for file, text := range map[string]string{"rows.csv": "region,rate\nus,0.1\neu,1\neu,1\napac,\n"} {
		var err error
		if rows[file], err = ReadRows(file, []byte(text)); err != nil {
			t.Fatal(err)
		}
	}
	declared := map[string][]Param{"": everything, "control": everything, "treatment": everything}
	for i, e := range manualExamples(t) {
		t.Run(fmt.Sprint(i+1), func(t *testing.T) {
			got := showManual(e.source, Inputs{AsOf: asOf, Declared: declared, Rows: rows}, e.shown)
			if *update {
				updateManual(t, e, got)
				return
			}
			if d := cmp.Diff(e.shown, got); d != "" {
				t.Errorf("%s\n(-shown +got):\n%s", e.source, d)
			}
		})
	}
}

var update = flag.Bool("update", false, "write what docs/spec.md shows")

func updateManual(t *testing.T, e manualExample, got string) {
	text, err := os.ReadFile("../../docs/spec.md")
	if err != nil {
		t.Fatal(err)
	}
	before, after := e.source+"```\n\n```text\n"+e.shown+"```", e.source+"```\n\n```text\n"+got+"```"
	if err := os.WriteFile("../../docs/spec.md", []byte(strings.Replace(string(text), before, after, 1)), 0o644); err != nil {
		t.Fatal(err)
	}
}

// showManual is what the manual shows of a sweep file: its mistakes, or its
// points, as many as the manual shows before it says …
func showManual(source string, in Inputs, like string) string {
	s, err := Decode("sweep.yaml", []byte(source))
	var g *Grid
	if s != nil {
		g, err = s.Grid(in)
	}
	if err != nil {
		return err.Error() + "\n"
	}
	var points []string
	for p := range g.Points() {
		points = append(points, showPoint(p, s))
	}
	before, _, cut := strings.Cut(like, "…\n")
	var b strings.Builder
	for i, p := range points {
		if cut && i == strings.Count(before, "\n") {
			b.WriteString("…\n")
			break
		}
		fmt.Fprintln(&b, p)
	}
	for _, w := range g.Warnings() {
		fmt.Fprintf(&b, "warning: %s\n", w)
	}
	fmt.Fprintf(&b, "%d runs\n", len(points))
	return b.String()
}

func showPoint(p Point, s *Spec) string {
	var parts []string
	for _, b := range p.Labels() {
		parts = append(parts, fmt.Sprintf("[%s=%s]", b.Name, b.Value.Text()))
	}
	for _, b := range p.Params() {
		parts = append(parts, fmt.Sprintf("%s=%s", b.Name, b.Value.Text()))
	}
	if s.Repeat.N > 1 && s.Repeat.As == "" {
		parts = append(parts, fmt.Sprintf("(replicate %d)", p.Replicate()))
	}
	return strings.Join(parts, " ")
}

func mustGrid(t testing.TB, source string, declared map[string][]Param) *Grid {
	t.Helper()
	s, err := Decode("sweep.yaml", []byte(source))
	if err != nil {
		t.Fatal(err)
	}
	g, err := s.Grid(Inputs{AsOf: asOf, Declared: declared})
	if err != nil {
		t.Fatal(err)
	}
	return g
}
