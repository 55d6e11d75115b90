package lineage

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/fanout-dev/fanout/internal/needs"
	"github.com/fanout-dev/fanout/internal/outcome"
)

var chain = []Step{
	{Name: "extract", Template: `a "b" <c>.ipynb`, Axes: []string{"region", "day"}, Runs: 4, Counts: map[outcome.Status]int{outcome.Succeeded: 3, outcome.Failed: 1}},
	{Name: "report", Template: "report.ipynb", Runs: 1, Needs: []needs.Need{{Step: "extract", Share: .9}}},
	{Name: "end", Template: "end.ipynb", Runs: 1, Needs: []needs.Need{{Step: "extract", Share: 1}, {Step: "report", Share: 1}}},
}

func TestDraw(t *testing.T) {
	want := `flowchart LR
  s1["extract<br>a #quot;b#quot; #lt;c#gt;.ipynb<br>4 runs over region, day<br>3 succeeded, 1 failed"]
  s2["report<br>report.ipynb<br>1 run"]
  s3["end<br>end.ipynb<br>1 run"]
  s1 -->|90%| s2
  s1 --> s3
  s2 --> s3
`
	if d := cmp.Diff(want, Draw(chain, Mermaid)); d != "" {
		t.Error(d)
	}
	want = `digraph steps {
  rankdir=LR;
  node [shape=box];
  s1 [label="extract\na \"b\" <c>.ipynb\n4 runs over region, day\n3 succeeded, 1 failed"];
  s2 [label="report\nreport.ipynb\n1 run"];
  s3 [label="end\nend.ipynb\n1 run"];
  s1 -> s2 [label="90%"];
  s1 -> s3;
  s2 -> s3;
}
`
	if d := cmp.Diff(want, Draw(chain, DOT)); d != "" {
		t.Error(d)
	}
}

func TestDepths(t *testing.T) {
	if d := cmp.Diff([]int{0, 1, 2}, Depths(chain)); d != "" {
		t.Error(d)
	}
}

// Those that did not succeed are named first, and what is left out is counted.
func TestFew(t *testing.T) {
	l := Link{}
	for i := range 10 {
		r := Relative{ID: string(rune('a' + i)), Status: outcome.Succeeded}
		if i > 7 {
			r.Status = outcome.Failed
		}
		l.Runs = append(l.Runs, r)
	}
	few, rest := l.Few(3)
	if ids := few[0].ID + few[1].ID + few[2].ID; ids != "ija" || rest != "and 7 more: 7 succeeded" {
		t.Errorf("%s, %s", ids, rest)
	}
	if few, rest = l.Few(10); len(few) != 10 || rest != "" || !strings.HasPrefix(few[0].ID, "i") {
		t.Errorf("%d, %q", len(few), rest)
	}
}
