package report

import (
	"bytes"
	"encoding/csv"
	"encoding/json"
	"math"
	"strings"
	"testing"

	"github.com/fanout-dev/fanout/internal/notebook"
)

// Every format has every group, and no name means anything in any of them.
func TestComparisonFormats(t *testing.T) {
	in := inputOf(t, []string{"control", hostile, "other"}, 8)
	c := Comparison{{Title: hostile, Report: in.Compare, Notes: []string{hostile}}}
	written := map[string]string{}
	for _, format := range Formats() {
		var b bytes.Buffer
		if err := c.Write(&b, format); err != nil {
			t.Fatalf("%s: %v", format, err)
		}
		written[format] = b.String()
		if !strings.Contains(b.String(), "control") || !strings.Contains(b.String(), "other") || format != "csv" && strings.Contains(b.String(), "\x1b") { // names are data in a CSV file
			t.Errorf("%s:\n%s", format, b.String())
		}
	}
	for _, format := range []string{"markdown", "html", "notebook"} {
		if strings.Contains(written[format], "<script>alert") {
			t.Errorf("%s holds a script of a name:\n%s", format, written[format])
		}
	}
	if strings.Contains(written["text"], "\u00a0") || !strings.Contains(written["text"], "0 … 0.4") {
		t.Errorf("%s", written["text"])
	}
	if n, err := notebook.Decode([]byte(written["notebook"])); err != nil || len(n.Cells) != 1 {
		t.Errorf("%v, %v", n, err)
	}
	records, err := csv.NewReader(strings.NewReader(written["csv"])).ReadAll()
	if err != nil || len(records) != 4 || len(records[0]) != len(fields) {
		t.Errorf("%q, %v", records, err)
	}
	for i, line := range strings.Split(strings.TrimSpace(written["json"]), "\n") {
		var l struct {
			Group  string
			N      int
			Change *float64
		}
		if err := json.Unmarshal([]byte(line), &l); err != nil || l.N == 0 || (l.Change == nil) != (i == 0) || l.Group != records[i+1][2] {
			t.Errorf("%s: %+v, %v", line, l, err)
		}
	}
	if err := c.Write(&bytes.Buffer{}, "pdf"); err == nil || !strings.Contains(err.Error(), "want text, markdown, html, notebook, csv or json") {
		t.Error(err)
	}
	if err := (Comparison{}).Write(&bytes.Buffer{}, "text"); err != nil {
		t.Error(err)
	}
}

// TestNoMinusZero: programs read −0 as another number, and some print it.
func TestNoMinusZero(t *testing.T) {
	if x := known(math.Copysign(0, -1)).(float64); math.Signbit(x) {
		t.Errorf("−0 is written as %v", x)
	}
}
