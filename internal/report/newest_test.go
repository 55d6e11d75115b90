package report

import (
	"bytes"
	"encoding/json"
	"fmt"
	"math"
	"strings"
	"testing"
	"time"

	"github.com/fanout-dev/fanout/internal/compare"
	"github.com/fanout-dev/fanout/internal/report/internal/picture"
	"github.com/fanout-dev/fanout/internal/table"
)

// nightly makes a summary's input of days × regions without a baseline, grouped by
// these axes.
func nightly(t *testing.T, days, regions int, by ...string) Input {
	t.Helper()
	columns := []table.ColumnSpec{
		{Name: "run_id"}, {Name: "run_status"}, {Name: "day", Role: table.RoleParameter}, {Name: "region", Role: table.RoleParameter}, {Name: "y", Role: table.RoleScrap},
	}
	var rows [][]any
	for d := range days {
		date := time.Date(2026, 1, 1+d, 0, 0, 0, 0, time.UTC).Format(time.DateOnly)
		for r := range regions {
			rows = append(rows, []any{fmt.Sprint(len(rows)), "succeeded", date, fmt.Sprintf("r%02d", r), float64(100*d + r)})
		}
	}
	made, err := table.Build(columns, rows)
	if err != nil {
		t.Fatal(err)
	}
	in := Input{Name: "sweep", Template: "t.ipynb", Planned: len(rows), Axes: []Axis{{Name: "day", Ordered: true}, {Name: "region"}}}
	in.Compare, err = compare.Compare(made, compare.Options{
		Metrics: []compare.Metric{{Name: "y"}}, Axes: []compare.Axis{{Name: "day", Ordered: true}, {Name: "region"}}, Rows: by,
	})
	if err != nil {
		t.Fatal(err)
	}
	return in
}

// Where there is no room for all days, the newest are shown, and it is said how
// many are not.
func TestTheNewestAreShown(t *testing.T) {
	for _, c := range []struct {
		in    Input
		wants []string
	}{
		{nightly(t, 60, 3, "day"), []string{"y by day and region: the darker, the higher, medians from 2000 to 5902; the first 20 of 60 rows are left out.", "| 2026-03-01 |", "48 earlier groups are in the tables."}},
		{nightly(t, 3, 45, "region"), []string{"y by region and day: the darker, the higher, medians from 0 to 239; the last 5 of 45 rows are left out."}},
		{nightly(t, 25, 2, "day", "region"), []string{"y by day/region: each dot is the one run of its group; the first 10 of 50 groups are left out.", "| day/region |", "| 2026-01-25/r01 |", "10 earlier groups are in the tables."}},
	} {
		text := string(mustSummary(t, c.in).Notebook().Encode())
		for _, want := range c.wants {
			if !strings.Contains(text, want) {
				t.Errorf("the summary lacks %q:\n%.6000s", want, text)
			}
		}
	}
	x := nightly(t, 60, 3, "day").Compare.Metrics[0].Crosses[0]
	if s := picture.Shaded(x); s.Rows[0] != "2026-01-21" || s.Rows[39] != "2026-03-01" || s.Cells[39][2] != 5902 || len(x.Rows) != 60 {
		t.Errorf("%v … %v, %v", s.Rows[0], s.Rows[39], s.Cells[39])
	}
	x.Rows, x.Columns, x.RowsOrdered, x.Ordered = x.Columns, x.Rows, false, true
	x.Cells = [][]float64{x0(61), x0(61), x0(61)}
	x.Columns = append(x.Columns, "2026-03-02")
	if s := picture.Shaded(x); s.Columns[0] != "2026-01-02" || s.Columns[59] != "2026-03-02" || s.Cells[0][59] != 60 || len(s.Rows) != 3 {
		t.Errorf("%v … %v, %v", s.Columns[0], s.Columns[59], s.Cells[0])
	}
}

func x0(n int) []float64 {
	out := make([]float64, n)
	for i := range out {
		out[i] = float64(i)
	}
	return out
}

