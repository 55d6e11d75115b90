package decide

import (
	"math"
	"strings"
	"testing"

	"github.com/fanout-dev/fanout/internal/compare"
	"github.com/fanout-dev/fanout/internal/value"
)

func key(t *testing.T, of any) []value.Value {
	t.Helper()
	v, err := value.Of(of)
	if err != nil {
		t.Fatal(err)
	}
	return []value.Value{v}
}

// TestPathIsStored: ends of intervals that there are not stay infinite, and the
// same path has the same text.
func TestPathIsStored(t *testing.T) {
	path := Path{{Replicates: 5, Level: 1e-7, Axes: []string{"model"}, Baseline: key(t, "a"), Next: 8, Found: []Finding{
		{Metric: "auc", Key: key(t, "b"), Variant: "b", Pairs: 5, Shift: 0.5, Lo: number(math.Inf(-1)), Hi: number(math.Inf(1)), P: 1, Verdict: compare.TooFew, Open: true},
		{Metric: "auc", Key: key(t, 1.0), Variant: "1", Pairs: 5, Shift: 0.25, Lo: 0.125, Hi: 0.5, P: 0.01, Verdict: compare.Better},
	}}}
	text, err := path.Encode()
	if err != nil {
		t.Fatal(err)
	}
	back, err := Decode(text)
	if err != nil {
		t.Fatal(err)
	}
	f := back[0].Found[0]
	if !math.IsInf(float64(f.Lo), -1) || !math.IsInf(float64(f.Hi), 1) || f.P != 1 || f.Shift != 0.5 {
		t.Errorf("read back as %+v", f)
	}
	if again, err := back.Encode(); err != nil || string(again) != string(text) {
		t.Errorf("%v\n%s\nand then\n%s", err, text, again)
	}
	for of, want := range map[any]int{"a": 8, "b": 8, 1: 5, "c": 5} {
		if got := back.Replicates(key(t, of), 5); got != want {
			t.Errorf("%v has %d replicates, want %d", of, got, want)
		}
	}
	if text, err := number(math.Copysign(0, -1)).MarshalJSON(); err != nil || string(text) != "0" {
		t.Errorf("−0 is stored as %s, %v", text, err)
	}
	if _, err := Decode([]byte("[1]")); err == nil {
		t.Error("what is no path is read as one")
	}
	if none, err := Decode(nil); len(none) > 0 || err != nil {
		t.Errorf("of nothing: %v, %v", none, err)
	}
}

// TestConclude: the sentence for the sweep takes a variant only where every metric
// that decides and every guardrail lets it.
func TestConclude(t *testing.T) {
	report := func(b, c, guard compare.Verdict) *compare.Report {
		table := func(name string, guardrail bool, b, c compare.Verdict) compare.MetricTable {
			return compare.MetricTable{Metric: compare.Metric{Name: name, Guardrail: guardrail}, Groups: []compare.Group{
				{Name: "a", Baseline: true}, {Name: "b", Against: &compare.Comparison{Verdict: b}}, {Name: "c", Against: &compare.Comparison{Verdict: c}}}}
		}
		return &compare.Report{Baseline: "a", Metrics: []compare.MetricTable{table("auc", false, b, c), table("cost", true, guard, compare.Unclear)}}
	}
	found := []Finding{{Metric: "auc"}}
	ended := Path{{Replicates: 14, Found: found}}
	for _, c := range []struct {
		b, c, guard compare.Verdict
		want        string
	}{
		{compare.Better, compare.Worse, compare.Unclear, "Take b: better by auc, no guardrail shown to be worse; 14 of 60 replicates were needed."},
		{compare.Better, compare.Unclear, compare.Unclear, "Take b: better by auc, no guardrail shown to be worse; 14 of 60 replicates were needed; c is undecided."},
		{compare.Better, compare.Better, compare.Unclear, "b and c are better than a, no guardrail shown to be worse, and are not compared with each other; 14 of 60 replicates were needed."},
		{compare.Better, compare.Equivalent, compare.Worse, "Keep a: no variant is shown to be better in all respects; 14 of 60 replicates were needed; b is better by auc, and worse by the guardrail cost."},
		{compare.Better, compare.Equivalent, compare.TooFew, "Keep a: no variant is shown to be better in all respects; 14 of 60 replicates were needed; b is better by auc, and not judged by the guardrail cost."},
		{compare.Equivalent, compare.Worse, compare.Unclear, "Keep a: no variant is shown to be better in all respects; 14 of 60 replicates were needed."},
	} {
		if got := ended.Conclude(report(c.b, c.c, c.guard), Rule{Most: 60, Of: "replicates"}); got != c.want {
			t.Errorf("%s, %s, guardrail %s: %q, want %q", c.b, c.c, c.guard, got, c.want)
		}
	}
	growing := Path{{Replicates: 8, Next: 12, Found: found}}
	if got := growing.Conclude(report(compare.Better, compare.Unclear, compare.Unclear), Rule{Most: 60, Of: "replicates"}); !strings.HasPrefix(got, "Not decided yet, at 8 of 60 replicates; c is undecided") {
		t.Errorf("a sweep that grows: %q", got)
	}
	blank := Path{{Replicates: 5, Why: "no variant has values, so nothing is compared"}}
	if got := blank.Conclude(&compare.Report{}, Rule{Most: 60, Of: "replicates"}); got != "Undecided, at 5 of 60 replicates: no variant has values, so nothing is compared." || len(blank.Compared()) > 0 || len(growing.Compared()) != 1 {
		t.Errorf("a look that compared nothing: %q", got)
	}
	if got := (Path{}).Conclude(report(compare.Better, compare.Better, compare.Better), Rule{Most: 60, Of: "replicates"}); got != "" {
		t.Errorf("without a look: %q", got)
	}
}
