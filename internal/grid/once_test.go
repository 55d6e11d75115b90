package grid

import (
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/fanout-dev/fanout/internal/value"
)

// gridOf expands a sweep file whose templates all declare the same.
func gridOf(t *testing.T, text string, overlays []Source, params ...Param) (*Grid, error) {
	t.Helper()
	s, err := Decode("s.yaml", []byte(text), overlays...)
	if s == nil {
		return nil, err
	}
	in := Inputs{AsOf: time.Date(2026, 3, 31, 0, 0, 0, 0, time.UTC), Declared: map[string][]Param{}, Rows: map[string]Rows{}}
	for _, ref := range s.Templates {
		in.Declared[ref.Slot] = params
	}
	for _, file := range s.Sources() {
		if in.Rows[file], err = ReadRows(file, []byte("n,q\n1,1\nfoo,2\n")); err != nil {
			t.Fatal(err)
		}
	}
	return s.Grid(in)
}

// What is wrong in one way at one place is reported once, however many steps
// of reading find it.
func TestMistakesAreReportedOnce(t *testing.T) {
	n := Param{Name: "n", HasDefault: true, Default: mustValue(0), Kind: value.Int}
	for _, c := range []struct {
		text string
		want int
	}{
		{"template: t.ipynb\ngrid:\n  n: {dates: {from: yesterdai, to: today}}", 1},
		{"template: t.ipynb\ngrid:\n  n: [a, b, c]", 1},
		{"template: t.ipynb\ngrid:\n  n: [a]\n  q: [1]", 2},
		{"template: {axis: m, of: {a: t.ipynb, b: t.ipynb}}\ngrid:\n  q: [1]", 1},
		{"template: {axis: m, of: {a: t.ipynb, b: u.ipynb}}\ngrid:\n  q: [1]", 2},
		{"template: t.ipynb\nfrom: r.csv", 2}, // the value and the column q
	} {
		_, err := gridOf(t, c.text, nil, n)
		if err == nil {
			t.Errorf("%s\nis taken", c.text)
			continue
		}
		if lines := strings.Split(err.Error(), "\n"); len(lines) != c.want {
			t.Errorf("%s\nhas %d mistakes, want %d:\n%v", c.text, len(lines), c.want, err)
		}
	}
}

// Dates from one with a time keep their times, at midnight, too.
func TestDatesWithTimes(t *testing.T) {
	for from, want := range map[string][]string{
		"2026-01-01T00:00":        {"d=2026-01-01T00:00:00+01:00", "d=2026-01-02T00:00:00+01:00"},
		"2026-01-01 00:00:00":     {"d=2026-01-01T00:00:00+01:00", "d=2026-01-02T00:00:00+01:00"},
		"2025-12-31T23:00:00Z":    {"d=2026-01-01T00:00:00+01:00", "d=2026-01-02T00:00:00+01:00"},
		"2026-01-01T06:00":        {"d=2026-01-01T06:00:00+01:00"},
		"2026-01-01":              {"d=2026-01-01", "d=2026-01-02"},
		"\"2026-01-01T00:00:00\"": {"d=2026-01-01T00:00:00+01:00", "d=2026-01-02T00:00:00+01:00"},
	} {
		g, err := gridOf(t, "template: t.ipynb\ngrid:\n  d: {dates: {from: "+from+", to: 2026-01-02, tz: Europe/Berlin}}", nil, Param{Name: "d"})
		if err != nil {
			t.Errorf("%s: %v", from, err)
			continue
		}
		if d := cmp.Diff(want, pointsOf(g)); d != "" {
			t.Errorf("%s (-want +got):\n%s", from, d)
		}
	}
}

// --set takes null as a sweep file does; in quotes it is a text.
func TestSetNull(t *testing.T) {
	for set, want := range map[string]string{
		"s=null": "s=null x=1", "s=~": "s=null x=1", `s="null"`: `s="null" x=1`, "s=": `s="" x=1`, "s=# a": `s="# a" x=1`, "s=NULLIF": `s=NULLIF x=1`,
	} {
		o, err := SetOverlay(set)
		if err != nil {
			t.Fatal(err)
		}
		g, err := gridOf(t, "template: t.ipynb\ngrid: {x: [1]}", []Source{o}, Param{Name: "s", Type: "str"}, Param{Name: "x"})
		if err != nil {
			t.Errorf("--set %s: %v", set, err)
			continue
		}
		var got string
		for p := range g.Points() {
			for _, b := range p.Params() {
				got += " " + b.Name + "=" + b.Value.String()
			}
		}
		want = strings.ReplaceAll(want, "s=NULLIF", `s="NULLIF"`)
		if strings.TrimSpace(got) != want {
			t.Errorf("--set %s gives%s, want %s", set, got, want)
		}
	}
}

// A sweep file of JSON may have characters as JSON escapes them.
func TestJSONEscapes(t *testing.T) {
	g, err := gridOf(t, `{"template": "t.ipynb", "grid": {"s": ["\ud83d\ude00", "\\ud83d\\ude00", "\\\ud83d\ude00", "\u00e4"]}}`, nil, Param{Name: "s"})
	if err != nil {
		t.Fatal(err)
	}
	var got []string
	for p := range g.Points() {
		got = append(got, p.Params()[0].Value.Any().(string))
	}
	if d := cmp.Diff([]string{"😀", `\ud83d\ude00`, `\😀`, "ä"}, got); d != "" {
		t.Errorf("(-want +got):\n%s", d)
	}
	for _, text := range []string{`{"template": "t.ipynb", "grid": {"s": ["\ud83d"]}}`, `{template: t.ipynb, grid: {s: ["\ud83d\ude00"]}}`} {
		if _, err := gridOf(t, text, nil, Param{Name: "s"}); err == nil || !strings.Contains(err.Error(), "Unicode") {
			t.Errorf("%s: %v", text, err)
		}
	}
}