// What is without chance has a range in place of an interval, and no p: neither
// for people nor for programs.
func TestExactMetrics(t *testing.T) {
	in := badInput(t, each(3, func(v, seed int) any { return float64(10 + v*(1+seed)) }, "a", "b"))
	made := in.Compare.Metrics[0]
	made.By = compare.ByExact
	made.Groups[1].Against = &compare.Comparison{Exact: true, Paired: true, Pairs: 3, Possible: 3, Verdict: compare.Better, Relative: 0.2, RelLo: 0.1, RelHi: 0.3}
	made.Groups[1].Against.Shift, made.Groups[1].Against.Lo, made.Groups[1].Against.Hi = 2, 1, 3
	for i := range made.Groups {
		g := &made.Groups[i]
		g.Lo, g.Hi = g.Values[0], g.Values[len(g.Values)-1]
	}
	in.Compare.Metrics[0] = made
	text := string(mustSummary(t, in).Markdown())
	if !strings.Contains(text, "| median | range | quartiles | change | range | p |") || strings.Contains(text, "% interval") {
		t.Errorf("%s", text)
	}
	if caption := string(mustSummary(t, in).Notebook().Encode()); !strings.Contains(caption, "the large dot is the median with its range") {
		t.Error("the caption does not say what the bar is")
	}
	var b bytes.Buffer
	if err := (Comparison{{Report: in.Compare}}).Write(&b, "json"); err != nil {
		t.Fatal(err)
	}
	var l map[string]any
	if err := json.Unmarshal(bytes.Split(b.Bytes(), []byte("\n"))[1], &l); err != nil {
		t.Fatal(err)
	}
	_, hasEffect := l["effect"]
	if l["p"] != nil || l["p_adjusted"] != nil || hasEffect || l["change"] != 2.0 {
		t.Errorf("%v", l)
	}
	tested := *made.Groups[1].Against
	tested.Exact = false
	made.Groups = append(made.Groups, compare.Group{Name: "c", N: 1, Against: &tested})
	if got := changeHead(made, 0.95); got != "range or 95% interval" {
		t.Error(got)
	}
}

// The difference of the centres has the unit of the change beside it, also where
// that is 0.
func TestApartHasTheUnitOfTheChange(t *testing.T) {
	in := inputOf(t, []string{"a", "b"}, 6)
	against := in.Compare.Metrics[0].Groups[1].Against
	against.Shift, against.Relative, against.Centres, against.RelCentres = 0, 0, 0.5, 0.025
	if text := string(mustSummary(t, in).Markdown()); !strings.Contains(text, "; apart +2.50% |") {
		t.Errorf("%s", text)
	}
	against.Relative, against.RelCentres = math.NaN(), math.NaN()
	if text := string(mustSummary(t, in).Markdown()); !strings.Contains(text, "; apart +0.5 |") {
		t.Errorf("%s", text)
	}
}

// One of something is not many, and the words know where weekdays differ.
func TestWordsOfTrends(t *testing.T) {
	in := wide(t, []string{"a"}, []string{"r"}, 20, func(_, _, day int) bool { return day == 3 })
	text := string(mustSummary(t, in).Markdown())
	if !strings.Contains(text, "1 of 20 values of day lacks runs") {
		t.Errorf("%s", text)
	}
	trend := &in.Compare.Metrics[0].Trends[0]
	trend.Usual, trend.UsualRelative, trend.Weekdays = 5, 0.05, true
	if text := string(mustSummary(t, in).Markdown()); !strings.Contains(text, "usually lie within ±5.00% of the line of its weekday, as weekdays differ.") {
		t.Errorf("%s", text)
	}
	trend.Weekdays, trend.UsualRelative = false, math.NaN()
	if text := string(mustSummary(t, in).Markdown()); !strings.Contains(text, "usually lie within ±5 of that line.") {
		t.Errorf("%s", text)
	}
}
